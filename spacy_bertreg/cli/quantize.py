"""`python -m spacy bertreg quantize`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import Code


@bertreg_cli.command("quantize")
@plain_errors()
def quantize_cli(
    pipeline: Annotated[Path, typer.Argument(help="Folder of the trained pipeline")],
    data: Annotated[
        Path,
        typer.Argument(help="A .spacy file of documents from neither training nor test set"),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the pipeline in int8")],
    seed: Annotated[
        int, typer.Option(help="Seed of the draw of documents to measure ranges on")
    ] = 0,
    code: Code = None,
) -> None:
    """
    Make a pipeline whose transformer computes in int8, by OpenVINO on a CPU: faster, and refused if
    its predictions for DATA are not those in float32.
    """
    from ..project.quantize import quantize

    found = quantize(pipeline, data, output, seed=seed, code=code)
    msg.info(f"Measured ranges on {found.calibrated_on:,} documents, compared on the others")
    msg.info(found.check.describe())
    for name, problem in found.intervals.items():
        if problem is None:
            msg.info(f"Calibrated the intervals of {name} again, on the documents compared")
        else:
            msg.warn(
                f"The intervals of {name} are those in float32, as they could not be calibrated "
                f"again: {problem} Use bertreg calibrate."
            )
    msg.good("Wrote the pipeline", str(output))
