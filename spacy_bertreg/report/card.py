"""The verdict on a target as a headline and three numbers."""

from dataclasses import dataclass
from typing import Any

from ..comparison.models import LINE, MEAN
from .formatting import number, signed
from .read import Results


@dataclass(frozen=True)
class Figure:
    """A number of a card.

    value (str): The number.
    label (str): What it is.
    notes (list[str]): Its intervals, or a number to compare it with.
    """

    value: str
    label: str
    notes: list[str]


@dataclass(frozen=True)
class Card:
    """What a comparison says of a target.

    target (str): The target.
    headline (str): Which model is best, and whether that is sure.
    figures (list[Figure]): R² of the best model, its lead, and its mean absolute error; none if no
        model that reads the words is best, or an older `compare` did not say which one is.
    detail (str): The whole verdict, with all intervals; "" if the headline says it all.
    """

    target: str
    headline: str
    figures: list[Figure]
    detail: str


def make_card(verdict: dict[str, Any], results: Results, level: str, decimals: int) -> Card:
    """Choose the numbers that go with a verdict.

    verdict (dict[str, Any]): One of comparison.json.
    results (Results): What `compare` wrote.
    level (str): Level of the intervals, such as "95 %".
    decimals (int): Decimals of the target's values.
    RETURNS (Card): The card.
    """
    target, best, other = verdict["target"], verdict.get("best"), verdict.get("other")
    headline = verdict.get("headline") or verdict["sentence"]
    scores = {row["model"]: row for row in results.rows("scores", target)}
    figures = []
    if best is not None and best in scores:
        figures.append(_score(scores[best], level))
        figures += [
            _lead(row, 1 if row["model"] == best else -1, str(other), level)
            for row in results.rows("differences", target)
            if {row["model"], row["baseline"]} == {best, other}
        ]
        figures += _error(scores, best, decimals)
    detail = "" if headline == verdict["sentence"] else verdict["sentence"]
    return Card(target, headline, figures, detail)


def _score(row: dict[str, Any], level: str) -> Figure:
    ends = _interval(row, "r2", 1)
    notes = [f"{level} interval {ends}"] if ends else []
    return Figure(number(row["r2"]), f"R² of {row['model']}", notes)


def _lead(row: dict[str, Any], sign: int, other: str, level: str) -> Figure:
    names = {"r2_difference": f"{level} interval", "r2_folds": f"{level} interval over folds"}
    ends = {title: _interval(row, name, sign) for name, title in names.items()}
    notes = [f"{title} {text}" for title, text in ends.items() if text]
    return Figure(signed(sign * row["r2_difference"]), f"more R² than {other}", notes)


def _error(scores: dict[str, dict[str, Any]], best: str, decimals: int) -> list[Figure]:
    """Give the mean absolute error of the predictions, and of a model that does not read."""
    errors = {n: row["mae"] for n, row in scores.items() if row.get("mae") is not None}
    if best not in errors:
        return []
    guesses = [name for name in (MEAN, LINE) if name in errors and name != best]
    notes = [f"{name}: {number(errors[name], decimals)}" for name in guesses[:1]]
    return [Figure(number(errors[best], decimals), "mean absolute error", notes)]


def _interval(row: dict[str, Any], key: str, sign: int) -> str:
    ends = [row.get(f"{key}_low"), row.get(f"{key}_high")]
    known = [sign * end for end in ends if end is not None]
    if len(known) < len(ends):
        return ""
    low, high = sorted(known)
    return f"{number(low)} to {number(high)}"
