"""`python -m spacy bertreg estimate`"""

import warnings
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import TABLE, Code, Decimal, Encoding, Quoting, Separator, Sheet, Text
from .terminal import print_table

IMAGES = (".png", ".svg", ".pdf")


@bertreg_cli.command("estimate")
@plain_errors()
def estimate_cli(
    formula: Annotated[
        str,
        typer.Argument(
            help='Such as "severity ~ year + C(region)"; "severity ~ 1" for a mean; "severity > 2 '
            '~ year" for a logistic regression. Code in it is run.'
        ),
    ],
    table: Annotated[Path, typer.Argument(help=f"All documents, with predictions: {TABLE}")],
    predicted: Annotated[
        str,
        typer.Option(
            help="The predicted variable: known values are in a column of this name, predictions "
            "in NAME_predicted, as score writes them"
        ),
    ],
    estimators: Annotated[
        str, typer.Option(help="Comma-separated: naive, gold, dsl, ppi++")
    ] = "naive,gold,dsl,ppi++",
    id_: Annotated[
        str | None, typer.Option("--id", help="Column with the documents' ids, in all tables")
    ] = None,
    coded: Annotated[
        Path | None,
        typer.Option(help="Table of the coded documents, if TABLE does not have their values"),
    ] = None,
    folds: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Folder that crossval wrote: out-of-fold predictions of coded documents"
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which model of --from made the predictions, if several")
    ] = None,
    pipeline: Annotated[
        str | None,
        typer.Option(
            help="Instead of --from, the pipeline that made all predictions, to check that it was "
            "not trained on coded documents"
        ),
    ] = None,
    text: Text = "text",
    unseen: Annotated[
        bool,
        typer.Option(
            "--unseen", help="Declare that no model was trained on a document that it predicts"
        ),
    ] = False,
    probability: Annotated[
        str | None,
        typer.Option(
            help="Column with each coded document's probability of being drawn; by default, "
            "it is the same for all"
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of clusters, for cluster-robust standard errors"),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Column of groups, for a separate regression in each")
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(help="linear or logistic; by default logistic for a true or false outcome"),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals")] = 0.95,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Show expected widths of intervals with more coded documents, and write and plot "
            "these instead of the estimates",
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV, Markdown or LaTeX file to write")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG, SVG or PDF file for a plot")] = None,
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
    code: Code = None,
) -> None:
    """
    Estimate a mean or a regression with a predicted variable, corrected by coded documents, whose
    value is known. These must be a random sample, with out-of-fold predictions.
    """
    import pandas as pd

    from ..data.tables.kinds import TableOptions
    from ..estimation.estimate import estimate
    from ..estimation.tables import (
        ENDINGS,
        check_ending,
        encode_table,
        format_estimates,
        format_plan,
    )

    check_files([output, plot], [table, coded, folds, pipeline])
    check_ending(output, ENDINGS)
    check_ending(plot, IMAGES)
    import_code(code)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # printed below
        result = estimate(
            formula,
            table,
            predicted=predicted,
            estimators=[name.strip() for name in estimators.split(",") if name.strip()],
            id_column=id_,
            coded=coded,
            folds=folds,
            model=model,
            pipeline=pipeline,
            text=text,
            unseen=unseen,
            probability=probability,
            cluster=cluster,
            by=by,
            family=family,
            level=level,
            plan=plan,
            options=TableOptions(encoding, separator, quoting, decimal, sheet),
        )
    texts = format_estimates(result)
    written = (result, texts)
    if plan:
        widths = pd.DataFrame(result.attrs["plan"])
        written = (widths, format_plan(widths))
    files: dict[Path, bytes] = {}
    if output is not None:
        files[output] = encode_table(*written, output)
    if plot is not None:
        from ..estimation.plots import draw_estimates, draw_plan

        draw = draw_plan if plan else draw_estimates
        files[plot] = draw(written[0], plot.suffix[1:])
    write_whole(files)
    print_table(texts, n_left=list(texts.columns).index("Estimator") + 1)
    if plan:
        msg.info(f"Width of {level:.0%} intervals by the number of coded documents")
        print_table(written[1], n_left=2)
    for note in result.attrs["notes"]:
        msg.info(note)
    for warning in result.attrs["warnings"]:
        msg.warn(warning)
    for path in files:
        msg.good("Wrote", str(path))
