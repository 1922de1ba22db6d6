"""`python -m spacy bertreg package`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import Code


@bertreg_cli.command("package")
@plain_errors()
def package_cli(
    pipeline: Annotated[Path, typer.Argument(help="Folder of the trained pipeline")],
    output: Annotated[Path, typer.Argument(help="Folder for the package")],
    name: Annotated[str, typer.Option(help="Name without the language, such as bertreg_tweets")],
    version: Annotated[str, typer.Option(help="Version of the package")] = "0.1.0",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Dev set, a .spacy file: if its predictions are the same in bfloat16, the "
            "package computes in bfloat16"
        ),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(help="Scores on the test set, as spacy evaluate --output writes them"),
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="Name of the test set, for the README on the Hugging Face hub")
    ] = "test set",
    weights: Annotated[
        str,
        typer.Option(
            help="bfloat16: store the transformer in half of its size, if predictions for the dev "
            "set stay the same"
        ),
    ] = "float32",
    forget_training_texts: Annotated[
        bool,
        typer.Option(
            "--forget-training-texts",
            help="Leave out the fingerprints that show whether a text was trained on",
        ),
    ] = False,
    code: Code = None,
) -> None:
    """
    Build a wheel of a trained pipeline, with its scores in a README and in meta.json.
    """
    from ..project.package import package

    built = package(
        pipeline,
        output,
        name=name,
        version=version,
        data=data,
        metrics=metrics,
        dataset=dataset,
        weights=weights,  # type: ignore[arg-type]
        forget_training_texts=forget_training_texts,
        code=code,
    )
    for check in (built.precision, built.weights):
        if check is not None:
            msg.info(check.describe())
    msg.good("Wrote the wheel", str(built.wheel))
