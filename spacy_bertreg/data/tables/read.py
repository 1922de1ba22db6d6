"""Reading a table of any kind into memory."""

from pathlib import Path

import pandas as pd

from .kinds import TEXT_KINDS, TableOptions, table_kind
from .layout import find_layout
from .records import Record, TextFile, json_records, suggest_encoding
from .whole import read_whole

UNQUOTED = " Quotation marks are read as ordinary characters; else: --quoting quoted."


def read_table(
    path: Path, encoding: str = "utf-8", options: TableOptions | None = None
) -> pd.DataFrame:
    """path (Path): A .csv, .tsv or .jsonl file, also with .gz, or a .parquet, .xlsx, .dta or .sav
        file.
    encoding (str): The file's encoding, as Python names it. A byte order mark is left out.
    options (TableOptions | None): How it is written, the encoding too; None to detect it.
    RETURNS (DataFrame): Its rows; those of a CSV or TSV file as text, those of a JSONL file as
        Python's numbers and texts. `attrs["notes"]` says what was detected.
    RAISES (ValueError, FileNotFoundError, ImportError): It can't be read as what its name says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of texts and numbers.")
    options = TableOptions(encoding) if options is None else options
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
    """n_lines (int): Below the header. n_rows (int): Made of them. RETURNS (str): Why they differ;
    empty if they don't."""
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
                raise _record_error(path, options, record, f"line {record.line} {record.reason}")
            rows.append(record.values)
    # As objects: pandas would round numbers, and fail at the largest.
    return pd.DataFrame(rows, dtype=object)


def _read_fields(path: Path, kind: str, options: TableOptions) -> pd.DataFrame:
    layout = find_layout(path, kind, options)
    rows, n_lines = [], 0
    with TextFile(path, options.encoding) as file_:
        for number, record in enumerate(layout.records(file_), start=1):
            values = record.values
            if values is None:
                raise _record_error(
                    path,
                    options,
                    record,
                    f"line {record.line}: {record.reason} (--quoting none reads quotation marks "
                    "as ordinary characters)",
                )
            if isinstance(values, list):
                raise ValueError(
                    f"Can't read {path}: row {number} has {len(values)} fields. Expected "
                    f"{len(layout.columns)}, as in the header. The row is on line {record.line}."
                    + ("" if layout.quoted else UNQUOTED)
                )
            rows.append(values)
            n_lines += record.n_lines
    # As text: what is a number, and what is missing, is for the columns to say.
    table = pd.DataFrame(rows, columns=layout.columns, dtype=str)
    differing = lines_note(n_lines, len(rows))
    table.attrs["notes"] = [*layout.notes, *([differing] if differing else [])]
    return table


def _record_error(path: Path, options: TableOptions, record: Record, message: str) -> ValueError:
    if record.undecodable:
        hint = suggest_encoding(path, options.encoding)
        return ValueError(f"Can't read {path}: {record.undecodable}. {hint}")
    return ValueError(f"Can't read {path}: {message}.")
