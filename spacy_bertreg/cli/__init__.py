"""The commands `python -m spacy bertreg COMMAND`.

spaCy imports this for each of its commands: whatever takes time to import is imported in the
functions.
"""

from . import (  # noqa: F401 - each adds its command to the group
    calibrate,
    compare,
    convert,
    crossval,
    demo,
    estimate,
    explain,
    faithfulness,
    freeze_report,
    init,
    lexicon,
    package,
    quantize,
    report,
    sample,
    score,
    train,
)
from .group import bertreg_cli

__all__ = ["bertreg_cli"]
