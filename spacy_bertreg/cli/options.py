"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

# Help of the tables to read.
TABLE = "CSV, TSV or JSONL file, also with .gz, or Parquet, Excel, Stata or SPSS file"

Pipeline = Annotated[str, typer.Argument(help="Trained pipeline: a folder or a package")]
Code = Annotated[
    Path | None,
    typer.Option(
        "--code",
        "-c",
        help="Path to Python file with additional code (registered functions) to be imported",
    ),
]
GpuId = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")]
Text = Annotated[str, typer.Option(help="Column with the texts")]
Encoding = Annotated[
    str, typer.Option(help="The table's encoding, such as utf-8, cp1252 or utf-16")
]
Separator = Annotated[
    str | None,
    typer.Option(help="Separator of CSV and TSV, such as ; or tab; by default detected"),
]
Quoting = Annotated[
    str,
    typer.Option(
        help="quoted: fields of CSV and TSV may be in quotation marks; none: these are ordinary "
        "characters; auto: detected"
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(help="Decimal sign (. or ,) of numbers stored as text; by default detected"),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file; by default the first")]

# Of `convert` and `init`, named as the arguments of the function `convert`.
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help="Column with a number to predict; may be repeated"),
]
IdColumn = Annotated[str | None, typer.Option("--id", help="Column with the documents' ids")]
Group = Annotated[
    str | None,
    typer.Option(help="Column of groups: a random split keeps them whole"),
]
Time = Annotated[str | None, typer.Option(help="Column with dates, such as 2016-01-31, or years")]
Covariates = Annotated[
    list[str] | None,
    typer.Option("--covariate", help="Column with a covariate (a number); may be repeated"),
]
Weight = Annotated[str | None, typer.Option(help="Column with the documents' weights in training")]
Label = Annotated[
    str | None,
    typer.Option(help="Column with a class, for a text classifier beside the regressor"),
]
DropEmpty = Annotated[
    bool,
    typer.Option("--drop-empty", help="Leave out rows without a text; otherwise they are an error"),
]
MaxDocs = Annotated[
    int | None, typer.Option(help="Number of documents to draw at random; by default all")
]
Shares = Annotated[
    tuple[float, float, float] | None,
    typer.Option(
        "--split", help="Shares of train, dev and test, at random  [default: 0.7 0.1 0.2]"
    ),
]
DevFrom = Annotated[
    str | None, typer.Option(help="Split by --time: first date of dev, after train")
]
TestFrom = Annotated[str | None, typer.Option(help="First date of test")]
SplitColumn = Annotated[
    str | None, typer.Option(help="Split by a column that says train, dev or test")
]
Seed = Annotated[int, typer.Option(help="Seed of a random split, and of --max-docs")]
Lang = Annotated[str, typer.Option(help="spaCy's code of the language, as for blank:xx")]
