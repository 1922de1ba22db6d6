"""`python -m spacy bertreg compare`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors


@bertreg_cli.command("compare")
def compare_cli(
    test: Annotated[Path, typer.Argument(help="Test set, a .spacy file")],
    pipelines: Annotated[
        list[str], typer.Argument(help="Trained pipelines: folders, or NAME=FOLDER")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for comparison.csv and .md")
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
) -> None:
    """
    Score pipelines on the same test set, and say by how much each beats the ones before it.
    """
    with plain_errors():
        from spacy.cli._util import setup_gpu

        from ..compare import compare, write_comparison

        setup_gpu(gpu_id, silent=True)
        comparison = compare(test, pipelines)
        for table in comparison.formatted():
            aligns = ["r" if column else "l" for column in range(table.shape[1])]
            msg.table(table.values.tolist(), header=list(table.columns), aligns=aligns)
        if output is not None:
            paths = write_comparison(comparison, output)
            msg.good("Wrote the comparison", ", ".join(map(str, paths)))
