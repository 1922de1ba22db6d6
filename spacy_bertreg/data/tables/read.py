"""Reading a table of any kind into memory."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .kinds import TableOptions, table_kind
from .layout import find_layout
from .records import Record, TextFile, json_records, suggest_encoding

# Package that reads a kind of table, and our extra that installs it.
PACKAGES = {
    "parquet": ("pyarrow", "parquet"),
    "xlsx": ("openpyxl", "tables"),
    "dta": ("pyreadstat", "tables"),
    "sav": ("pyreadstat", "tables"),
}
# Integers up to here are exact in files that keep all numbers as floats.
LARGEST_EXACT = 2**53
UNQUOTED = " Quotation marks are read as ordinary characters; to change this: --quoting quoted."


def read_table(path: Path, options: TableOptions | None = None) -> pd.DataFrame:
    """Read a table.

    path (Path): A .csv, .tsv or .jsonl file, also with .gz, or a .parquet, .xlsx, .dta or .sav
        file.
    options (TableOptions | None): How it is written; None for UTF-8, and to detect the rest.
    RETURNS (DataFrame): Its rows; those of a CSV or TSV file as text, those of a JSONL file as
        Python's numbers and texts. `attrs["notes"]` says what was detected, and `attrs["labels"]`
        has the labels of values of .dta and .sav, by column.
    RAISES (ValueError, FileNotFoundError, ImportError): The file is missing, is not of the kind
        that its name says, or needs another package.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of texts and numbers.")
    options = options or TableOptions()
    kind = table_kind(path)
    if kind == "jsonl":
        table = _read_objects(path, options)
    elif kind in PACKAGES:
        table = _read_binary(path, kind, options)
    else:
        table = _read_fields(path, kind, options)
    if table.empty:
        raise ValueError(f"{path} has no rows below its header.")
    return table


def with_labels(table: pd.DataFrame, name: str) -> pd.Series:
    """Get a column of a table from `read_table`, with labels of values in place of their codes."""
    column = table[name]
    labels: Mapping[Any, str] = table.attrs.get("labels", {}).get(name, {})
    return column.map(lambda code: labels.get(code, code)) if labels else column


def lines_note(n_lines: int, n_rows: int) -> str:
    """Say why there are more or fewer lines below the header than rows; empty if not."""
    if n_lines == n_rows:
        return ""
    return (
        f"{n_lines:,} lines below the header are {n_rows:,} rows: fields in quotation marks have "
        "line breaks, or lines are blank (if not: --quoting none)"
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
    # As text: `columns` decides what is a number, and what is missing.
    table = pd.DataFrame(rows, columns=layout.columns, dtype=str)
    table.attrs["notes"] = list(filter(None, [*layout.notes, lines_note(n_lines, len(rows))]))
    return table


def _record_error(path: Path, options: TableOptions, record: Record, message: str) -> ValueError:
    if record.undecodable:
        message = f"{record.undecodable}. {suggest_encoding(path, options.encoding)}"
    return ValueError(f"Can't read {path}: {message}")


def _read_binary(path: Path, kind: str, options: TableOptions) -> pd.DataFrame:
    readers = {"parquet": _read_parquet, "xlsx": _read_excel}
    try:
        return readers.get(kind, _read_labelled)(path, options)
    except ImportError as error:
        package, extra = PACKAGES[kind]
        raise ImportError(
            f"Reading {path} needs {package}: pip install 'spacy-bertreg[{extra}]'"
        ) from error
    except (ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"Can't read {path}: {error}.") from error


def _read_parquet(path: Path, options: TableOptions) -> pd.DataFrame:
    table = pd.read_parquet(path)
    # pandas does not count columns that it wrote as an index.
    named = [name for name in table.index.names if name is not None and name not in table]
    return table.reset_index(named) if named else table


def _read_excel(path: Path, options: TableOptions) -> pd.DataFrame:
    notes = []
    with pd.ExcelFile(path, engine="openpyxl") as book:
        names = list(map(str, book.sheet_names))
        sheet = names[0] if options.sheet is None else options.sheet
        if sheet not in names:
            raise ValueError(f"it has no sheet {sheet!r}. It has: {', '.join(names)}")
        if options.sheet is None and len(names) > 1:
            notes.append(f"Of the sheets {', '.join(names)}, the first is read (--sheet)")
        cells = book.parse(sheet, header=None, dtype=object, keep_default_na=False, na_values=[])
    if cells.empty:
        raise ValueError(f"the sheet {sheet!r} is empty. Expected a header and rows")
    header = [str(cell) for cell in cells.iloc[0]]
    rows = cells.iloc[1:]
    while header and not header[-1].strip() and (rows[len(header) - 1] == "").all():
        header.pop()
    if len(set(header)) < len(header):
        raise ValueError(f"its header names a column twice: {', '.join(header)}")
    table = rows.iloc[:, : len(header)].set_axis(header, axis=1).reset_index(drop=True)
    table = table.where(table != "", None)
    table.attrs["notes"] = notes
    return table


def _read_labelled(path: Path, options: TableOptions) -> pd.DataFrame:
    """Read .dta or .sav: codes for missing as missing, whole numbers as such, labels in `attrs`."""
    import pyreadstat

    read = pyreadstat.read_dta if path.suffix.lower() == ".dta" else pyreadstat.read_sav
    # Files of newer versions say their encoding.
    encoding = None if options.encoding == "utf-8" else options.encoding
    try:
        table, meta = read(path, encoding=encoding, user_missing=False)
    except pyreadstat.ReadstatError as error:
        raise ValueError(str(error)) from error
    for name in table.columns:
        if pd.api.types.is_float_dtype(table[name]):
            known = table[name].dropna()
            if (known.abs() < LARGEST_EXACT).all() and (known % 1 == 0).all():
                table[name] = table[name].map(int, na_action="ignore").astype(object)
    table.attrs["labels"] = dict(meta.variable_value_labels)
    return table
