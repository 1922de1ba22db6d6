"""Term lists that are tables: a line for each term."""

import io
import re
from collections.abc import Iterator

from ...data.tables.records import csv_records, parse_object
from ..globs import escape
from ..lexicon import normalize
from .rows import Row, Source, is_number

Lines = list[tuple[int, list[str]]]

# In characters: a longer one is no term.
LONGEST_FIELD = 131_072

# A word and its part of speech, as in SentiWS.
WORD_AND_TAG = re.compile(r"[^|]+\|[A-Z]+")


def read_csv(text: str, source: Source) -> Iterator[Row]:
    """Read the rows of a comma-separated table."""
    yield from _read_table(read_lines(text, ",", source), source)


def read_tsv(text: str, source: Source) -> Iterator[Row]:
    """Read the rows of a tab-separated table."""
    # Tab-separated lists hold quotes as terms, and parts of terms such as :'(
    yield from _read_table(read_lines(text, "\t", source, quoted=False), source)


def read_lines(text: str, delimiter: str, source: Source, *, quoted: bool = True) -> Lines:
    """Split a table into fields, as the package's other tables.

    text (str): The file's text.
    delimiter (str): Character between fields.
    source (Source): The file.
    quoted (bool): Whether fields may be in quotation marks.
    RETURNS (Lines): The rows that are not empty, with the lines on which they begin.
    RAISES (ValueError): A row can't be read.
    """
    table: Lines = []
    for record in csv_records(io.StringIO(text, newline=""), delimiter, quoted=quoted):
        line = record.line or 1
        if record.values is None:
            raise source.error(line, f"{record.reason}.")
        if any(len(field) > LONGEST_FIELD for field in record.values):
            raise source.error(
                line,
                f"field larger than {LONGEST_FIELD:,} characters. Expected a term and its weight; "
                "perhaps a quotation mark is not closed.",
            )
        if any(field.strip() for field in record.values):
            table.append((line, record.values))
    return table


def _read_table(table: Lines, source: Source) -> Iterator[Row]:
    if not table:
        return
    first = [field.strip() for field in table[0][1]]
    header = [field.lower() for field in first]
    if "term" in header:
        yield from _with_header(table, header, source)
    elif len(first) == 4 and all(map(is_number, first[1:3])) and first[3].startswith("["):
        yield from _vader_rows(table, source)
    elif len(first) == 3 and not is_number(first[1]) and is_number(first[2]):
        yield from _nrc_rows(table, source)
    elif len(first) in (2, 3) and WORD_AND_TAG.fullmatch(first[0]) and is_number(first[1]):
        yield from _sentiws_rows(table, source)
    else:
        _check_no_header(table, header, source)
        extra = sum(any(field.strip() for field in row[2:]) for _, row in table)
        source.add_note(extra, "line", " with columns after term and weight, which are not read")
        yield from _rows(table, {"term": 0, "weight": 1}, source)


def _with_header(table: Lines, header: list[str], source: Source) -> Iterator[Row]:
    columns: dict[str, int] = {
        c: header.index(c) for c in ("term", "weight", "category") if c in header
    }
    if len(columns) == 1:
        raise source.error(
            table[0][0],
            f"expected a column weight or category, too, found the columns {_names(header)}.",
        )
    yield from _rows(table[1:], columns, source)


def _check_no_header(table: Lines, header: list[str], source: Source) -> None:
    """Raise a ValueError if the first line names columns, and none of them term."""
    numbers = [any(is_number(field) for field in row) for _, row in table[:2]]
    if {"weight", "category"} & set(header) or numbers == [False, True]:
        raise source.error(
            table[0][0],
            f"there is no column 'term'. Expected the columns term, and weight or category, found "
            f"{_names(header)}.",
        )


def _names(header: list[str]) -> str:
    return ", ".join(map(repr, header))


def _rows(table: Lines, columns: dict[str, int], source: Source) -> Iterator[Row]:
    for line, row in table:
        if len(row) <= max(columns.values()):
            raise source.error(
                line,
                f"expected {' and '.join(columns)}, found {row!r}. Files that end in .csv are read "
                "as comma-separated, others as tab-separated.",
            )
        yield source.row(line, {column: row[index] for column, index in columns.items()})


def _vader_rows(table: Lines, source: Source) -> Iterator[Row]:
    # As in VADER's reader: the last of repeated terms counts, and asterisks are eyes and kisses.
    rows = {}
    for row in _rows(table, {"term": 0, "weight": 1}, source):
        key = normalize(row.term, case_sensitive=False)
        rows[key] = row._replace(term=escape(row.term))
    yield from rows.values()


def _nrc_rows(table: Lines, source: Source) -> Iterator[Row]:
    n_zero = 0
    for row in _rows(table, {"term": 0, "category": 1, "weight": 2}, source):
        # 0 says that the term is not of the category.
        n_zero += row.weight == 0
        if row.weight:
            yield row
    source.add_note(n_zero, "line", " with a weight of 0, for a term that is not of the category")


def _sentiws_rows(table: Lines, source: Source) -> Iterator[Row]:
    for line, row in table:
        word, *rest = row
        if not WORD_AND_TAG.fullmatch(word.strip()) or len(rest) not in (1, 2):
            raise source.error(
                line,
                f"expected word|TAG, weight and inflections, separated by tabs, found {row!r}.",
            )
        inflections = rest[1].split(",") if len(rest) == 2 else []
        words = [word.partition("|")[0], *(form for form in inflections if form.strip())]
        # A form that is twice in a line, or is the word itself, is no repeated line.
        for form in dict.fromkeys(form.strip() for form in words):
            yield source.row(line, {"term": form, "weight": rest[0]})


def read_jsonl(text: str, source: Source) -> Iterator[Row]:
    """Read the objects, one in each line."""
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        values, reason = parse_object(content)
        if values is None:
            raise ValueError(f"{source.name}, line {line} {reason}.")
        if "term" not in values or not values.keys() & {"weight", "category"}:
            raise source.error(
                line,
                f"expected an object with term, and weight or category, found {content!r}.",
            )
        yield source.row(line, values)
