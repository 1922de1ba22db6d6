"""`python -m spacy bertreg convert`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import (
    TABLE,
    Covariates,
    Decimal,
    DevFrom,
    DropEmpty,
    Encoding,
    Group,
    IdColumn,
    Label,
    Lang,
    MaxDocs,
    Quoting,
    Seed,
    Separator,
    Shares,
    Sheet,
    SplitColumn,
    Targets,
    TestFrom,
    Text,
    Time,
    Weight,
)
from .terminal import print_table


@bertreg_cli.command("convert")
@plain_errors()
def convert_cli(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="TABLE", help=TABLE)],
    output: Annotated[Path, typer.Argument(help="Folder for train, dev and test.spacy")],
    text: Text = "text",
    targets: Targets = None,
    id_column: IdColumn = None,
    group: Group = None,
    time: Time = None,
    covariates: Covariates = None,
    weight: Weight = None,
    label: Label = None,
    drop_empty: DropEmpty = False,
    max_docs: MaxDocs = None,
    shares: Shares = None,
    dev_from: DevFrom = None,
    test_from: TestFrom = None,
    split_column: SplitColumn = None,
    seed: Seed = 0,
    lang: Lang = "en",
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
) -> None:
    """
    Turn a table of texts and numbers into spaCy's training format, split into train.spacy,
    dev.spacy and test.spacy: at random, by date, or as a column says. An empty target is unknown;
    a row without text is an error, or left out with --drop-empty.
    """
    from ..data.convert import convert

    summary = convert(**ctx.params | {"targets": targets or [], "covariates": covariates or []})
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
