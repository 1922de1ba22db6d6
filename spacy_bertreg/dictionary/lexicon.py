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

# Marks that are used for one another. The first of each group stands for all.
APOSTROPHES = "'\u2019\u2018\u201a\u201b\u02bc\u00b4\u2032"
QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033'
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_PLAIN = str.maketrans({c: g[0] for g in (APOSTROPHES, QUOTES, DASHES) for c in g[1:]})


@dataclass(frozen=True)
class Lexicon:
    """Terms with their weights, each in a category. A term may be in several categories.

    terms (tuple[str, ...]): Words or phrases, with `*`, `?` and `[...]` as wildcards.
    categories (tuple[str, ...]): The category of each term.
    weights (tuple[float, ...]): The weight of each term, finite.
    document_frequency (tuple[int, ...]): Number of training documents in which each term was
        matched. Empty before initialization.
    contribution (ndarray): Mean contribution of each term to the prediction of a training document
        that holds it, in the target's unit, or on the transformed scale if that is curved; shape
        (terms, targets). NaN where no document holds it. Empty before initialization.
    notes (tuple[str, ...]): What was merged or left out of the file that it was read from.
    """

    terms: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    document_frequency: tuple[int, ...] = ()
    contribution: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros((0, 0)), compare=False
    )
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        return len(self.terms)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Get each category once, in alphabetical order."""
        return tuple(sorted(set(self.categories)))

    @property
    def is_learned(self) -> list[bool]:
        """Get for each term whether it was learned, for one target or for all."""
        return [category.partition(":")[0] == LEARNED for category in self.categories]

    def __add__(self, other: "Lexicon") -> "Lexicon":
        return Lexicon(
            self.terms + other.terms,
            self.categories + other.categories,
            self.weights + other.weights,
        )

    def to_csv(self, targets: Iterable[str] = ()) -> str:
        """Write the lexicon as a CSV table. Numbers are exact.

        targets (Iterable[str]): Names of the targets, for the contributions' columns.
        RETURNS (str): The columns term, category and weight, and, of a fitted lexicon,
            document_frequency and for each target contribution:TARGET.
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
    """Normalize a term or a word for comparison.

    text (str): The term or word.
    case_sensitive (bool): Whether to keep upper and lower case apart ("Straße", "STRASSE").
    RETURNS (str): One form for all encodings of an accent, one for all apostrophes, quotes and
        dashes, and one space for white space.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        if not case_sensitive:
            text = unicodedata.normalize("NFC", text.casefold())
        text = text.translate(_PLAIN)
    elif not case_sensitive:
        text = text.lower()
    return " ".join(text.split())
