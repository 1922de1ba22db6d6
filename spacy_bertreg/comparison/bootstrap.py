"""How sure metrics are: the bootstrap over groups of documents.

Whole groups are drawn with replacement (the cluster bootstrap), the same ones for all models, so
that differences are paired. Intervals are percentiles of the draws: Efron, B. & Tibshirani, R. J.
(1993), An Introduction to the Bootstrap, chapters 8 and 13.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..evaluation.metrics import Floats, mean_ranks, value_codes

LEVEL = 0.95
# With fewer, there is nothing to draw, and no interval.
FEWEST_GROUPS = 2
# The metrics of a comparison, with their titles: those of `spacy evaluate`, and beside R² what it
# would be if the reader could move and stretch the predictions afterwards. A shift in level between
# training and test set is an error in R², and none in r².
METRIC_TITLES = {
    "r2": "R²",
    "pearson_squared": "r²",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


class Bootstrap:
    """Draws from a test set, on which models are evaluated."""

    def __init__(
        self, gold: Floats, groups: Sequence[str], *, n_resamples: int = 2000, seed: int = 0
    ) -> None:
        """Draw groups of documents.

        gold (ndarray): Observed values, shape (documents,), finite.
        groups (Sequence[str]): The group of each document.
        n_resamples (int): How many draws.
        seed (int): Their seed.
        """
        self._codes, unique = pd.factorize(np.asarray(groups, dtype=object))
        self.n_groups = len(unique)
        draw = np.random.default_rng(seed).multinomial
        # How often each group is in each draw.
        self._counts = draw(self.n_groups, np.full(self.n_groups, 1 / self.n_groups), n_resamples)
        self._gold = gold

    def metrics(self, predicted: Floats) -> dict[str, Floats]:
        """Compute the metrics of a model in each draw.

        predicted (ndarray): Its predictions, shape (documents,).
        RETURNS (dict[str, ndarray]): By the names in `METRIC_TITLES`, shape (draws,); NaN where
            undefined. Of one group, all draws are the same, and say nothing: all are NaN.
        """
        if self.n_groups < FEWEST_GROUPS or not np.isfinite(predicted).all():
            return {name: np.full(len(self._counts), np.nan) for name in METRIC_TITLES}
        error = predicted - self._gold
        # Around the means, where sums of squares lose no digits; no metric depends on the origin.
        y, x = self._gold - self._gold.mean(), predicted - predicted.mean()
        n, sum_y, sum_x, yy, xx, xy, squared, absolute = self._sums(
            np.ones_like(y), y, x, y * y, x * x, x * y, error**2, np.abs(error)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            total_y, total_x = _variation(yy, sum_y, n), _variation(xx, sum_x, n)
            pearson = (xy - sum_x * sum_y / n) / np.sqrt(total_y * total_x)
            return {
                "r2": 1 - squared / total_y,
                "pearson_squared": pearson**2,
                "mse": squared / n,
                "rmse": np.sqrt(squared / n),
                "mae": absolute / n,
                "pearson": pearson,
                "spearman": self._spearman(predicted),
            }

    def mean(self, values: Floats) -> Floats:
        """Compute the mean of a number for each document, shape (documents,), in each draw.

        RETURNS (ndarray): The means, shape (draws,); NaN if there is but one group.
        """
        if self.n_groups < FEWEST_GROUPS:
            return np.full(len(self._counts), np.nan)
        total, n = self._sums(values, np.ones_like(values))
        return total / n

    def _sums(self, *values: Floats) -> Floats:
        """Sum each kind of value in each draw, shape (values, draws)."""
        by_group = np.array([np.bincount(self._codes, value) for value in values])
        return by_group @ self._counts.T

    def _spearman(self, predicted: Floats) -> Floats:
        codes = value_codes(self._gold), value_codes(predicted)
        values = np.empty(len(self._counts))
        for draw, counts in enumerate(self._counts):
            weights = counts[self._codes]
            n = weights.sum()
            y, x = (mean_ranks(c, weights) - (n + 1) / 2 for c in codes)
            spread = np.sqrt((weights @ (y * y)) * (weights @ (x * x)))
            values[draw] = weights @ (x * y) / spread if spread > 0 else np.nan
        return values


def interval(draws: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Compute the percentile interval of a statistic.

    draws (ndarray): Its value in each draw.
    level (float): Wished coverage, 0 to 1.
    RETURNS (tuple[float, float]): The low and the high end. Draws in which the statistic is
        undefined are left out; NaN where it is in more than one in a hundred.
    """
    undefined = np.isnan(draws)
    if undefined.mean() > 0.01:
        return np.nan, np.nan
    low, high = np.quantile(draws[~undefined], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def relative(value: Floats, baseline: Floats) -> Floats:
    """Compute the difference as a share of the baseline; NaN where that is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(baseline > 0, (value - baseline) / baseline, np.nan)


def _variation(squares: Floats, sums: Floats, n: Floats) -> Floats:
    """Sum the squared deviations from the mean; NaN where there are none but rounding."""
    variation = squares - sums**2 / n
    return np.where(variation > 1e-12 * squares, variation, np.nan)
