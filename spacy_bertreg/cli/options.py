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
Component = Annotated[
    str | None, typer.Option(help="Which dictionary_regressor, if there are several")
]
Text = Annotated[str, typer.Option(help="Column with the texts")]
Encoding = Annotated[str, typer.Option(help="The table's encoding, as utf-8, cp1252 or utf-16")]
Separator = Annotated[
    str | None,
    typer.Option(help="Between fields of CSV and TSV, as ; or tab; by default it is detected"),
]
Quoting = Annotated[
    str,
    typer.Option(
        help="quoted: fields of CSV and TSV may stand in quotation marks; none: these are ordinary "
        "characters; auto: as the file is"
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(help="Decimal sign, . or , where numbers are text; by default it is detected"),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of an Excel file; by default the first")]
