"""`python -m spacy bertreg sample`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import TABLE, Decimal, Encoding, Quoting, Separator, Sheet, Text


@bertreg_cli.command("sample")
@plain_errors()
def sample_cli(
    table: Annotated[Path, typer.Argument(help=f"All documents: {TABLE}")],
    output: Annotated[Path, typer.Argument(help="CSV file to write, for the coders")],
    n: Annotated[int, typer.Option("--n", "-n", help="Number of documents to draw")],
    predicted: Annotated[str, typer.Option(help="The variable to code")],
    id_: Annotated[str, typer.Option("--id", help="Column with the documents' ids")],
    text: Text = "text",
    design: Annotated[
        str,
        typer.Option(
            help="simple: equal probabilities; stratified: equally many per stratum; uncertainty: "
            "higher probabilities for uncertain predictions"
        ),
    ] = "simple",
    by: Annotated[
        str | None,
        typer.Option(help="Column of strata; by default, documents with similar predictions"),
    ] = None,
    strata: Annotated[int, typer.Option(help="Number of strata, without --by")] = 5,
    uncertainty: Annotated[
        str | None,
        typer.Option(help="Column with the uncertainty; by default, NAME_high minus NAME_low"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw")] = 0,
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
) -> None:
    """
    Draw documents to code at random, into a CSV file that coders fill in. Its column probability is
    for estimate --probability.
    """
    from ..data.tables.kinds import TableOptions
    from ..estimation.sample import sample

    rows = sample(
        table,
        output,
        n=n,
        predicted=predicted,
        id_column=id_,
        text=text,
        design=design,
        by=by,
        strata=strata,
        uncertainty=uncertainty,
        seed=seed,
        options=TableOptions(encoding, separator, quoting, decimal, sheet),
    )
    low, high = rows["probability"].min(), rows["probability"].max()
    chance = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    msg.good("Wrote", str(output))
    typer.echo(
        f"{len(rows):,} of {rows.attrs['n_all']:,} documents, drawn with probability {chance}"
    )
