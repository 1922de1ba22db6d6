"""Weighted term lists."""

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

GIVEN = "given"
LEARNED = "learned"


@dataclass(frozen=True)
class Lexicon:
    """Terms with their weights, each in a category. A term may stand in several categories.

    terms (tuple[str, ...]): Words or phrases, with `*`, `?` and `[...]` as wildcards.
    categories (tuple[str, ...]): The category of each term.
    weights (tuple[float, ...]): The weight of each term, finite.
    document_frequency (tuple[int, ...]): In how many training documents each term counted. Empty
        before initialization.
    contribution (ndarray): What each term added to the prediction of a training document that
        holds it, on average, in the targets' units; shape (terms, targets). NaN where no document
        holds it. Empty before initialization.
    """

    terms: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    document_frequency: tuple[int, ...] = ()
    contribution: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((0, 0)), compare=False
    )

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def category_names(self) -> tuple[str, ...]:
        """RETURNS (tuple[str, ...]): Each category once, in alphabetical order."""
        return tuple(sorted(set(self.categories)))

    def __add__(self, other: "Lexicon") -> "Lexicon":
        return Lexicon(
            self.terms + other.terms,
            self.categories + other.categories,
            self.weights + other.weights,
        )

    def to_csv(self, targets: Iterable[str] = ()) -> str:
        """targets (Iterable[str]): Names of the targets, for the contributions' columns.
        RETURNS (str): A CSV table with the columns term, category and weight, and, of a fitted
            list, document_frequency and for each target contribution:TARGET. Numbers are exact.
        """
        columns: dict[str, Iterable] = {
            "term": self.terms,
            "category": self.categories,
            "weight": map(repr, self.weights),
        }
        if self.document_frequency:
            columns["document_frequency"] = self.document_frequency
            for target, values in zip(targets, self.contribution.T.tolist(), strict=True):
                shown = ("" if value != value else repr(value) for value in values)
                columns[f"contribution:{target}"] = shown
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue()


def normalize(text: str, *, case_sensitive: bool) -> str:
    """RETURNS (str): What is compared of a term and of a word: one form for each way to encode an
    accent, and, unless case matters, one form for upper and lower case ("Straße", "STRASSE").
    """
    if text.isascii():
        return text if case_sensitive else text.lower()
    composed = unicodedata.normalize("NFC", text)
    return composed if case_sensitive else unicodedata.normalize("NFC", composed.casefold())
