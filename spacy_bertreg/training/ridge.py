"""Ridge regression, for heads and for dictionaries. scikit-learn's is not in the base install,
chooses the penalty by leaving one out, and copies all features to 64 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# As shares of the number of documents: from hardly any penalty to a strong one.
PENALTIES = 10.0 ** np.arange(-6, 3.01, 0.25)
# Rows that are converted to 64 bits at once.
ROWS = 8192


def fit_ridge(
    features: NDArray[Any], targets: Floats, weights: Floats, penalties: Floats = PENALTIES
) -> tuple[Floats, Floats, Floats]:
    """Fit linear regressions with a squared penalty on the coefficients of the standardized
    features (Hoerl & Kennard 1970, Technometrics 12:55-67), the penalty chosen for each target by
    generalized cross-validation (Golub, Heath & Wahba 1979, Technometrics 21:215-223).

    features (ndarray): Shape (documents, features).
    targets (ndarray): Shape (documents, targets), NaN where unknown.
    weights (ndarray): How much each document counts, shape (documents,); 0 for not at all.
    penalties (ndarray): To choose from, as shares of the number of documents.
    RETURNS (tuple[ndarray, ndarray, ndarray]): Coefficients for features as they are, shape
        (features, targets); intercepts, shape (targets,); the chosen penalties, shape (targets,).
        Zeros for a target that no document knows.
    """
    fits = [_fit_target(features, target, weights, penalties) for target in targets.T]
    coefficients, intercepts, chosen = zip(*fits, strict=True)
    return np.stack(coefficients, axis=1), np.array(intercepts), np.array(chosen)


def _fit_target(
    features: NDArray[Any], target: Floats, weights: Floats, penalties: Floats
) -> tuple[Floats, float, float]:
    rows = np.flatnonzero(~np.isnan(target) & (weights > 0))
    n = len(rows)
    if not n:
        return np.zeros(features.shape[1]), 0.0, float(penalties[-1])
    means, scatter = _moments(features, target, weights, rows)
    mean, center = means[:-1], means[-1]
    std = np.sqrt(np.diag(scatter)[:-1] / n)
    std = np.where(std > 1e-12, std, np.inf)  # a constant says nothing
    products = scatter[:-1, :-1] / np.outer(std, std)
    covariances, total = scatter[:-1, -1] / std, scatter[-1, -1]
    # Squares of the singular values of the standardized features, and their right vectors.
    squares, vectors = np.linalg.eigh(products)
    is_there = squares > len(squares) * np.finfo(float).eps * squares.max()
    squares, along = np.where(is_there, squares, 0.0), vectors.T @ covariances
    # The residuals' sum of squares has a part outside the features' span and a part within.
    within = np.where(is_there, along**2, 0.0) / np.where(is_there, squares, 1.0)
    outside = max(total - within.sum(), 0.0)
    kept = squares / (squares + n * penalties[:, None])
    residuals = ((1 - kept) ** 2 * within).sum(axis=1) + outside
    criterion = residuals / np.maximum(n - 1 - kept.sum(axis=1), 1e-9) ** 2
    best = penalties[np.argmin(criterion)]
    coefficients = vectors @ (np.where(is_there, along, 0.0) / (squares + n * best)) / std
    return coefficients, float(center - mean @ coefficients), float(best)


def _moments(
    features: NDArray[Any], target: Floats, weights: Floats, rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Compute the weighted means of features and target, and the sums of products of their
    deviations, with weights of mean 1."""
    parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    w = weights[rows] / weights[rows].mean()
    counts = [w[start : start + ROWS] for start in range(0, len(rows), ROWS)]
    means = np.zeros(features.shape[1] + 1)
    for part, count in zip(parts, counts, strict=True):
        means += count @ np.column_stack([features[part], target[part]]) / len(rows)
    scatter = np.zeros((len(means), len(means)))
    for part, count in zip(parts, counts, strict=True):
        deviations = np.column_stack([features[part], target[part]]) - means
        scatter += deviations.T @ (deviations * count[:, None])
    return means, scatter
