"""`python -m spacy bertreg convert`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import TABLE, Decimal, Encoding, Quoting, Separator, Sheet, Text
from .terminal import print_table


@bertreg_cli.command("convert")
@plain_errors()
def convert_cli(
    table: Annotated[Path, typer.Argument(help=TABLE)],
    output: Annotated[Path, typer.Argument(help="Folder for train, dev and test.spacy")],
    text: Text = "text",
    target: Annotated[
        list[str] | None, typer.Option(help="Column with a number to predict; may be repeated")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that names a document")] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column of what belongs together: in one split if split at random"),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Column with dates, as 2016-01-31, or years")
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="Column with a number that goes with a document; may be repeated"),
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column with how much a document counts in training")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column with a class, for a text classifier beside the regressor"),
    ] = None,
    split: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Shares of train, dev and test, at random  [default: 0.7 0.1 0.2]"),
    ] = None,
    dev_from: Annotated[
        str | None, typer.Option(help="Split by --time: first date of dev, after train")
    ] = None,
    test_from: Annotated[str | None, typer.Option(help="First date of test")] = None,
    split_column: Annotated[
        str | None, typer.Option(help="Split by a column that says train, dev or test")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of a split at random")] = 0,
    lang: Annotated[str, typer.Option(help="spaCy's code of the language, as for blank:xx")] = "en",
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
) -> None:
    """
    Turn a table of texts and numbers into spaCy's training format, split into train.spacy,
    dev.spacy and test.spacy: at random, by date, or as a column says. An empty target is unknown;
    a row without text is an error.
    """
    from ..data.convert import convert

    summary = convert(
        table,
        output,
        text=text,
        targets=target or [],
        id_column=id_,
        group=group,
        time=time,
        covariates=covariate or [],
        weight=weight,
        label=label,
        shares=split,
        dev_from=dev_from,
        test_from=test_from,
        split_column=split_column,
        seed=seed,
        lang=lang,
        encoding=encoding,
        separator=separator,
        quoting=quoting,
        decimal=decimal,
        sheet=sheet,
    )
    # Two tables: one would be too wide for a terminal.
    documents = summary.filter(regex="^(split|documents|words_p.*)$").drop_duplicates()
    print_table(documents, spacing=2)
    print_table(summary.drop(columns=documents.columns[1:]), n_left=2, spacing=2)
    for note in summary.attrs["notes"]:
        msg.info(note)
    for warning in summary.attrs["warnings"]:
        msg.warn(warning)
    if shared := summary.attrs["shared_groups"]:
        what = "equal texts" if group is None else f"groups (column {group!r})"
        msg.warn(f"In more than one split: {shared} {what}")
    msg.good(f"Wrote {', '.join(f'{name}.spacy' for name in summary['split'].unique())}", output)
