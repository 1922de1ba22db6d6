"""What the columns of a table hold."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .decimals import AMBIGUOUS, detect_decimal, parse_number

# The form of a date; pandas checks that there is such a day.
ISO_DATE = r"\d{4}-\d{2}(-\d{2}([T ].+)?)?"
YEAR = r"\d{4}(\.0)?"
A_DATE = "a date such as 2016-01-31, 2016-01-31 12:00 or 2016-01, or a year in all rows"
# What Windows' quotation marks and dashes become when they are read as latin-1.
CONTROL = re.compile("[\x80-\x9f]")


def check_columns(table: pd.DataFrame, columns: Iterable[str | None], path: Path) -> None:
    """Check that a table has columns; None is skipped."""
    for column in columns:
        if column is not None and column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}. It has: {', '.join(map(str, table.columns))}."
            )


def check_cells(column: pd.Series, wrong: ArrayLike, path: Path, expected: str) -> None:
    """Check that no cell of a column is wrong.

    column (Series): The column.
    wrong (ArrayLike): For each cell, whether it is wrong.
    path (Path): The table's file, for the error.
    expected (str): What a cell should be, for the error.
    RAISES (ValueError): A cell is wrong; the error names the row, counted from 1 below the header.
    """
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise ValueError(
            f"{path}, row {rows[0] + 1}, column {column.name!r}: found {column.iloc[rows[0]]!r}. "
            f"Expected {expected}."
        )


def check_unique(names: Sequence[str], column: pd.Series, path: Path) -> None:
    """Check that no name comes twice; the error gives both rows."""
    first: dict[str, int] = {}
    for row, name in enumerate(names, start=1):
        if first.setdefault(name, row) != row:
            raise ValueError(
                f"{path}, rows {first[name]} and {row}, column {column.name!r}: found {name!r} in "
                "both. Expected a different one in each row."
            )


def require_texts(column: pd.Series, path: Path) -> list[str]:
    """Get a column's texts.

    RAISES (ValueError): A cell is no text, is empty, or has half a character.
    """
    wrong = [not isinstance(value, str) or not value.strip() for value in column]
    check_cells(column, wrong, path, "a text")
    wrong = list(map(has_lone_surrogate, column))
    check_cells(column, wrong, path, "a text without half a character (a surrogate)")
    return column.tolist()


def has_lone_surrogate(text: str) -> bool:
    """Tell whether a text has half a character: a surrogate, valid only in pairs in UTF-16."""
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return True
    return False


def control_warning(n_texts: int) -> str:
    """Warn that this many texts have characters of `CONTROL`."""
    return (
        f"{n_texts:,} texts have control characters (U+0080 to U+009F). Windows' quotation marks "
        "become such characters when they are read as latin-1. Is the encoding cp1252?"
    )


def require_names(column: pd.Series, path: Path, expected: str) -> list[str]:
    """Get a column's values as text.

    RAISES (ValueError): A cell is empty; the error says what was expected.
    """
    names = column.astype(str)
    check_cells(column, column.isna() | (names.str.strip() == ""), path, expected)
    return names.tolist()


def require_dates(column: pd.Series, path: Path) -> pd.Series:
    """Get a column's dates, in UTC. A month counts as its first day.

    RAISES (ValueError): A cell is no ISO date.
    """
    dates = parse_dates(column)
    check_cells(column, dates.isna(), path, A_DATE)
    return dates


def parse_dates(column: pd.Series) -> pd.Series:
    """Parse dates; NaT for what is no ISO date. If all are years, each is its 1 January."""
    written = column.astype(str).str.strip()
    if len(written) and written.str.fullmatch(YEAR).all():
        written = written.str[:4] + "-01-01"
    dates = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    return dates.where(written.str.fullmatch(ISO_DATE))


def parse_numbers(column: pd.Series, path: Path, decimal: str | None = None) -> list[float]:
    """Parse a column's numbers.

    column (Series): The column.
    path (Path): The table's file, for the errors.
    decimal (str | None): Decimal sign, see `TableOptions`.
    RETURNS (list[float]): The numbers; NaN where nothing, or UNKNOWN, is written.
    RAISES (ValueError): A cell is no finite number, or its comma is ambiguous.
    """
    if decimal is None:
        decimal, doubtful = detect_decimal(column)
        check_cells(column, [row == doubtful for row in range(len(column))], path, AMBIGUOUS)
    numbers = [parse_number(value, decimal) for value in column]
    wrong = np.isinf(numbers)
    check_cells(column, wrong, path, "a finite number, or nothing where it is unknown")
    return numbers


def parse_weights(column: pd.Series, path: Path, decimal: str | None = None) -> list[float]:
    """Parse a column's numbers of 0 or more, as `parse_numbers` does; none may be unknown."""
    weights = parse_numbers(column, path, decimal)
    check_cells(column, ~(np.array(weights) >= 0), path, "a number of 0 or more")
    return weights
