"""Reading a table of any kind into memory."""

from pathlib import Path

import pandas as pd

from .kinds import TEXT_KINDS, TableOptions, table_kind
from .layout import find_layout
from .records import Record, TextFile, json_records, suggest_encoding
from .whole import read_whole

UNQUOTED = " Quotation marks are read as ordinary characters; else: --quoting quoted."


def read_table(path: Path, options: TableOptions | None = None) -> pd.DataFrame:
    """Read a table.

    path (Path): A .csv, .tsv or .jsonl file, also with .gz, or a .parquet, .xlsx, .dta or .sav
        file.
    options (TableOptions | None): How it is written; None for UTF-8, and to detect the rest.
    RETURNS (DataFrame): Its rows; those of a CSV or TSV file as text, those of a JSONL file as
        Python's numbers and texts. `attrs["notes"]` says what was detected.
    RAISES (ValueError, FileNotFoundError, ImportError): It can't be read as what its name says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of texts and numbers.")
    options = options or TableOptions()
    kind = table_kind(path)
    if kind == "jsonl":
        table = _read_objects(path, options)
    elif kind in TEXT_KINDS:
        table = _read_fields(path, kind, options)
    else:
        table = read_whole(path, kind, options)
    if table.empty:
        raise ValueError(f"{path} has no rows below its header.")
    return table


def lines_note(n_lines: int, n_rows: int) -> str:
    """Say why there are more or fewer lines below the header than rows; empty if not."""
    if n_lines == n_rows:
        return ""
    return (
        f"{n_lines:,} lines below the header are {n_rows:,} rows: fields in quotation marks have "
        "line breaks, or lines are blank (else: --quoting none)"
    )


def _read_objects(path: Path, options: TableOptions) -> pd.DataFrame:
    rows = []
    with TextFile(path, options.encoding) as file_:
        for record in json_records(file_):
            if record.values is None:
                raise _record_error(path, options, record, f"line {record.line} {record.reason}.")
            rows.append(record.values)
    # As objects: pandas would round numbers, and fail at the largest.
    return pd.DataFrame(rows, dtype=object)


def _read_fields(path: Path, kind: str, options: TableOptions) -> pd.DataFrame:
    layout = find_layout(path, kind, options)
    rows, n_lines = [], 0
    with TextFile(path, options.encoding) as file_:
        for number, record in enumerate(layout.records(file_), start=1):
            if record.values is None:
                message = (
                    f"line {record.line}: {record.reason} (--quoting none reads quotation marks "
                    "as ordinary characters)."
                )
                raise _record_error(path, options, record, message)
            if record.reason:
                message = (
                    f"row {number} has {len(record.values)} fields. Expected "
                    f"{len(layout.columns)}, as in the header. The row is on line {record.line}."
                )
                message += "" if layout.quoted else UNQUOTED
                raise _record_error(path, options, record, message)
            rows.append(record.values)
            n_lines += record.n_lines
    # As text: what is a number, and what is missing, is for the columns to say.
    table = pd.DataFrame(rows, columns=layout.columns, dtype=str)
    table.attrs["notes"] = list(filter(None, [*layout.notes, lines_note(n_lines, len(rows))]))
    return table


def _record_error(path: Path, options: TableOptions, record: Record, message: str) -> ValueError:
    if record.undecodable:
        message = f"{record.undecodable}. {suggest_encoding(path, options.encoding)}"
    return ValueError(f"Can't read {path}: {message}")
