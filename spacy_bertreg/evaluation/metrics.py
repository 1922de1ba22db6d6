"""Metrics of how well predictions fit observed values. None stands for "undefined"."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def r_squared(gold: Floats, predicted: Floats) -> float | None:
    """Compute the coefficient of determination, 1 - SS_residual / SS_total: the share of the
    variance of `gold` that the predictions explain. Negative if they are worse than its mean.

    gold (ndarray): Observed values, shape (n,), finite.
    predicted (ndarray): Predicted values, shape (n,), finite.
    RETURNS (float | None): At most 1. None where `gold` does not vary (n < 2 included).
    """
    if _is_constant(gold):
        return None
    residual = np.sum((gold - predicted) ** 2)
    total = np.sum((gold - gold.mean()) ** 2)
    return float(1 - residual / total)


def mse(gold: Floats, predicted: Floats) -> float | None:
    """Compute the mean squared error, in the target's unit squared. None for n = 0."""
    return float(np.mean((gold - predicted) ** 2)) if gold.size else None


def rmse(gold: Floats, predicted: Floats) -> float | None:
    """Compute the root of the mean squared error, in the target's unit. None for n = 0."""
    return float(np.sqrt(np.mean((gold - predicted) ** 2))) if gold.size else None


def mae(gold: Floats, predicted: Floats) -> float | None:
    """Compute the mean absolute error, in the target's unit. None for n = 0."""
    return float(np.mean(np.abs(gold - predicted))) if gold.size else None


def pearson(gold: Floats, predicted: Floats) -> float | None:
    """Compute Pearson's correlation. None where either side does not vary (n < 2 included)."""
    if _is_constant(gold) or _is_constant(predicted):
        return None
    return float(np.clip(np.corrcoef(gold, predicted)[0, 1], -1, 1))


def spearman(gold: Floats, predicted: Floats) -> float | None:
    """Compute Spearman's correlation: Pearson's of the ranks. None where that is undefined."""
    return pearson(mean_ranks(value_codes(gold)), mean_ranks(value_codes(predicted)))


METRICS: dict[str, Callable[[Floats, Floats], float | None]] = {
    "r2": r_squared,
    "mse": mse,
    "rmse": rmse,
    "mae": mae,
    "pearson": pearson,
    "spearman": spearman,
}


def compute_metrics(gold: Floats, predicted: Floats) -> dict[str, float | None]:
    """Compute all of `METRICS`.

    gold (ndarray): Observed values, shape (n,), finite.
    predicted (ndarray): Predicted values, shape (n,), finite.
    RETURNS (dict[str, float | None]): Each metric by its name.
    """
    return {name: metric(gold, predicted) for name, metric in METRICS.items()}


def value_codes(values: Floats) -> NDArray[np.int64]:
    """Number the distinct values from 0 in ascending order, and look up the number of each."""
    return np.unique(values, return_inverse=True)[1]


def mean_ranks(codes: NDArray[np.int64], weights: NDArray[np.int64] | None = None) -> Floats:
    """Rank values from 1; ties share their mean rank.

    codes (ndarray): The values' `value_codes`, shape (n,).
    weights (ndarray | None): How many times each value is there, as in a bootstrap draw, shape
        (n,); None for once.
    RETURNS (ndarray): The ranks, shape (n,).
    """
    counts = np.bincount(codes, weights)
    return (np.cumsum(counts) - (counts - 1) / 2)[codes]


def _is_constant(values: Floats) -> bool:
    # Not by the variance: rounding of the mean makes it positive for some constants.
    return values.size < 2 or bool(values.min() == values.max())
