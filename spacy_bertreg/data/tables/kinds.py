"""Kinds of tables, and how they may be written."""

import codecs
from dataclasses import dataclass
from pathlib import Path

TEXT_KINDS = ("csv", "tsv", "jsonl")
# Only read, and whole: they can't be read in parts.
WHOLE_KINDS = ("xlsx", "dta", "sav")
KINDS = (*TEXT_KINDS, "parquet", *WHOLE_KINDS)
QUOTING = ("auto", "quoted", "none")
SEPARATORS = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class TableOptions:
    """How a table is written.

    encoding (str): Of a CSV, TSV or JSONL file, as Python names it.
    separator (str | None): Of the fields of a CSV or TSV file, one character or "tab"; None to
        detect it.
    quoting (str): Whether fields of a CSV or TSV file may stand in quotation marks ("quoted"), or
        these are ordinary characters ("none"); "auto" to detect it.
    decimal (str | None): Decimal sign of numbers that are written as text, "." or ","; the other
        one may then group thousands. None to detect it.
    sheet (str | None): Of an Excel file; None for the first.
    """

    encoding: str = "utf-8"
    separator: str | None = None
    quoting: str = "auto"
    decimal: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        resolve_encoding(self.encoding)
        if self.quoting not in QUOTING:
            raise ValueError(f"--quoting is {self.quoting!r}. Expected auto, quoted or none.")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"--decimal is {self.decimal!r}. Expected . or ,")
        if self.separator is not None:
            found = SEPARATORS.get(self.separator, self.separator)
            if len(found) != 1 or found in '"\r\n':
                raise ValueError(
                    f"--separator is {self.separator!r}. Expected one character, such as ; or tab."
                )
            object.__setattr__(self, "separator", found)


def resolve_encoding(encoding: str) -> str:
    """Check the name of an encoding; for UTF-8, return the codec that drops a byte order mark."""
    try:
        return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError as error:
        raise ValueError(f"The encoding is {encoding!r}. Expected one such as utf-8.") from error


def table_kind(path: Path) -> str:
    """Tell a table's kind, one of `KINDS`, by its file's name.

    RAISES (ValueError): The name has another ending.
    """
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending[1:] in TEXT_KINDS:
        return ending[1:]
    if path.suffix.lower()[1:] in KINDS:
        return path.suffix.lower()[1:]
    raise ValueError(
        f"Can't tell the kind of {path}: its name ends in {path.suffix!r}; expected .csv, .tsv, "
        ".jsonl (also with .gz), .parquet, .xlsx, .dta or .sav."
    )


def check_output_kind(path: Path) -> str:
    """Tell the kind of a table to write by its file's name.

    RAISES (ValueError): The kind is none of `KINDS`, or one that is only read.
    """
    kind = table_kind(path)
    if kind in WHOLE_KINDS:
        raise ValueError(
            f"Can't write {path}: tables that end in .{kind} are only read. Expected .csv, .tsv, "
            ".jsonl (also with .gz) or .parquet."
        )
    return kind
