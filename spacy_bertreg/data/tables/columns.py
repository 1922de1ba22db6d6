"""What the columns of a table hold."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .decimals import AMBIGUOUS, detect_decimal, parse_number

# What is a date; whether there is such a day is for pandas to say.
ISO_DATE = r"\d{4}-\d{2}(-\d{2}([T ].+)?)?"
YEAR = r"\d{4}(\.0)?"
A_DATE = "a date as 2016-01-31, 2016-01-31 12:00 or 2016-01, or a year in all rows"
# What Windows' quotation marks and dashes become when they are read as latin-1.
CONTROL = re.compile("[\x80-\x9f]")


def check_columns(table: pd.DataFrame, columns: Iterable[str | None], path: Path) -> None:
    """RAISES (ValueError): The table lacks a column; None stands for a column not asked for."""
    for column in columns:
        if column is not None and column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}. It has: {', '.join(map(str, table.columns))}."
            )


def require_texts(column: pd.Series, path: Path) -> list[str]:
    """RETURNS (list[str]): The column's texts.
    RAISES (ValueError): A cell is no text, or empty, or has half a character."""
    for row, value in enumerate(column, start=1):
        if not isinstance(value, str) or not value.strip():
            raise cell_error(path, row, column, "a text")
        if has_half_character(value):
            raise cell_error(path, row, column, "a text without half a character (a surrogate)")
    return column.tolist()


def has_half_character(text: str) -> bool:
    """RETURNS (bool): Whether a surrogate is in the text, which only pairs of UTF-16 may be."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def control_warning(n_texts: int) -> str:
    """n_texts (int): How many texts `CONTROL` is in. RETURNS (str): What to say about it."""
    return (
        f"{n_texts:,} texts have control characters (U+0080 to U+009F), as quotation marks of "
        "Windows become that are read as latin-1. Is the encoding cp1252?"
    )


def require_names(column: pd.Series, path: Path, expected: str) -> list[str]:
    """RETURNS (list[str]): The column's values as text. RAISES (ValueError): A cell is empty."""
    empty = column.isna() | (column.astype(str).str.strip() == "")
    if empty.any():
        raise cell_error(path, int(empty.to_numpy().argmax()) + 1, column, expected)
    return column.astype(str).tolist()


def check_unique(names: list[str], column: pd.Series, path: Path) -> None:
    """RAISES (ValueError): A name comes twice; the message gives both rows."""
    first: dict[str, int] = {}
    for row, name in enumerate(names, start=1):
        if first.setdefault(name, row) != row:
            raise ValueError(
                f"{path}, rows {first[name]} and {row}, column {column.name!r}: found {name!r} in "
                "both. Expected a different one in each row."
            )


def require_dates(column: pd.Series, path: Path) -> pd.Series:
    """RETURNS (Series): The column's dates; a month counts as its first day, and a time of day
    without a time zone as UTC. RAISES (ValueError): A cell is no ISO date.
    """
    dates = parse_dates(column)
    if dates.isna().any():
        raise cell_error(path, int(dates.isna().to_numpy().argmax()) + 1, column, A_DATE)
    return dates


def parse_dates(column: pd.Series) -> pd.Series:
    """RETURNS (Series): The dates; NaT for what is no ISO date. Where all are years, 1 January."""
    written = column.astype(str).str.strip()
    if len(written) and written.str.fullmatch(YEAR).all():
        written = written.str[:4] + "-01-01"
    dates = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    return dates.where(written.str.fullmatch(ISO_DATE))


def parse_numbers(column: pd.Series, path: Path, decimal: str | None = None) -> list[float]:
    """decimal (str | None): Decimal sign, see `TableOptions`.
    RETURNS (list[float]): The column's numbers; NaN where nothing, or UNKNOWN, is written.
    RAISES (ValueError): A cell is no finite number, or may be one of two.
    """
    if decimal is None:
        decimal, doubtful = detect_decimal(column)
        if doubtful is not None:
            raise cell_error(path, doubtful + 1, column, AMBIGUOUS)
    numbers = []
    for row, value in enumerate(column, start=1):
        number = parse_number(value, decimal)
        if math.isinf(number):
            raise cell_error(path, row, column, "a finite number, or nothing where it is unknown")
        numbers.append(number)
    return numbers


def parse_weights(column: pd.Series, path: Path, decimal: str | None = None) -> list[float]:
    """decimal (str | None): Decimal sign, see `TableOptions`.
    RETURNS (list[float]): The column's numbers.
    RAISES (ValueError): A cell is no finite number of 0 or more, or is empty."""
    weights = parse_numbers(column, path, decimal)
    for row, weight in enumerate(weights, start=1):
        if not weight >= 0:
            raise cell_error(path, row, column, "a number of 0 or more")
    return weights


def cell_error(path: Path, row: int, column: pd.Series, expected: str) -> ValueError:
    """RETURNS (ValueError): Names the row, counted from 1 below the header, and what it holds."""
    found = column.iloc[row - 1]
    return ValueError(
        f"{path}, row {row}, column {column.name!r}: found {found!r}. Expected {expected}."
    )
