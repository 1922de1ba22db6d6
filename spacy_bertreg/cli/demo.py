"""`python -m spacy bertreg demo`"""

import os
import signal
import sys
import webbrowser
from typing import Annotated, Any

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import Code, GpuId


@bertreg_cli.command("demo")
@plain_errors()
def demo_cli(
    pipelines: Annotated[
        list[str],
        typer.Argument(
            metavar="PIPELINE...",
            help="Trained pipelines, folders or packages, each as PATH or NAME=PATH",
        ),
    ],
    port: Annotated[int, typer.Option(help="Port of 127.0.0.1, or 0 for any that is free")] = 8765,
    text_column: Annotated[
        str | None,
        typer.Option(
            help="Column of texts to choose in tables that have it; by default, it is guessed"
        ),
    ] = None,
    max_mb: Annotated[int, typer.Option(help="Size of the largest table, in MB", min=1)] = 200,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser")] = False,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """
    Try pipelines on a page in the browser: the prediction for a text, its interval, and what each
    word adds; and predictions for a table. The page is for this machine alone, and keeps nothing.
    """
    from ..demo.models import DemoModels
    from ..demo.server import DemoServer, check_port

    check_port(port)
    try:
        # As if Ctrl-C was pressed, so that files are deleted.
        for name in ("SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), _interrupt)
        models = DemoModels(pipelines, gpu_id=gpu_id, code=code)
        with DemoServer(models, port, text_column=text_column, max_mb=max_mb) as server:
            try:
                msg.good("The demo is at", server.address)
                msg.text("Ctrl-C stops it.")
                sys.stdout.flush()
                if open_:
                    webbrowser.open(server.address)
                server.serve_forever()
            except KeyboardInterrupt:
                msg.text("Stopping after what is being predicted; Ctrl-C stops at once.")
    except KeyboardInterrupt:
        # Of a second Ctrl-C. The interpreter would wait for the models' thread.
        os._exit(130)


def _interrupt(*args: Any) -> None:
    raise KeyboardInterrupt
