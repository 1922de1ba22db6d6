"""`python -m spacy bertreg calibrate`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import Code, bertreg_cli, plain_errors


@bertreg_cli.command("calibrate")
def calibrate_cli(
    pipeline: Annotated[str, typer.Argument(help="Trained pipeline")],
    data: Annotated[
        Path, typer.Argument(help="Documents of neither training nor test set, a .spacy file")
    ],
    level: Annotated[float, typer.Option(help="Share of values that intervals are to hold")] = 0.9,
    method: Annotated[
        str | None,
        typer.Option(
            help="plain, normalised (gaussian or poisson loss) or quantiles (pinball loss); by "
            "default what the loss allows"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the pipeline; by default the same"),
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
    code: Code = None,
) -> None:
    """
    Give a trained pipeline prediction intervals (split conformal): doc._.interval holds a low and a
    high end for each target, between which LEVEL of the values of new documents are, if these are
    like the calibration documents.
    """
    with plain_errors():
        from spacy.cli._util import setup_gpu

        from ..comparison.calibrate import calibrate
        from ..scoring.loading import import_code

        setup_gpu(gpu_id, silent=True)
        import_code(code)
        table = calibrate(pipeline, data, level=level, method=method, output=output)
        seen = int(table["seen"].max())
        columns = table.drop(columns=["seen", "checked"]).map(
            lambda v: f"{v:.3f}" if isinstance(v, float) else str(v)
        )
        msg.table(columns.values.tolist(), header=list(columns.columns))
        for name in table.loc[~table["checked"], "component"].unique():
            msg.warn(
                f"{name} keeps no marks of its training texts, so it could not be checked whether "
                f"{data} holds any. If it does, intervals promise too much."
            )
        if seen:
            msg.warn(f"Left out: {seen} documents with a text that is in the training set too")
        msg.good("Wrote the pipeline with its intervals", str(output or pipeline))
