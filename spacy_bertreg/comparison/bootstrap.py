"""How sure metrics are: the bootstrap over groups of documents.

Whole groups are drawn with replacement (the cluster bootstrap), the same ones for all models, so
that differences are paired. Intervals are percentiles of the draws: Efron, B. & Tibshirani, R. J.
(1993), An Introduction to the Bootstrap, chapters 8 and 13.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.metrics import Floats
from .rank_correlation import RankCorrelation

LEVEL = 0.95
# With fewer, there is nothing to draw, and no interval.
FEWEST_GROUPS = 2
# Number of counts that are drawn at once. It changes no result.
COUNTS_HELD = 2**20
# The metrics of a comparison, with their titles: those of `spacy evaluate`, and r², the R² of
# predictions that are moved and stretched to fit best. A shift in level between training and test
# set is an error in R², but not in r².
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
    """Draws from a test set, on which models are evaluated.

    Few draws are held at a time: of a million documents, all 2,000 would take 16 GB.
    """

    def __init__(
        self, gold: Floats, groups: Sequence[str], *, n_resamples: int = 2000, seed: int = 0
    ) -> None:
        """Prepare to draw groups of documents.

        gold (ndarray): Observed values, shape (documents,), finite.
        groups (Sequence[str]): The group of each document.
        n_resamples (int): Number of draws.
        seed (int): Seed of the draws.
        """
        self._codes, unique = pd.factorize(np.asarray(groups, dtype=object))
        self.n_groups = len(unique)
        self.n_resamples = n_resamples
        self._seed = seed
        self._gold = gold

    def draws(self) -> Iterator[NDArray[np.int64]]:
        """Draw groups with replacement, the same ones at each call.

        YIELDS (ndarray): How often each group is in the draw, shape (groups,).
        """
        rng = np.random.default_rng(self._seed)
        shares = np.full(self.n_groups, 1 / self.n_groups)
        at_once = max(1, COUNTS_HELD // self.n_groups)
        sizes = [min(at_once, self.n_resamples - i) for i in range(0, self.n_resamples, at_once)]
        # The next block is drawn while this one is used: NumPy releases Python's lock.
        with ThreadPoolExecutor(1) as thread:
            upcoming = thread.submit(rng.multinomial, self.n_groups, shares, sizes[0])
            for size in [*sizes[1:], 0]:
                block = upcoming.result()
                upcoming = thread.submit(rng.multinomial, self.n_groups, shares, size)
                yield from block

    def metrics(self, predictions: Sequence[Floats]) -> list[dict[str, Floats]]:
        """Compute the metrics of models in each draw.

        predictions (Sequence[ndarray]): Predictions of each model, shape (documents,).
        RETURNS (list[dict[str, ndarray]]): For each model, by the names in `METRIC_TITLES`, shape
            (draws,); NaN where undefined. With only one group, all draws would be the same, and all
            metrics are NaN.
        """
        finite = [i for i, predicted in enumerate(predictions) if np.isfinite(predicted).all()]
        if self.n_groups < FEWEST_GROUPS:
            finite = []
        # Around the means, where sums of squares lose no digits; no metric depends on the origin.
        y = self._gold - self._gold.mean()
        gold_sums = self._by_group(np.ones_like(y), y, y * y)
        model_sums = []
        for predicted in (predictions[i] for i in finite):
            x, error = predicted - predicted.mean(), predicted - self._gold
            model_sums.append(self._by_group(x, x * x, x * y, error**2, np.abs(error)))
        correlate = RankCorrelation(self._gold, [predictions[i] for i in finite])
        sums = np.full((len(predictions), 9, self.n_resamples), np.nan)
        for draw, counts in enumerate(self.draws() if finite else ()):
            sums[finite, :3, draw] = gold_sums @ counts
            sums[finite, 3:8, draw] = [own @ counts for own in model_sums]
            # Single bytes are looked up in the order of the ranks much faster.
            weights = counts.astype(np.min_scalar_type(counts.max()))
            sums[finite, 8, draw] = correlate(weights[self._codes])
        return [_metrics(*of_model) for of_model in sums]

    def means(self, values: Sequence[Floats]) -> Floats:
        """Compute means over documents in each draw.

        values (Sequence[ndarray]): Numbers for each document, each of shape (documents,).
        RETURNS (ndarray): The means, shape (values, draws); NaN if there is only one group.
        """
        found = np.full((len(values), self.n_resamples), np.nan)
        if self.n_groups >= FEWEST_GROUPS and len(values):
            sums = self._by_group(np.ones_like(self._gold), *values)
            for draw, counts in enumerate(self.draws()):
                n, *totals = sums @ counts
                found[:, draw] = np.array(totals) / n
        return found

    def _by_group(self, *values: Floats) -> Floats:
        """Sum each kind of value in each group, shape (values, groups)."""
        return np.array([np.bincount(self._codes, value) for value in values])


def interval(draws: Floats, level: float = LEVEL) -> tuple[float, float]:
    """Compute the percentile interval of a statistic.

    draws (ndarray): Its value in each draw.
    level (float): Share of the draws inside, between 0 and 1.
    RETURNS (tuple[float, float]): The low and the high end. Draws in which the statistic is
        undefined are left out; NaN if these are more than one in a hundred.
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


def _metrics(
    n: Floats,
    sum_y: Floats,
    yy: Floats,
    sum_x: Floats,
    xx: Floats,
    xy: Floats,
    squared: Floats,
    absolute: Floats,
    spearman: Floats,
) -> dict[str, Floats]:
    """Compute the metrics from sums over documents, in each draw; y is observed, x predicted, and
    `squared` and `absolute` are errors."""
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
            "spearman": spearman,
        }


def _variation(squares: Floats, sums: Floats, n: Floats) -> Floats:
    """Sum the squared deviations from the mean; NaN where they are only rounding errors."""
    variation = squares - sums**2 / n
    return np.where(variation > 1e-12 * squares, variation, np.nan)
