"""The command group `bertreg` on spaCy's own command line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from spacy.cli._util import app
from wasabi import msg

bertreg_cli = typer.Typer(
    name="bertreg",
    help="Predict numbers from texts, and compare the models that do.",
    no_args_is_help=True,
)
app.add_typer(bertreg_cli)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show wrong input as one message instead of a traceback, and exit with 1."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        msg.fail(str(error), exits=1)
