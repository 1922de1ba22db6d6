"""`python -m spacy bertreg convert`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors


@bertreg_cli.command("convert")
def convert_cli(
    table: Annotated[Path, typer.Argument(help="CSV, TSV, JSONL or Parquet file")],
    output: Annotated[Path, typer.Argument(help="Folder for train, dev and test.spacy")],
    text: Annotated[str, typer.Option(help="Column with the texts")] = "text",
    target: Annotated[
        list[str] | None, typer.Option(help="Column with a number to predict; may be repeated")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that names a document")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column whose values must not be in two splits")
    ] = None,
    split: Annotated[
        tuple[float, float, float], typer.Option(help="Shares of train, dev and test")
    ] = (0.7, 0.1, 0.2),
    seed: Annotated[int, typer.Option(help="Seed of the split")] = 0,
    lang: Annotated[str, typer.Option(help="spaCy's code of the language, as for blank:xx")] = "en",
) -> None:
    """
    Turn a table of texts and numbers into spaCy's training format, split into train.spacy,
    dev.spacy and test.spacy. An empty target is unknown; a row without text is an error.
    """
    with plain_errors():
        from ..convert import convert

        summary = convert(
            table,
            output,
            text=text,
            targets=target or [],
            id_column=id_,
            group=group,
            shares=split,
            seed=seed,
            lang=lang,
        )
        msg.table(
            [[str(value) for value in row] for row in summary.itertuples(index=False)],
            header=list(summary.columns),
            aligns=["l", "l"] + ["r"] * (len(summary.columns) - 2),
        )
        msg.good(
            f"Wrote {', '.join(f'{name}.spacy' for name in summary['split'].unique())}", output
        )
