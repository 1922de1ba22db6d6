"""`python -m spacy bertreg explain`"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, Pipeline

if TYPE_CHECKING:
    from ..report.explained import ExplainedText


@bertreg_cli.command("explain")
@plain_errors()
def explain_cli(
    pipeline: Pipeline,
    text: Annotated[str, typer.Argument(help="The text")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file with the text highlighted")
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", help="Another pipeline, beside the first; may be repeated"),
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="Which regressor of the first pipeline, if several")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Which target, if there are several")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="For a text_regressor: integrated_gradients, gradient_x_input, token_vectors or "
            "occlusion"
        ),
    ] = None,
    observed: Annotated[float | None, typer.Option(help="Observed value, for the page")] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="Covariate of the text, NAME=NUMBER; may be repeated")
    ] = None,
    code: Code = None,
) -> None:
    """
    Say what each word or term adds to the prediction for a text, by one or several pipelines.
    """
    import spacy

    from ..report.explained import explain_text
    from ..report.explained_page import render_explanations

    paths = [pipeline, *(others or [])]
    check_files([output], paths)
    import_code(code)
    covariates = _read_covariates(covariate or [])
    if observed is not None and not math.isfinite(observed):
        raise ValueError(f"--observed is {observed}. Expected a finite number.")
    explained: list[ExplainedText] = []
    for number, path in enumerate(paths):
        nlp = spacy.load(path)
        explained.append(
            explain_text(
                nlp,
                text,
                path,
                # What is chosen for the first need not be in the others.
                component=component if number == 0 else None,
                # One scale of colours is for one target.
                target=target or (explained[0].target if explained else None),
                method=method,
                covariates=covariates,
            )
        )
    if method is not None and not any(one.method for one in explained):
        raise ValueError(
            f"--method is {method}, but the explained component is not a text_regressor. A "
            "dictionary's contributions follow from its readout. Expected no --method."
        )
    files = {}
    if output is not None:
        files[output] = render_explanations(explained, observed).encode("utf-8")
    write_whole(files)
    for one in explained:
        _print(one, n_models=len(explained))
    for written in files:
        msg.good("Wrote", written)


def _print(explained: "ExplainedText", n_models: int) -> None:
    what = "words" if explained.method else "terms"
    rows = [(f"without the {what}", "", "", f"{explained.base:.3f}")]
    for part in explained.parts:
        word = explained.text[part.start : part.end]
        rows.append((word, part.term, part.category, f"{part.value:+.3f}"))
    for name, value in explained.covariates.items():
        rows.append((f"covariate {name}", "", "", f"{value:+.3f}"))
    if abs(explained.error) >= 0.0005:
        rows.append(("error of the sum", "", "", f"{explained.error:+.3f}"))
    if explained.scale:
        total = f"{explained.total + explained.error:.3f}"
        rows.append((f"sum, on the {explained.scale} scale", "", "", total))
    rows.append(("prediction", "", "", f"{explained.prediction:.3f}"))
    header = ["Text", "Term", "Category", explained.target]
    if explained.method:
        rows = [(row[0], row[3]) for row in rows]  # type: ignore[misc]
        header = ["Text", explained.target]
    if n_models > 1:
        msg.divider(explained.model)
    msg.table(rows, header=header, aligns=["l"] * (len(header) - 1) + ["r"])


def _read_covariates(given: list[str]) -> dict[str, float]:
    found = {}
    for entry in given:
        name, _, number = entry.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise ValueError(f"--covariate is {entry!r}. Expected NAME=NUMBER, such as deaths=3.")
    return found
