"""Settings of the documentation site: `python -m sphinx -W -b html docs build/site`."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]
# Two processes that wait for each other's threads slow the notebook down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pygments.lexers.special import TextLexer  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import spacy_bertreg  # noqa: E402

project = "spacy-bertreg"
author = "spacy-bertreg contributors"
version = release = spacy_bertreg.__version__
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    # Ours, in _ext/.
    "command_line",
    "outside_links",
    "registered_blocks",
    "spacy_docstrings",
]
exclude_patterns = ["_ext", "images"]
nitpicky = True
# Between single backticks of a docstring is code.
default_role = "code"
# They would turn the -- of options into a dash.
smartquotes = False

# Links as GitHub makes them: from headings down to the fourth level.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
# A documentation host sets this, so that links to files outside docs/ lead there.
repository_url = os.environ.get("SPACY_BERTREG_REPOSITORY", "")

# Notebooks are run anew when their code has changed. One that fails is an error.
nb_execution_mode = "cache"
nb_execution_cache_path = str(DOCS.parent / "build" / "notebooks")
# Seconds for a cell: much more than it takes, for machines that are busy.
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
# Types stand in the docstrings.
autodoc_typehints = "none"
autodoc_class_signature = "separated"

html_theme = "furo"
html_title = f"spacy-bertreg {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
# The pages' sources are in the repository.
html_copy_source = False
pygments_style = "default"
pygments_dark_style = "github-dark"


def setup(app: Sphinx) -> None:
    # GitHub draws diagrams; here they stay text, as drawing them takes a script from elsewhere.
    app.add_lexer("mermaid", TextLexer)
