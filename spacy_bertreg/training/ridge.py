"""Ridge regression, for heads and for dictionaries. scikit-learn's is not in the base install, and
copies all features to 64 bits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# As shares of the number of documents: from hardly any penalty to a strong one.
PENALTIES = 10.0 ** np.arange(-6, 3.01, 0.25)
# Rows that are converted to 64 bits at once.
ROWS = 8192


def fit_ridge(
    features: NDArray[Any],
    targets: Floats,
    weights: Floats,
    penalties: Floats = PENALTIES,
    *,
    least_std: float = 1e-12,
) -> tuple[Floats, Floats, Floats]:
    """Fit ridge regressions on standardized features (Hoerl & Kennard 1970, Technometrics
    12:55-67). The penalty is chosen for each target by leave-one-out cross-validation (Allen 1974,
    Technometrics 16:125-127). Generalized cross-validation, an approximation, can choose almost no
    penalty if there are about as many features as documents.

    features (ndarray): Shape (documents, features).
    targets (ndarray): Shape (documents, targets), NaN where unknown.
    weights (ndarray): How much each document counts, shape (documents,); 0 for not at all.
    penalties (ndarray): Penalties to choose from, as shares of the number of documents.
    least_std (float): Features with a standard deviation up to this count as constants.
    RETURNS (tuple[ndarray, ndarray, ndarray]): Coefficients for features as they are, shape
        (features, targets); intercepts, shape (targets,); the chosen penalties, shape (targets,).
        Coefficients and intercept are 0 for a target that is unknown in all documents.
    """
    fits = [_fit_target(features, target, weights, penalties, least_std) for target in targets.T]
    coefficients, intercepts, chosen = zip(*fits, strict=True)
    return np.stack(coefficients, axis=1), np.array(intercepts), np.array(chosen)


def _fit_target(
    features: NDArray[Any], target: Floats, weights: Floats, penalties: Floats, least_std: float
) -> tuple[Floats, float, float]:
    rows = np.flatnonzero(~np.isnan(target) & (weights > 0))
    n = len(rows)
    if not n:
        return np.zeros(features.shape[1]), 0.0, float(penalties[-1])
    w = weights[rows] / weights[rows].mean()
    means, scatter = _moments(features, target, w, rows)
    mean, center = means[:-1], means[-1]
    std = np.sqrt(np.diag(scatter)[:-1] / n)
    std = np.where(std > least_std, std, np.inf)  # a constant says nothing
    products, covariances = scatter[:-1, :-1] / np.outer(std, std), scatter[:-1, -1] / std
    # Squares of the singular values of the standardized features, and their right vectors.
    squares, vectors = np.linalg.eigh(products)
    shrunk = 1 / (np.maximum(squares, 0.0) + n * penalties[:, None])
    along = shrunk * (vectors.T @ covariances)
    left_out = np.zeros(len(penalties))
    for part, count in _parts(rows, w):
        rotated = ((features[part] - mean) / std) @ vectors
        errors = (target[part] - center)[:, None] - rotated @ along.T
        leverages = count[:, None] * (1 / n + rotated**2 @ shrunk.T)
        left_out += count @ (errors / np.maximum(1 - leverages, 1e-12)) ** 2
    best = np.argmin(left_out)
    coefficients = vectors @ along[best] / std
    return coefficients, float(center - mean @ coefficients), float(penalties[best])


def _moments(
    features: NDArray[Any], target: Floats, weights: Floats, rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Compute the weighted means of features and target, and the sums of products of their
    deviations."""
    means = np.zeros(features.shape[1] + 1)
    for part, count in _parts(rows, weights):
        means += count @ np.column_stack([features[part], target[part]]) / len(rows)
    scatter = np.zeros((len(means), len(means)))
    for part, count in _parts(rows, weights):
        deviations = np.column_stack([features[part], target[part]]) - means
        scatter += deviations.T @ (deviations * count[:, None])
    return means, scatter


def _parts(rows: NDArray[np.int64], weights: Floats) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS], weights[start : start + ROWS]
