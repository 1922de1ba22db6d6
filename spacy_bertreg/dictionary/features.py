"""Features of documents: numbers that describe which terms of a lexicon they hold.

Each feature of a document is a sum of shares, one share for each matched term. The effect of a
feature on a prediction can therefore be traced to terms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lexicon import Lexicon

Floats = NDArray[np.float64]

WEIGHTED = (
    "sum_positive",
    "sum_negative",
    "n_positive",
    "n_negative",
    "mean",
    "sum_by_length",
    "sum_bounded",
)
COUNTED = ("sum", "sum_by_length")
# Hutto & Gilbert 2014 bound a sum s of weights by s / sqrt(s² + 15), in units of VADER's list,
# whose weights are 1.543 in the mean.
BOUND = 15 / 1.543**2


@dataclass(frozen=True)
class MatchTable:
    """The terms that were found in some documents.

    documents (ndarray): Index of the document of each match, ascending.
    entries (ndarray): Index of its term in the lexicon.
    weights (ndarray): Weight of the term in its context.
    n_words (ndarray): Number of tokens of each document, without white space.
    """

    documents: NDArray[np.int64]
    entries: NDArray[np.int64]
    weights: Floats
    n_words: NDArray[np.int64]


class TermFeatures:
    """Features for each category of a lexicon. For a category whose terms all weigh the same: the
    sum, and the sum divided by the root of the number of words. For others: sum and number of terms
    with positive and with negative weight, mean weight, sum divided by the root of the number of
    words, and the sum s bounded as by Hutto & Gilbert 2014: s / sqrt(s² + 6.3 u²), where u is the
    mean absolute weight of the category's terms.

    names (tuple[str, ...]): Names of the features, such as "given:sum_positive".
    """

    def __init__(self, lexicon: Lexicon) -> None:
        """Set up the features of a lexicon."""
        categories = np.array(lexicon.categories, dtype=object)
        weights = np.array(lexicon.weights)
        self._category = np.zeros(len(lexicon), dtype=np.int64)
        self._counted: list[bool] = []
        self._units: list[float] = []
        names: list[str] = []
        for code, category in enumerate(lexicon.category_names):
            inside = categories == category
            self._category[inside] = code
            self._counted.append(bool(np.ptp(weights[inside]) == 0))
            self._units.append(float(np.abs(weights[inside]).mean()))
            names += [f"{category}:{n}" for n in (COUNTED if self._counted[-1] else WEIGHTED)]
        self.names = tuple(names)

    def shares(self, table: MatchTable) -> Floats:
        """Compute what each match adds to each feature of its document.

        table (MatchTable): What was found.
        RETURNS (ndarray): The shares, shape (matches, features).
        """
        columns = []
        documents, n_documents = table.documents, len(table.n_words)
        category = self._category[table.entries]
        by_length = table.weights / np.sqrt(table.n_words[documents])
        for code, (counted, unit) in enumerate(zip(self._counted, self._units, strict=True)):
            inside = category == code
            weights = np.where(inside, table.weights, 0.0)
            if counted:
                columns += [weights, np.where(inside, by_length, 0.0)]
                continue
            positive, negative = weights > 0, weights < 0
            total = np.bincount(documents, weights, n_documents)[documents]
            number = np.bincount(documents, inside, n_documents)[documents]
            bound = np.sqrt(total**2 + BOUND * unit**2)
            columns += [
                np.where(positive, weights, 0.0),
                np.where(negative, weights, 0.0),
                positive.astype(float),
                negative.astype(float),
                weights / np.maximum(number, 1),
                np.where(inside, by_length, 0.0),
                np.divide(weights, bound, out=np.zeros_like(weights), where=bound > 0),
            ]
        return np.stack(columns, axis=1) if columns else np.zeros((len(category), 0))

    def sums(self, shares: Floats, table: MatchTable) -> Floats:
        """Sum the shares of each document.

        shares (ndarray): What `shares` gave for the table.
        table (MatchTable): What was found.
        RETURNS (ndarray): The features, shape (documents, features).
        """
        n_documents = len(table.n_words)
        columns = [np.bincount(table.documents, share, n_documents) for share in shares.T]
        return np.stack(columns, axis=1) if columns else np.zeros((n_documents, 0))
