"""Measures of how well predictions fit observed values. None stands for "undefined"."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def r_squared(gold: Floats, predicted: Floats) -> float | None:
    """Coefficient of determination, 1 - SS_residual / SS_total: the share of the variance of
    `gold` that the predictions explain. Negative if they are worse than the mean of `gold`.

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
    """Mean squared error, in the target's unit squared. None for n = 0."""
    return float(np.mean((gold - predicted) ** 2)) if gold.size else None


def rmse(gold: Floats, predicted: Floats) -> float | None:
    """Root of the mean squared error, in the target's unit. None for n = 0."""
    return float(np.sqrt(np.mean((gold - predicted) ** 2))) if gold.size else None


def mae(gold: Floats, predicted: Floats) -> float | None:
    """Mean absolute error, in the target's unit. None for n = 0."""
    return float(np.mean(np.abs(gold - predicted))) if gold.size else None


def pearson(gold: Floats, predicted: Floats) -> float | None:
    """Pearson's correlation, -1 to 1. None where either side does not vary (n < 2 included)."""
    if _is_constant(gold) or _is_constant(predicted):
        return None
    return float(np.clip(np.corrcoef(gold, predicted)[0, 1], -1, 1))


def spearman(gold: Floats, predicted: Floats) -> float | None:
    """Spearman's rank correlation: Pearson's of the ranks, ties sharing their mean rank."""
    return pearson(_mean_ranks(gold), _mean_ranks(predicted))


METRICS: dict[str, Callable[[Floats, Floats], float | None]] = {
    "r2": r_squared,
    "mse": mse,
    "rmse": rmse,
    "mae": mae,
    "pearson": pearson,
    "spearman": spearman,
}


def _is_constant(values: Floats) -> bool:
    # Not by the variance: rounding of the mean makes it positive for some constants.
    return values.size < 2 or bool(values.min() == values.max())


def _mean_ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return ranks[inverse]
