"""`python -m spacy bertreg report`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code


@bertreg_cli.command("report")
@plain_errors()
def report_cli(
    folder: Annotated[Path, typer.Argument(help="Folder that `compare --output` wrote to")],
    code: Code = None,
) -> None:
    """
    Make a page of a comparison, index.html, that opens in any browser without a network; and its
    figures as PNG and SVG, in plots/.
    """
    from ..report import make_report

    import_code(code)
    page, *plots = make_report(folder)
    msg.good("Wrote", page)
    if plots:
        msg.good(f"Wrote {len(plots)} figures to {plots[0].parent}")
