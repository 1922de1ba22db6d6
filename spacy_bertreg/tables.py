"""Reading tables, and checking what their columns hold."""

import codecs
import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

UNKNOWN = {"", "na", "nan", "n/a", "null", "none"}
# What is a date; whether there is such a day is for pandas to say.
ISO_DATE = r"\d{4}-\d{2}(-\d{2}([T ].+)?)?"
A_DATE = "a date as 2016-01-31, 2016-01-31 12:00 or 2016-01"
# The csv module's own limit, 131,072 characters, is less than a book or a long report has.
LONGEST_FIELD = 2**31 - 1


def read_table(path: Path, encoding: str = "utf-8") -> pd.DataFrame:
    """path (Path): A .csv, .tsv, .jsonl or .parquet file; all but the last may end in .gz too.
    encoding (str): The file's encoding, as Python names it. A byte order mark is left out.
    RETURNS (DataFrame): Its rows; those of a CSV or TSV file as text, those of a JSONL file as
        Python's numbers and texts.
    RAISES (ValueError, FileNotFoundError, ImportError): It can't be read as what its name says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of texts and numbers.")
    encoding = check_encoding(encoding)
    kind = table_kind(path)
    try:
        if kind == "jsonl":
            table = _read_objects(path, encoding)
        elif kind == "parquet":
            table = pd.read_parquet(path)
        else:
            table = _read_fields(path, "," if kind == "csv" else "\t", encoding)
    except ImportError as error:
        raise ImportError(
            f"Reading {path} takes pyarrow: pip install 'spacy-bertreg[parquet]'"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Can't read {path}: {_undecodable(path, encoding)}. Where it is in another encoding, "
            "name it, as --encoding latin-1."
        ) from error
    except (ValueError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"Can't read {path}: {error}.") from error
    if table.empty:
        raise ValueError(f"{path} has no rows below its header.")
    return table


def check_encoding(encoding: str) -> str:
    """encoding (str): A name. RETURNS (str): For Python; of UTF-8, that leaves out a byte order
    mark. RAISES (ValueError): There is no such encoding."""
    try:
        return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError as error:
        raise ValueError(f"The encoding is {encoding!r}. Expected one as utf-8.") from error


def table_kind(path: Path) -> str:
    """path (Path): A table's file. RETURNS (str): "csv", "tsv", "jsonl" or "parquet", by its name.
    RAISES (ValueError): It is none of these."""
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending in (".csv", ".tsv", ".jsonl"):
        return ending[1:]
    if path.suffix.lower() == ".parquet":
        return "parquet"
    raise ValueError(
        f"Can't tell the kind of {path}: its name ends in {path.suffix!r}; expected .csv, .tsv, "
        ".jsonl (also with .gz) or .parquet."
    )


def check_columns(table: pd.DataFrame, columns: Iterable[str | None], path: Path) -> None:
    """RAISES (ValueError): The table lacks a column; None stands for a column not asked for."""
    for column in columns:
        if column is not None and column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}. It has: {', '.join(map(str, table.columns))}."
            )


def texts_of(column: pd.Series, path: Path) -> list[str]:
    """RETURNS (list[str]): The column's texts. RAISES (ValueError): A cell is no text, or empty."""
    for row, value in enumerate(column, start=1):
        if not isinstance(value, str) or not value.strip():
            raise cell_error(path, row, column, "a text")
    return column.tolist()


def names_of(column: pd.Series, path: Path, expected: str) -> list[str]:
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


def dates_of(column: pd.Series, path: Path) -> pd.Series:
    """RETURNS (Series): The column's dates; a month counts as its first day, and a time of day
    without a time zone as UTC. RAISES (ValueError): A cell is no ISO date.
    """
    dates = parse_dates(column)
    if dates.isna().any():
        raise cell_error(path, int(dates.isna().to_numpy().argmax()) + 1, column, A_DATE)
    return dates


def parse_dates(column: pd.Series) -> pd.Series:
    """RETURNS (Series): The dates; NaT for what is no ISO date."""
    written = column.astype(str).str.strip()
    dates = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    return dates.where(written.str.fullmatch(ISO_DATE))


def numbers_of(column: pd.Series, path: Path) -> list[float]:
    """RETURNS (list[float]): The column's numbers; NaN where nothing, or UNKNOWN, is written.
    RAISES (ValueError): A cell is no finite number.
    """
    numbers = []
    for row, value in enumerate(column, start=1):
        number = parse_number(value)
        if math.isinf(number):
            raise cell_error(path, row, column, "a finite number, or nothing where it is unknown")
        numbers.append(number)
    return numbers


def parse_number(value: Any) -> float:
    """value (Any): What a cell holds. RETURNS (float): The number; NaN where nothing, or UNKNOWN,
    is written, or pandas' NA, and infinite where it is no number."""
    try:
        unknown = value is None or value is pd.NA or str(value).strip().lower() in UNKNOWN
        return math.nan if unknown else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.inf


def weights_of(column: pd.Series, path: Path) -> list[float]:
    """RETURNS (list[float]): The column's numbers.
    RAISES (ValueError): A cell is no finite number of 0 or more, or is empty."""
    weights = numbers_of(column, path)
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


def parse_object(line: str) -> tuple[dict[str, Any] | None, str]:
    """line (str): Of a JSONL file. RETURNS (tuple): Its fields, and what is wrong with it."""
    try:
        row = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, "is no JSON object")


def _read_objects(path: Path, encoding: str) -> pd.DataFrame:
    rows = []
    with _open(path) as file_, io.TextIOWrapper(file_, encoding, newline="") as decoded:
        for number, line in enumerate(decoded, start=1):
            if not line.strip():
                continue
            row, reason = parse_object(line)
            if row is None:
                raise ValueError(f"line {number} {reason}")
            rows.append(row)
    # As objects: pandas would round numbers, and fail at the largest.
    return pd.DataFrame(rows, dtype=object)


def _read_fields(path: Path, separator: str, encoding: str) -> pd.DataFrame:
    # pandas fills a row that is too short without a word; the csv module leaves it as it is.
    with _open(path) as file_, io.TextIOWrapper(file_, encoding, newline="") as decoded:
        reader = csv.reader(decoded, delimiter=separator, strict=True)
        usual = csv.field_size_limit(LONGEST_FIELD)
        try:
            rows = [row for row in reader if row]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
        finally:
            # The limit is the whole program's: others count on it.
            csv.field_size_limit(usual)
    if not rows:
        raise ValueError("it is empty. Expected a header and rows")
    header = rows.pop(0)
    if len(set(header)) < len(header):
        raise ValueError(f"its header names a column twice: {', '.join(header)}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(
                f"row {number} has {len(row)} fields. Expected {len(header)}, as in the header"
            )
    # As text: what is a number, and what is missing, is for the columns to say.
    return pd.DataFrame(rows, columns=header, dtype=str)


def _undecodable(path: Path, encoding: str) -> str:
    with _open(path) as file_:
        for line, content in enumerate(file_, start=1):
            try:
                content.decode(encoding)
            except UnicodeDecodeError as error:
                byte = content[error.start]
                return f"line {line} has the byte 0x{byte:02x}, which is not {error.encoding}"
    return f"it is not {encoding}"


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")
