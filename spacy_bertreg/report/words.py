"""What words add to a `text_regressor`'s predictions, over many texts."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..comparison.test_set import TestSet
from ..pipeline.text_regressor import TextRegressor

Floats = NDArray[np.float64]

# Documents that are explained at once.
DOCS_AT_ONCE = 64
# Words before and behind one in an example.
AROUND = 5
# In the target's standard deviations. The sign of a smaller contribution does not count, because
# the sum of contributions may be off by as much.
LEAST = 0.01
# A word's sign changes if this share of its documents, and at least two, have the opposite one.
CHANGES = 0.1


@dataclass
class _Word:
    """What a word added to the documents that have it, by target.

    n (int): Number of the documents.
    sums, squares (ndarray): Sums of contributions and of their squares.
    lowers, raises (ndarray): Numbers of documents where it lowers and raises the prediction.
    extremes (ndarray): Least and greatest contribution, shape (2, targets).
    examples (list[list[str]]): The word in its context there, for each extreme and target.
    """

    n: int
    sums: Floats
    squares: Floats
    lowers: Floats
    raises: Floats
    extremes: Floats
    examples: list[list[str]]

    @classmethod
    def new(cls, n_targets: int) -> "_Word":
        """Make a word that no document has."""
        sums, squares, lowers, raises = np.zeros((4, n_targets))
        extremes = np.stack([np.full(n_targets, np.inf), np.full(n_targets, -np.inf)])
        examples = [[""] * n_targets, [""] * n_targets]
        return cls(0, sums, squares, lowers, raises, extremes, examples)


def word_table(
    component: TextRegressor,
    data: TestSet,
    *,
    method: str | None = None,
    max_docs: int | None = None,
    min_documents: int = 2,
    seed: int = 0,
) -> pd.DataFrame:
    """Average what words add to predictions, over the documents that have them.

    component (TextRegressor): A trained component, in its pipeline.
    data (TestSet): The documents; observed values are not needed.
    method (str | None): The method of explanation, see `TextRegressor.explain`.
    max_docs (int | None): Number of documents to draw at random; None for all.
    min_documents (int): Least number of documents that have a word.
    seed (int): Seed of the draw.
    RETURNS (DataFrame): Columns term (in lower case) and document_frequency, and for each target
        contribution:TARGET, the mean of what a word adds to a document that has it; sd:TARGET, the
        standard deviation between documents; opposite:TARGET, the share of documents where it has
        the opposite sign; changes_sign:TARGET, whether that share counts; lowest:TARGET and
        highest:TARGET, the contexts in which it adds least and most. The most important words for
        the first target come first, by mean contribution times the root of the document frequency.
    RAISES (ValueError): No word is in enough documents, or the method can't explain the pipeline.
    """
    targets = component.targets
    least = LEAST * component.parts().unit
    words: dict[str, _Word] = defaultdict(lambda: _Word.new(len(targets)))
    for docs in _batches(component, data, max_docs, seed):
        explanations = component.explain(docs, method=method)
        for doc, explanation in zip(docs, explanations, strict=True):
            _add(words, doc, explanation.units, explanation.contributions, least)
    kept = {term: word for term, word in words.items() if word.n >= min_documents}
    if not kept:
        raise ValueError(
            f"No word is in {min_documents} or more of the documents of {data.path}. Expected more "
            "documents, or a smaller --min-documents."
        )
    frequency = np.array([word.n for word in kept.values()])
    columns: dict[str, Any] = {"term": list(kept), "document_frequency": frequency}
    for place, target in enumerate(targets):
        columns |= _columns(list(kept.values()), place, target)
    table = pd.DataFrame(columns)
    importance = np.abs(table[f"contribution:{targets[0]}"]) * np.sqrt(frequency)
    return table.iloc[np.argsort(-importance.to_numpy(), kind="stable")].reset_index(drop=True)


def _batches(
    component: TextRegressor, data: TestSet, max_docs: int | None, seed: int
) -> Iterator[list[Doc]]:
    numbers = np.arange(len(data.texts))
    if max_docs is not None and max_docs < len(numbers):
        drawn = np.random.default_rng(seed).choice(len(numbers), max_docs, replace=False)
        numbers = np.sort(drawn)
    docs = data.read_with(component.parts().nlp, numbers.tolist())
    while batch := list(islice(docs, DOCS_AT_ONCE)):
        yield batch


def _add(
    words: dict[str, _Word],
    doc: Doc,
    units: list[tuple[int, int]],
    contributions: Floats,
    least: Floats,
) -> None:
    """Add a document to the words that it has."""
    places: dict[str, list[int]] = defaultdict(list)
    for unit, (start, end) in enumerate(units):
        places[doc[start:end].text.lower()].append(unit)
    for term, own in places.items():
        word, added = words[term], contributions[own].sum(axis=0)
        word.n += 1
        word.sums += added
        word.squares += added**2
        word.lowers += added < -least
        word.raises += added > least
        for side, is_further in enumerate((added < word.extremes[0], added > word.extremes[1])):
            for target in np.flatnonzero(is_further):
                word.extremes[side, target] = added[target]
                # Where it adds most of its share.
                best = max(own, key=lambda unit: abs(contributions[unit, target]))
                start, end = units[best]
                context = doc[max(start - AROUND, 0) : min(end + AROUND, len(doc))]
                word.examples[side][target] = " ".join(context.text.split())


def _columns(words: list[_Word], place: int, target: str) -> dict[str, Any]:
    n = np.array([word.n for word in words])
    mean = np.array([word.sums[place] for word in words]) / n
    squares = np.array([word.squares[place] for word in words]) / n
    lowers, raises = (
        np.array([getattr(word, side)[place] for word in words]) for side in ("lowers", "raises")
    )
    opposite = np.where(mean > 0, lowers, raises)
    return {
        f"contribution:{target}": mean,
        f"sd:{target}": np.sqrt(np.maximum(squares - mean**2, 0)),
        f"opposite:{target}": opposite / n,
        f"changes_sign:{target}": (opposite >= 2) & (opposite / n >= CHANGES),
        f"lowest:{target}": [word.examples[0][place] for word in words],
        f"highest:{target}": [word.examples[1][place] for word in words],
    }
