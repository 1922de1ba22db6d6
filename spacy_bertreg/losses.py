"""Losses: one function gives the value and its gradient."""

import numpy as np
from numpy.typing import NDArray


def squared_error(predicted: NDArray, gold: NDArray) -> tuple[float, NDArray]:
    """Mean squared error over the known values.

    predicted (ndarray): Shape (documents, targets).
    gold (ndarray): Same shape, NaN where unknown: no part of the mean, and gradient 0.
    RETURNS (tuple[float, ndarray]): The loss (0 if nothing is known) and its gradient with
        respect to `predicted`.
    """
    known = ~np.isnan(gold)
    error = np.where(known, predicted - gold, 0)
    n_known = max(int(known.sum()), 1)
    return float((error**2).sum() / n_known), 2 * error / n_known
