"""Options of the commands that read tables."""

from typing import Annotated

import typer

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
