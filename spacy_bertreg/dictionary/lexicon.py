"""Weighted term lists, and the files they are read from."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Row = tuple[int, str, str]  # line, term, weight


@dataclass(frozen=True)
class Lexicon:
    """Terms and their weights.

    terms (tuple[str, ...]): Words or phrases, each once.
    weights (tuple[float, ...]): The weight of each term, finite.
    """

    terms: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.terms)

    def to_csv(self) -> str:
        """RETURNS (str): A CSV table with the columns term and weight; weights are exact."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["term", "weight"])
        writer.writerows(zip(self.terms, map(repr, self.weights), strict=True))
        return text.getvalue()


def read_lexicon(path: str | Path, *, case_sensitive: bool = False) -> Lexicon:
    """Read a term list: a table with the columns term and weight, in this order or named in a
    first line. Files that end in .csv are comma-separated, all others tab-separated, UTF-8. The
    word list of the package vaderSentiment is recognised by its four columns.

    path (str | Path): The file.
    case_sensitive (bool): Whether terms that differ only in case are different.
    RETURNS (Lexicon): The terms, in the file's order.
    RAISES (FileNotFoundError): There is no such file.
    RAISES (ValueError): The file is not UTF-8, holds no term, or a line lacks a term or a finite
        weight, or repeats a term. The message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Lexicon {path} does not exist. Expected a CSV or TSV file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"Lexicon {path} is not UTF-8: {error}.") from error
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    lexicon = parse_lexicon(text, str(path), delimiter=delimiter, case_sensitive=case_sensitive)
    if not lexicon:
        raise ValueError(f"Lexicon {path} holds no terms. Expected lines of term and weight.")
    return lexicon


def parse_lexicon(
    text: str, source: str, *, delimiter: str = ",", case_sensitive: bool = False
) -> Lexicon:
    """text (str): The table. source (str): What to call it in errors. See `read_lexicon`."""
    # Tab-separated lists hold quotes as terms, and parts of terms such as :'(
    if delimiter == ",":
        reader = csv.reader(io.StringIO(text))
    else:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    table = [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    if not table:
        return Lexicon()
    is_vader = _is_vader(table[0][1])
    weights: dict[str, float] = {}
    lines: dict[str, int] = {}
    for line, raw_term, raw_weight in _rows(table, source):
        term = raw_term.strip()
        if not term:
            raise ValueError(f"{source}, line {line}: the term is empty.")
        if not case_sensitive:
            term = term.lower()
        # VADER's own reader keeps the last of repeated terms.
        if term in weights and not is_vader:
            raise ValueError(
                f"{source}, line {line}: the term {term!r} is there already, in line {lines[term]}."
            )
        lines[term] = line
        weights[term] = _weight(raw_weight, source, line)
    return Lexicon(tuple(weights), tuple(weights.values()))


def _is_vader(row: list[str]) -> bool:
    return len(row) == 4 and all(map(_is_number, row[1:3])) and row[3].startswith("[")


def _rows(table: list[tuple[int, list[str]]], source: str) -> Iterator[Row]:
    header = [field.strip().lower() for field in table[0][1]]
    term, weight = 0, 1
    if "term" in header and "weight" in header:
        term, weight = header.index("term"), header.index("weight")
        table = table[1:]
    for line, row in table:
        if len(row) <= max(term, weight):
            raise ValueError(
                f"{source}, line {line}: expected a term and a weight, found {row!r}. "
                "Files that end in .csv are read as comma-separated, others as tab-separated."
            )
        yield line, row[term], row[weight]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _weight(text: str, source: str, line: int) -> float:
    if not _is_number(text):
        raise ValueError(
            f"{source}, line {line}: the weight is {text!r}. Expected a finite number."
        )
    return float(text)
