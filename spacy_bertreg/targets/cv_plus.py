"""CV+ prediction intervals (Barber, Candès, Ramdas & Tibshirani 2021, Annals of Statistics
49:486-507)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .intervals import check_level

Floats = NDArray[np.float64]

# Sums that differ by less than this share of the numbers' size count as equal.
PRECISION = 1e-12


def cv_plus_intervals(predictions: Floats, errors: Sequence[Floats], level: float) -> Floats:
    """Make CV+ intervals from the models of a cross-validation.

    Each of the n labelled documents gives a sum: the prediction for the new document by the model
    that has not learned from this labelled document, plus that model's absolute error for it. The
    interval's high end is the ceil(level (n + 1))-th smallest of these sums. The low end is the
    floor((1 - level)(n + 1))-th smallest of the differences.

    If labelled and new documents are exchangeable, intervals of level 1 - a from K equal folds hold
    at least 1 - 2a - min(2 (1 - 1/K) / (n/K + 1), (1 - K/n) / (K + 1)) of the new values, whatever
    the models, and usually 1 - a or more.

    predictions (ndarray): Predictions for new documents by the model of each fold, shape
        (documents, folds).
    errors (Sequence[ndarray]): For each fold, the absolute errors of its model on the fold's own
        documents, on the same scale, shape (documents of the fold,).
    level (float): The share of new values that intervals are to hold, between 0 and 1.
    RETURNS (ndarray): Low and high ends, shape (documents, 2).
    RAISES (ValueError): The level is out of range, or there are too few errors for it.
    """
    check_level(level)
    n = sum(map(len, errors))
    # Rounded, as 0.9 times 10 is not 9 in floating point.
    rank = math.ceil(round(level * (n + 1), 9))
    if rank > n:
        raise ValueError(
            f"{n} labelled documents are too few for intervals of level {level:g}. Expected "
            f"{math.ceil(round(level / (1 - level), 9))} or more."
        )
    used = [fold for fold, own in enumerate(errors) if len(own)]
    centres = np.asarray(predictions, dtype=np.float64)[:, used]
    ascending = [np.sort(np.asarray(errors[fold], dtype=np.float64)) for fold in used]
    high = _smallest_sums(centres, ascending, rank)
    low = -_smallest_sums(-centres, ascending, rank)
    # With a level below 0.5, they may have passed each other.
    middle = (low + high) / 2
    return np.stack([np.minimum(low, middle), np.maximum(high, middle)], axis=-1)


def _smallest_sums(predictions: Floats, errors: Sequence[Floats], rank: int) -> Floats:
    """Find, for each document, the rank-th smallest of all sums of a fold's prediction and one of
    its errors.

    Each fold's sums are in the order of its errors. So a binary search in each fold counts the sums
    up to a limit, and the limit is found by halving. There is no matrix of documents times errors.

    predictions (ndarray): Shape (documents, folds).
    errors (Sequence[ndarray]): Of each fold, ascending, at least one.
    rank (int): From 1 to the number of all errors.
    RETURNS (ndarray): Shape (documents,).
    """
    if not len(predictions):
        return np.zeros(0)
    n = sum(map(len, errors))
    # If each fold gives the same share of its sums, rounded up, these are `rank` or more in all.
    # Without the last of each, they are fewer.
    shares = np.array([own[-(-rank * len(own) // n) - 1] for own in errors])
    size = np.abs(predictions).max(axis=1) + max(own[-1] for own in errors)
    # Sums that are equal but for rounding are on the same side of a limit.
    tolerance = PRECISION * size
    low = (predictions + shares).min(axis=1) - tolerance
    high = (predictions + shares).max(axis=1) + tolerance
    while np.any(high - low > 2 * tolerance):
        middle = (low + high) / 2
        is_enough = _count(predictions, errors, middle).sum(axis=1) >= rank
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    counts = _count(predictions, errors, high)
    last = [own[np.maximum(count - 1, 0)] for own, count in zip(errors, counts.T, strict=True)]
    sums = np.where(counts > 0, predictions + np.stack(last, axis=1), -np.inf)
    return sums.max(axis=1)


def _count(predictions: Floats, errors: Sequence[Floats], limits: Floats) -> NDArray[np.int64]:
    """Count the sums of each fold that are at most a document's limit.

    RETURNS (ndarray): Shape (documents, folds).
    """
    room = limits[:, None] - predictions
    found = [np.searchsorted(own, room[:, i], side="right") for i, own in enumerate(errors)]
    return np.stack(found, axis=1)
