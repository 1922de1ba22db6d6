"""`python -m spacy bertreg report`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import Code, bertreg_cli, plain_errors


@bertreg_cli.command("report")
def report_cli(
    folder: Annotated[Path, typer.Argument(help="Folder that `compare --output` wrote to")],
    code: Code = None,
) -> None:
    """
    Make a page of a comparison, index.html, that opens in any browser without a network; and its
    figures as PNG and SVG, in plots/.
    """
    with plain_errors():
        from ..report import make_report
        from ..scoring.loading import import_code

        import_code(code)
        page, *plots = make_report(folder)
        msg.good("Wrote", page)
        if plots:
            msg.good(f"Wrote {len(plots)} figures to {plots[0].parent}")
