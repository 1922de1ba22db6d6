"""The command group `bertreg` on spaCy's own command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
import wasabi.util
from spacy.cli._util import app
from wasabi import msg

from .terminal import make_printing_safe

PACKAGE = __name__.partition(".")[0]
VARIABLE = "SPACY_BERTREG_TRACEBACK"

bertreg_cli = typer.Typer(name="bertreg", no_args_is_help=True)
app.add_typer(bertreg_cli)
_shows_traceback = False


@bertreg_cli.callback()
def start(
    traceback: Annotated[
        bool, typer.Option("--traceback", envvar=VARIABLE, help="Show where an error was raised")
    ] = False,
) -> None:
    """
    Predict numbers from texts, and compare the models that do.
    """
    global _shows_traceback
    _shows_traceback = traceback
    make_printing_safe()
    # wasabi would encode each message for the terminal, and read it as UTF-8 again.
    wasabi.util.ENCODING = "utf-8"


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show wrong input as one message instead of a traceback, and exit with 1."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if _shows_traceback:
            raise
        msg.fail(str(error) or type(error).__name__)
        if not _is_raised_here(error):
            msg.text(f"Where it was raised: bertreg --traceback, or {VARIABLE}=1")
        raise typer.Exit(1) from error


def _is_raised_here(error: Exception) -> bool:
    """Tell whether this package's code raised the error, and so knew what to say."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return module.partition(".")[0] == PACKAGE
