"""`python -m spacy bertreg calibrate`"""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, GpuId, Pipeline
from .terminal import print_table


@bertreg_cli.command("calibrate")
@plain_errors()
def calibrate_cli(
    pipeline: Pipeline,
    data: Annotated[
        Path | None,
        typer.Argument(help="A .spacy file of documents that are in neither training nor test set"),
    ] = None,
    folds: Annotated[
        Path | None,
        typer.Option("--from", help="In place of DATA, a folder that crossval wrote"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Which model of --from has PIPELINE's settings, if there are several"),
    ] = None,
    half_life: Annotated[
        float | None,
        typer.Option(
            help="Half-life in days of a calibration document's weight for later documents"
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Nominal coverage of the intervals")] = 0.9,
    method: Annotated[
        str | None,
        typer.Option(
            help="plain, normalised (gaussian or poisson loss) or quantiles (pinball loss); by "
            "default the one that the loss allows"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the pipeline; by default the same"),
    ] = None,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """
    Give a trained pipeline prediction intervals (split conformal, or from the errors of a
    cross-validation): doc._.interval holds a low and a high end for each target, between which
    LEVEL of the values of new documents are, if these are like the calibration documents.
    """
    from ..comparison.calibrate import calibrate

    setup_gpu(gpu_id, silent=True)
    import_code(code)
    table = calibrate(
        pipeline,
        data,
        level=level,
        method=method,
        output=output,
        folds=folds,
        model=model,
        half_life=half_life,
    )
    shown = table.drop(columns=["seen", "checked"])
    print_table(shown.map(lambda v: f"{v:.3f}" if isinstance(v, float) else v), shown.shape[1])
    for name in table.loc[~table["checked"], "component"].unique():
        msg.warn(
            f"{name} keeps no fingerprints of its training texts, so it could not be checked "
            f"whether {data} holds any. If it does, intervals are too narrow."
        )
    if seen := int(table["seen"].max()):
        msg.warn(f"Left out: {seen} documents with a text that is in the training set too")
    msg.good("Wrote the pipeline with its intervals", str(output or pipeline))
