"""Spearman's correlation in many draws of the same documents."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import Floats


class RankCorrelation:
    """Correlates the ranks of models' predictions with those of the observed values.

    Values are sorted once. Each draw then takes time in proportion to the number of documents.
    """

    def __init__(self, gold: Floats, predictions: Sequence[Floats]) -> None:
        """Sort observed values and predictions.

        gold (ndarray): Observed values, shape (documents,), finite.
        predictions (Sequence[ndarray]): Predictions of each model, shape (documents,), finite.
        """
        self._gold = _Order(gold)
        self._models = [_Order(predicted) for predicted in predictions]

    def __call__(self, weights: NDArray[np.integer]) -> list[float]:
        """Correlate ranks in a draw.

        weights (ndarray): How often each document is drawn, shape (documents,).
        RETURNS (list[float]): For each model; NaN where one side does not vary.
        """
        ranks, spread = self._gold.ranks(weights.take(self._gold.order))
        y = np.empty(len(weights), dtype=np.int32)
        y[self._gold.order] = self._gold.repeat(ranks)
        found = []
        for model in self._models:
            if spread == 0 or not model.varies:
                found.append(np.nan)
                continue
            in_order = weights.take(model.order)
            x, spread_x = model.ranks(in_order)
            product = x @ model.sums(in_order * y.take(model.order))
            found.append(float(product / np.sqrt(spread * spread_x)) if spread_x > 0 else np.nan)
        return found


class _Order:
    """The order of some values.

    order (ndarray): The documents, by ascending value, shape (documents,).
    varies (bool): Whether there are two distinct values.
    """

    def __init__(self, values: Floats) -> None:
        self.order = np.argsort(values, kind="stable")
        ascending = values[self.order]
        # Where each distinct value begins.
        self._starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
        self.varies = len(self._starts) > 1
        self._has_ties = len(self._starts) < len(values)

    def ranks(self, weights: NDArray[np.integer]) -> tuple[Floats, float]:
        """Rank the distinct values; ties share their mean rank.

        weights (ndarray): How often each document is drawn, in this order.
        RETURNS (tuple[ndarray, float]): Twice the ranks' distance from their mean, a whole number,
            and the sum of its square over what is drawn.
        """
        up_to = weights.cumsum(dtype=np.float64)
        n, counts = up_to[-1], weights
        if self._has_ties:
            up_to = up_to[np.r_[self._starts[1:], len(weights)] - 1]
            counts = np.diff(up_to, prepend=0).astype(np.int64)
        # A value has the places from up_to - count + 1 to up_to, and the mean place is (n + 1) / 2.
        ranks = 2 * up_to
        ranks -= counts
        ranks -= n
        # This is counts @ ranks**2, by Kendall's correction for ties: n is large, sizes are few.
        sizes = np.bincount(counts)
        spread = (n**3 - sizes @ np.arange(len(sizes), dtype=np.float64) ** 3) / 3
        return ranks, float(spread)

    def repeat(self, by_value: Floats) -> Floats:
        """Repeat a number for each distinct value for its documents, in this order."""
        if not self._has_ties:
            return by_value
        return np.repeat(by_value, np.diff(self._starts, append=len(self.order)))

    def sums(self, by_document: NDArray[np.integer]) -> NDArray[np.integer]:
        """Sum numbers, which are in this order, over the documents of each distinct value."""
        return np.add.reduceat(by_document, self._starts) if self._has_ties else by_document
