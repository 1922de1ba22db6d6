"""What the lines of term lists say, and how they become a list."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, NamedTuple

from ..globs import has_wildcard, unescape
from ..lexicon import GIVEN, Lexicon, normalize

# What to do with a term that has several weights in a category.
Duplicates = Literal["error", "first", "last", "mean"]

# So many of the terms with several weights are named.
N_NAMED = 3


class Row(NamedTuple):
    """What a line of a file says of a term.

    line (int): Its number, from 1.
    """

    line: int
    term: str
    category: str
    weight: float


@dataclass
class Source:
    """A file that is being read.

    name (str): What to call it in errors.
    notes (list[str]): What of it was merged or left out, for the user to know.
    """

    name: str
    notes: list[str] = field(default_factory=list)

    def error(self, line: int, message: str) -> ValueError:
        """RETURNS (ValueError): Says what is wrong in a line."""
        return ValueError(f"{self.name}, line {line}: {message}")

    def row(self, line: int, values: dict[str, Any]) -> Row:
        """line (int): Its number. values (dict): Its term, and weight, category or both.
        RETURNS (Row): The same, checked.
        RAISES (ValueError): A text is none or empty, or the weight is not a finite number.
        """
        term, category = values["term"], values.get("category", GIVEN)
        weight = values.get("weight", 1.0)
        for name, value in (("term", term), ("category", category)):
            if not isinstance(value, str):
                raise self.error(line, f"the {name} is {value!r}. Expected a text.")
        # Sums of squares of greater weights would not be finite.
        if isinstance(weight, bool) or not is_number(weight) or abs(float(weight)) > 1e100:
            raise self.error(
                line, f"the weight is {weight!r}. Expected a finite number, not above 1e100."
            )
        if not category.strip():
            raise self.error(line, "the category is empty.")
        return Row(line, term, category.strip(), float(weight))

    def note(self, number: int, noun: str, text: str = "") -> None:
        """number (int): Of how many there is something to say. noun (str): Of what, one of them.
        text (str): What."""
        if number:
            self.notes.append(f"{number:,} {noun}{'s' * (number != 1)}{text}")


def is_number(value: Any) -> bool:
    """RETURNS (bool): Whether it is a finite number, or the text of one."""
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def check_terms(rows: Iterable[Row], source: Source) -> list[Row]:
    """RETURNS (list[Row]): The rows, with one space between a term's words.
    RAISES (ValueError): A term is empty, or nothing but wildcards."""
    checked = []
    for row in rows:
        term = " ".join(row.term.split())
        if not term:
            raise source.error(row.line, "the term is empty.")
        if has_wildcard(term) and not term.strip("*? "):
            raise source.error(
                row.line,
                f"the term {term!r} matches any word. Expected letters in it. {unescape('[*]')!r} "
                "itself is written as '[*]'.",
            )
        checked.append(row._replace(term=term))
    return checked


def merge(
    rows: Iterable[Row], source: Source, *, case_sensitive: bool, duplicates: Duplicates
) -> list[Row]:
    """rows (Iterable[Row]): The rows, checked.
    source (Source): Their file.
    case_sensitive (bool): Whether terms that differ only in case are different.
    duplicates (str): Which weight counts of a term with several in a category: of the "first" or
        "last" of its lines, or their "mean"; "error" for none.
    RETURNS (list[Row]): Each term once in each category.
    RAISES (ValueError): There are terms with several weights, and `duplicates` is "error".
    """
    by_key: dict[tuple[str, str], list[Row]] = {}
    n_rows = 0
    for row in rows:
        key = normalize(row.term, case_sensitive=case_sensitive), row.category
        by_key.setdefault(key, []).append(row)
        n_rows += 1
    conflicts = [own for own in by_key.values() if len({row.weight for row in own}) > 1]
    if conflicts and duplicates == "error":
        named = "; ".join(
            f"{own[0].term!r} " + ", ".join(f"{r.weight:g} in line {r.line}" for r in own)
            for own in conflicts[:N_NAMED]
        )
        more = f"; and {len(conflicts) - N_NAMED:,} more" if len(conflicts) > N_NAMED else ""
        number = f"{len(conflicts):,} term{'s' * (len(conflicts) > 1)}"
        raise ValueError(
            f"{source.name}, line {conflicts[0][1].line}: several weights for {number} in the "
            f"same category: {named}{more}. Expected one weight each, or duplicates = "
            '"first", "last" or "mean" in the initialization.'
        )
    n_more = sum(len(own) - 1 for own in conflicts)
    source.note(n_rows - len(by_key) - n_more, "repeated line")
    source.note(len(conflicts), "term", f" with several weights (the {duplicates} counts)")
    return [_one(own, duplicates) for own in by_key.values()]


def _one(rows: list[Row], duplicates: Duplicates) -> Row:
    if duplicates == "last":
        return rows[0]._replace(weight=rows[-1].weight)
    if duplicates == "mean" and len({row.weight for row in rows}) > 1:
        return rows[0]._replace(weight=fmean(row.weight for row in rows))
    return rows[0]


def to_lexicon(rows: list[Row], source: Source) -> Lexicon:
    """RETURNS (Lexicon): The rows as a list, in their order."""
    return Lexicon(
        tuple(row.term for row in rows),
        tuple(row.category for row in rows),
        tuple(row.weight for row in rows),
        notes=tuple(source.notes),
    )
