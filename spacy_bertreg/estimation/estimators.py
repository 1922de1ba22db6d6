"""Estimators of a regression in which a variable is predicted, and for some documents coded.

All but `naive` are of one form: moments of the coded documents, weighted by 1 / sampling
probability, plus `power` times the difference between the predictions' moments for all documents
and for the coded ones. `gold` has power 0; `dsl`, design-based supervised learning (Egami, Hinck,
Stewart & Wei 2023, NeurIPS), 1; and `ppi++`, prediction-powered inference (Angelopoulos, Duchi &
Zrnic 2023, arXiv:2311.01453), for each coefficient the power with the least variance. With that
paper's lambda, and a simple random sample of a share f of the documents, power = lambda / (1 - f):
the paper takes the difference between uncoded and coded documents.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from statsmodels.stats.sandwich_covariance import S_crosssection

from ..evaluation.metrics import Floats
from .moments import Regression


@dataclass(frozen=True)
class Fit:
    """What an estimator gives for the k coefficients.

    estimate (ndarray): Shape (k,).
    std_error (ndarray): Shape (k,).
    df (int): Degrees of freedom of the t intervals.
    sampled (ndarray): The part of `std_error`² that is due to the sample, and falls with the number
        of coded documents, shape (k,).
    power (ndarray): How much predictions counted, shape (k,).
    """

    estimate: Floats
    std_error: Floats
    df: int
    sampled: Floats
    power: Floats


def fit_naive(regression: Regression) -> Fit:
    """Fit the regression to the predictions as if they had been observed."""
    everywhere = np.arange(regression.n)
    observed = replace(
        regression,
        X_coded=regression.X,
        y_coded=regression.y,
        coded=everywhere,
        weights=np.ones(regression.n),
    )
    fit = fit_gold(observed)
    return replace(fit, sampled=np.zeros_like(fit.sampled), power=np.ones_like(fit.power))


def fit_gold(regression: Regression) -> Fit:
    """Fit the regression to the coded documents alone, weighted by 1 / sampling probability."""
    return _fit(regression, 0.0, regression.solve(0.0))


def fit_dsl(regression: Regression) -> Fit:
    """Fit the regression by design-based supervised learning. For an outcome and a linear
    regression, this is least squares on prediction + (true value - prediction) / probability.
    """
    return _fit(regression, 1.0, regression.solve(1.0, _start(regression)))


def fit_ppi(regression: Regression) -> Fit:
    """Fit the regression by prediction-powered inference, tuned for each coefficient."""
    start = regression.solve(0.0)
    powers = tune_powers(regression, start)
    fits = [_fit(regression, power, regression.solve(power, start), n_tuned=1) for power in powers]
    parts = {
        name: np.array([getattr(fit, name)[place] for place, fit in enumerate(fits)])
        for name in ("estimate", "std_error", "sampled", "power")
    }
    return Fit(df=fits[0].df, **parts)


ESTIMATORS: dict[str, Callable[[Regression], Fit]] = {
    "naive": fit_naive,
    "gold": fit_gold,
    "dsl": fit_dsl,
    "ppi++": fit_ppi,
}


def tune_powers(regression: Regression, theta: Floats) -> Floats:
    """Find for each coefficient the power with the least estimated variance, with clusters and
    sampling probabilities as they are. For a mean, that is the slope of the true values on the
    predictions.

    theta (ndarray): Consistent estimates, shape (k,).
    RETURNS (ndarray): Shape (k,); lambda is kept between 0 and 1, as by Angelopoulos et al.
    """
    inverse = np.linalg.inv(regression.jacobians(theta, 0.0))
    # Influences are linear in the power.
    zero = regression.influences(theta, 0.0)[0] @ inverse
    slope = regression.influences(theta, 1.0)[0] @ inverse - zero
    both = _meat(np.hstack([zero, slope]), regression)
    k = len(theta)
    variance = np.diagonal(both[k:, k:])
    covariance = np.diagonal(both[:k, k:])
    share = regression.n_coded / regression.n
    largest = 1 / (1 - share) if share < 1 else 0.0
    # Where all are coded, predictions add nothing.
    known = variance > 1e-20 * np.diagonal(both[:k, :k])
    powers = -covariance / np.where(known, variance, 1.0)
    return np.where(known, np.clip(powers, 0, largest), 0.0)


def _start(regression: Regression) -> Floats | None:
    return None if regression.family == "linear" else regression.solve(0.0)


def _fit(regression: Regression, power: float, theta: Floats, n_tuned: int = 0) -> Fit:
    """Compute sandwich standard errors, with the corrections of HC1 for few coded documents or
    clusters."""
    inverse = np.linalg.inv(regression.jacobians(theta, power))
    influences, sampled = regression.influences(theta, power)
    n, k = regression.n_coded, len(theta)
    df = n - k - n_tuned
    if df < 1:
        raise ValueError(
            f"{n} coded documents are too few for {k} terms. Expected {k + n_tuned + 1} or more."
        )
    correction = n / df
    if regression.clusters is not None:
        n_clusters = len(np.unique(regression.clusters[regression.coded]))
        if n_clusters < 2:
            raise ValueError(
                "All coded documents are in one cluster. Expected coded documents in 2 or more "
                "clusters, and in far more for trustworthy intervals."
            )
        correction = (n - 1) / df * n_clusters / (n_clusters - 1)
        df = n_clusters - 1
    covariance = inverse @ _meat(influences, regression) @ inverse.T * correction
    parts = ((sampled @ inverse.T) ** 2).sum(axis=0) * correction
    return Fit(theta, np.sqrt(np.diagonal(covariance)), df, parts, np.full(k, power))


def _meat(influences: Floats, regression: Regression) -> Floats:
    """Sum outer products of documents' influences, or of clusters'."""
    if regression.clusters is None:
        return influences.T @ influences
    return S_crosssection(influences, regression.clusters)
