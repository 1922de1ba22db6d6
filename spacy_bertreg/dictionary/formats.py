"""The files that term lists are read from."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .globs import escape, has_wildcard, unescape
from .lexicon import GIVEN, Lexicon, normalize


class Row(NamedTuple):
    """What a line of a file says of a term.

    line (int): Its number, from 1.
    """

    line: int
    term: str
    category: str
    weight: float


def read_lexicon(path: str | Path, *, case_sensitive: bool = False) -> Lexicon:
    """Read a term list. The file's ending tells its format:

    - .csv (comma-separated) and .tsv or .txt (tab-separated): columns term and weight, in this
      order, or in any with a header, and there optionally category.
    - .txt as the package vaderSentiment brings it, recognised by its four columns.
    - .jsonl: objects with term, and weight, category or both.
    - .dic: LIWC's categories, and the terms with the numbers of theirs.
    - .yml, .yaml: categories, possibly nested, of lists of terms, as quanteda writes them.

    A term of a category without a weight has the weight 1.

    path (str | Path): The file, in UTF-8.
    case_sensitive (bool): Whether terms that differ only in case are different.
    RETURNS (Lexicon): The terms, in the file's order.
    RAISES (FileNotFoundError): There is no such file.
    RAISES (ValueError): The file is not UTF-8, holds no term, or a line lacks a term or a finite
        weight, or repeats a term. The message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Lexicon {path} does not exist. Expected one of {ENDINGS}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"Lexicon {path} is not UTF-8: {error}.") from error
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"Lexicon {path} has an unknown format. Expected one of {ENDINGS}.")
    lexicon = _checked(read(text, str(path)), str(path), case_sensitive)
    if not lexicon:
        raise ValueError(
            f"Lexicon {path} holds no terms. Expected terms with weights, or {ENDINGS}."
        )
    return lexicon


def parse_saved(text: str, source: str, *, case_sensitive: bool = False) -> Lexicon:
    """text (str): What `Lexicon.to_csv` gave. source (str): What to call it in errors.
    RETURNS (Lexicon): The same list, with its frequencies and contributions.
    """
    lexicon = _checked(_read_csv(text, source), source, case_sensitive)
    header, *rows = csv.reader(io.StringIO(text))
    if "document_frequency" not in header:
        return lexicon
    first = header.index("document_frequency")
    numbers = [[math.nan if field == "" else float(field) for field in row[first:]] for row in rows]
    table = np.array(numbers).reshape(len(rows), len(header) - first)
    frequency = tuple(table[:, 0].astype(int).tolist())
    return Lexicon(
        lexicon.terms, lexicon.categories, lexicon.weights, frequency, table[:, 1:].copy()
    )


def _checked(rows: Iterator[Row], source: str, case_sensitive: bool) -> Lexicon:
    lines: dict[tuple[str, str], int] = {}
    kept: list[Row] = []
    for row in rows:
        term = " ".join(row.term.split())
        if not term:
            raise ValueError(f"{source}, line {row.line}: the term is empty.")
        if has_wildcard(term) and not term.strip("*? "):
            raise ValueError(
                f"{source}, line {row.line}: the term {term!r} matches any word. Expected letters "
                f"in it. {unescape('[*]')!r} itself is written as '[*]'."
            )
        key = normalize(term, case_sensitive=case_sensitive), row.category
        if key in lines:
            raise ValueError(
                f"{source}, line {row.line}: the term {term!r} is there already, in line "
                f"{lines[key]}."
            )
        lines[key] = row.line
        kept.append(row._replace(term=term))
    return Lexicon(
        tuple(row.term for row in kept),
        tuple(row.category for row in kept),
        tuple(row.weight for row in kept),
    )


def _read_csv(text: str, source: str) -> Iterator[Row]:
    return _read_table(csv.reader(io.StringIO(text)), source)


def _read_tsv(text: str, source: str) -> Iterator[Row]:
    # Tab-separated lists hold quotes as terms, and parts of terms such as :'(
    return _read_table(
        csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE), source
    )


def _read_table(reader: Any, source: str) -> Iterator[Row]:
    try:
        table = [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except csv.Error as error:
        raise ValueError(f"{source}, line {reader.line_num}: {error}.") from error
    if not table:
        return
    first = table[0][1]
    if len(first) == 4 and all(map(_is_number, first[1:3])) and first[3].startswith("["):
        yield from _vader_rows(table, source)
        return
    header = [field.strip().lower() for field in first]
    columns = {"term": 0, "weight": 1}
    if "term" in header:
        columns = {c: header.index(c) for c in ("term", "weight", "category") if c in header}
        table = table[1:]
        if len(columns) == 1:
            raise ValueError(f"{source}, line 1: expected a column weight or category, too.")
    for line, row in table:
        if len(row) <= max(columns.values()):
            raise ValueError(
                f"{source}, line {line}: expected {' and '.join(columns)}, found {row!r}. "
                "Files that end in .csv are read as comma-separated, others as tab-separated."
            )
        values = {column: row[index] for column, index in columns.items()}
        yield _row(values, source, line)


def _vader_rows(table: list[tuple[int, list[str]]], source: str) -> Iterator[Row]:
    # As VADER's own reader: the last of repeated terms counts, and asterisks are eyes and kisses.
    rows = {}
    for line, fields in table:
        row = _row({"term": fields[0], "weight": fields[1]}, source, line)
        rows[row.term.strip().lower()] = row._replace(term=escape(row.term))
    yield from rows.values()


def _read_jsonl(text: str, source: str) -> Iterator[Row]:
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except json.JSONDecodeError as error:
            raise ValueError(f"{source}, line {line} is not JSON: {error}.") from error
        if not isinstance(values, dict) or "term" not in values or len(values) < 2:
            raise ValueError(
                f"{source}, line {line}: expected an object with term, and weight or category, "
                f"found {content!r}."
            )
        yield _row(values, source, line)


def _row(values: dict[str, Any], source: str, line: int) -> Row:
    term, category = values["term"], values.get("category", GIVEN)
    weight = values.get("weight", 1.0)
    for name, value in (("term", term), ("category", category)):
        if not isinstance(value, str):
            raise ValueError(f"{source}, line {line}: the {name} is {value!r}. Expected a text.")
    # Sums of squares of greater weights would not be finite.
    if isinstance(weight, bool) or not _is_number(weight) or abs(float(weight)) > 1e100:
        raise ValueError(
            f"{source}, line {line}: the weight is {weight!r}. Expected a finite number, not above "
            "1e100."
        )
    if not category.strip():
        raise ValueError(f"{source}, line {line}: the category is empty.")
    return Row(line, term, category.strip(), float(weight))


def _read_liwc(text: str, source: str) -> Iterator[Row]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    marks = [index for index, (_, line) in enumerate(lines) if line.strip() == "%"]
    if len(marks) != 2 or marks[0] != 0:
        raise ValueError(
            f"{source}, line 1: expected a line %, then lines of number and category, then a line "
            "%, then lines of term and numbers."
        )
    categories: dict[str, str] = {}
    for number, line in lines[1 : marks[1]]:
        key, _, name = line.strip().partition("\t")
        if not name.strip() or key in categories:
            raise ValueError(
                f"{source}, line {number}: expected a new number and a category, between them a "
                f"tab, found {line!r}."
            )
        categories[key] = name.split("\t")[0].strip()
    for number, line in lines[marks[1] + 1 :]:
        term, *keys = (field.strip() for field in line.strip().split("\t"))
        keys = [key for key in keys if key]
        unknown = [key for key in keys if key not in categories]
        if unknown or not keys:
            raise ValueError(
                f"{source}, line {number}: expected a term and numbers of categories, between them "
                f"tabs, found {line!r}."
                + (f" There is no category {unknown[0]!r}." if unknown else "")
            )
        for key in dict.fromkeys(keys):
            yield Row(number, term, categories[key], 1.0)


def _read_yaml(text: str, source: str) -> Iterator[Row]:
    import yaml

    try:
        # Nodes and not values: they know their lines, and nothing is ever constructed.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{source} is not YAML: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{source} has too many levels of categories.") from error
    if root is None:
        return
    if root.id != "mapping":
        raise ValueError(f"{source}, line 1: expected categories, each with a list of terms.")
    yield from _yaml_rows(root, "", source, set())


def _yaml_rows(node: Any, category: str, source: str, seen: set[int]) -> Iterator[Row]:
    line = node.start_mark.line + 1
    if node.id == "scalar":
        yield Row(line, node.value, category, 1.0)
        return
    if id(node) in seen:
        raise ValueError(f"{source}, line {line}: references to other lines are not read.")
    seen.add(id(node))
    for item in node.value:
        if node.id == "mapping":
            # quanteda, too, puts dots between the levels.
            key, value = item
            yield from _yaml_rows(value, f"{category}.{key.value}".lstrip("."), source, seen)
        else:
            yield from _yaml_rows(item, category, source, seen)


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


READERS: dict[str, Callable[[str, str], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".txt": _read_tsv,
    ".jsonl": _read_jsonl,
    ".dic": _read_liwc,
    ".yml": _read_yaml,
    ".yaml": _read_yaml,
}
ENDINGS = ", ".join(READERS)
