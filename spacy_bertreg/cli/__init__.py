"""The commands `python -m spacy bertreg COMMAND`.

spaCy imports this for each of its commands: whatever takes time to import is imported in the
functions.
"""

from .calibrate import calibrate_cli
from .compare import compare_cli
from .convert import convert_cli
from .explain import explain_cli
from .freeze_report import freeze_report_cli
from .group import bertreg_cli
from .lexicon import lexicon_cli
from .report import report_cli
from .score import score_cli

__all__ = [
    "bertreg_cli",
    "calibrate_cli",
    "compare_cli",
    "convert_cli",
    "explain_cli",
    "freeze_report_cli",
    "lexicon_cli",
    "report_cli",
    "score_cli",
]
