"""Rows of term lists: checks, duplicates, and the step to a lexicon."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal, NamedTuple

from ..globs import has_wildcard, unescape
from ..lexicon import GIVEN, Lexicon, normalize

# Which weight counts if a term has several in a category.
Duplicates = Literal["error", "first", "last", "mean"]

# Number of terms named that have several weights.
N_NAMED = 3


class Row(NamedTuple):
    """A term in a line of a file.

    line (int): The line's number, from 1.
    """

    line: int
    term: str
    category: str
    weight: float


@dataclass
class Source:
    """A file that is being read.

    name (str): Its name in errors.
    notes (list[str]): What of it was merged or left out, to tell the user.
    """

    name: str
    notes: list[str] = field(default_factory=list)

    def error(self, line: int, message: str) -> ValueError:
        """Make the error that says what is wrong in a line."""
        return ValueError(f"{self.name}, line {line}: {message}")

    def row(self, line: int, values: dict[str, Any]) -> Row:
        """Check the values of a line.

        line (int): Its number.
        values (dict): Its term, and weight, category or both.
        RETURNS (Row): The values.
        RAISES (ValueError): The term or the category is no text, the category is empty, or the
            weight is no finite number up to 1e100.
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

    def add_note(self, number: int, noun: str, text: str = "") -> None:
        """Add a note on a number of things, unless it is 0. The noun is singular."""
        if number:
            self.notes.append(f"{number:,} {noun}{'s' * (number != 1)}{text}")


def is_number(value: Any) -> bool:
    """Check if a value is a finite number, or the text of one."""
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def check_terms(rows: Iterable[Row], source: Source) -> list[Row]:
    """Check terms, and put one space between their words.

    RAISES (ValueError): A term is empty, or nothing but wildcards.
    """
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


def merge_duplicates(
    rows: Iterable[Row], source: Source, *, case_sensitive: bool, duplicates: Duplicates
) -> list[Row]:
    """Merge the rows of the same term and category.

    rows (Iterable[Row]): The rows, checked.
    source (Source): Their file.
    case_sensitive (bool): Whether terms that differ only in case are different.
    duplicates (str): Which weight counts if a term has several in a category: that of its "first"
        or "last" line, or their "mean"; "error" to refuse such a term.
    RETURNS (list[Row]): Each term once in each category.
    RAISES (ValueError): There are terms with several weights, and `duplicates` is "error".
    """
    by_term: dict[tuple[str, str], list[Row]] = {}
    n_repeated = 0
    for row in rows:
        key = normalize(row.term, case_sensitive=case_sensitive), row.category
        n_repeated += key in by_term
        by_term.setdefault(key, []).append(row)
    conflicts = [same for same in by_term.values() if len({row.weight for row in same}) > 1]
    if conflicts and duplicates == "error":
        named = "; ".join(
            f"{same[0].term!r} " + ", ".join(f"{r.weight:g} in line {r.line}" for r in same)
            for same in conflicts[:N_NAMED]
        )
        more = f"; and {len(conflicts) - N_NAMED:,} more" if len(conflicts) > N_NAMED else ""
        number = f"{len(conflicts):,} term{'s' * (len(conflicts) > 1)}"
        raise ValueError(
            f"{source.name}, line {conflicts[0][1].line}: several weights for {number} in the "
            f"same category: {named}{more}. Expected one weight each, or duplicates = "
            '"first", "last" or "mean" in the initialization.'
        )
    source.add_note(n_repeated - sum(len(same) - 1 for same in conflicts), "repeated line")
    source.add_note(len(conflicts), "term", f" with several weights (the {duplicates} counts)")
    return [same[0]._replace(weight=_weight(same, duplicates)) for same in by_term.values()]


def _weight(rows: list[Row], duplicates: Duplicates) -> float:
    weights = [row.weight for row in rows]
    if duplicates == "mean" and len(set(weights)) > 1:
        return fmean(weights)
    return weights[-1 if duplicates == "last" else 0]


def to_lexicon(rows: list[Row], source: Source) -> Lexicon:
    """Turn rows into a lexicon, in their order."""
    return Lexicon(
        tuple(row.term for row in rows),
        tuple(row.category for row in rows),
        tuple(row.weight for row in rows),
        notes=tuple(source.notes),
    )
