"""Tables that are read whole: Excel, Stata, SPSS and Parquet."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .kinds import TableOptions

# Integers up to here are exact in files that keep all numbers as floats.
LARGEST_EXACT = 2**53


def read_whole(path: Path, kind: str, options: TableOptions) -> pd.DataFrame:
    """Read a table that can't be read in parts.

    path (Path): An .xlsx, .dta, .sav or .parquet file.
    kind (str): Which.
    options (TableOptions): How it is written.
    RETURNS (DataFrame): Its rows. `attrs["labels"]` has the labels of values of .dta and .sav, by
        column, and `attrs["notes"]` what was chosen.
    RAISES (ValueError, ImportError): It can't be read, or takes another package.
    """
    read: Callable[[Path, TableOptions], pd.DataFrame]
    read, package, extra = {
        "parquet": (_read_parquet, "pyarrow", "parquet"),
        "xlsx": (_read_excel, "openpyxl", "tables"),
        "dta": (_read_labelled, "pyreadstat", "tables"),
        "sav": (_read_labelled, "pyreadstat", "tables"),
    }[kind]
    try:
        return read(path, options)
    except ImportError as error:
        raise ImportError(
            f"Reading {path} takes {package}: pip install 'spacy-bertreg[{extra}]'"
        ) from error
    except (ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"Can't read {path}: {error}.") from error


def with_labels(table: pd.DataFrame, name: str) -> pd.Series:
    """Get a column of a table from `read_table`, with labels of values in place of their codes."""
    column = table[name]
    labels: Mapping[Any, str] = table.attrs.get("labels", {}).get(name, {})
    return column.map(lambda code: labels.get(code, code)) if labels else column


def _read_parquet(path: Path, options: TableOptions) -> pd.DataFrame:
    table = pd.read_parquet(path)
    # pandas takes columns that it wrote as an index for no columns.
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
    """Read .dta or .sav: missing where a code says so, whole numbers as such, labels beside."""
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
