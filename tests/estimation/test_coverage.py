"""95 % intervals hold the truth in 92 to 98 % of 500 data sets, where naive ones do not."""

import numpy as np
import pytest
from scipy.stats import t

from spacy_bertreg.estimation.estimators import ESTIMATORS
from spacy_bertreg.estimation.moments import Regression

N, N_CODED, N_DATA = 1500, 250, 500


def expit(x):
    return 1 / (1 + np.exp(-x))


def draw(rng, n=N):
    """Draw documents: covariate, outcome, prediction."""
    x = rng.normal(size=n)
    y = 1 + 0.5 * x + rng.normal(size=n)
    return x, y


def simple_sample(rng, n=N, n_coded=N_CODED):
    return np.sort(rng.choice(n, n_coded, replace=False)), np.full(n_coded, n / n_coded)


def biased(rng):
    """Predictions that are too high, and shrunken."""
    _, y = draw(rng)
    predicted = 0.6 * y + 0.8 + 0.6 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X = np.ones((N, 1))
    return Regression(["mean"], X, predicted, X[coded], y[coded], coded, weights), 1.0


def bias_with_covariate(rng):
    """Predictions that err more where the covariate is large."""
    x, y = draw(rng)
    predicted = y + 0.3 * x + 0.6 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights), 0.5


def unequal_probabilities(rng):
    """Documents with large predictions are coded more often, and predictions are biased there."""
    x, y = draw(rng)
    predicted = y + 0.4 * x + 0.6 * rng.normal(size=N)
    probability = 0.08 + 0.25 * expit(2 * predicted - 3)
    coded = np.flatnonzero(rng.random(N) < probability)
    weights = 1 / probability[coded]
    weights *= N / weights.sum()
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights), 0.5


def clusters(rng):
    """Authors differ in the outcome, in the covariate, and in how their texts are misread."""
    n_clusters = 100
    cluster = rng.integers(n_clusters, size=N)
    x = rng.normal(size=n_clusters)[cluster] + 0.3 * rng.normal(size=N)
    y = 1 + 0.5 * x + 0.5 * rng.normal(size=n_clusters)[cluster] + rng.normal(size=N)
    error = 0.5 * x + 0.5 * rng.normal(size=n_clusters)[cluster] + 0.5 * rng.normal(size=N)
    predicted = y + error
    coded, weights = simple_sample(rng)
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights, cluster), 0.5


def predicted_covariate(rng):
    """The predicted variable explains another; its errors pull the slope to zero."""
    z, noise = rng.normal(size=N), rng.normal(size=N)
    outcome = 1 + 0.5 * z + noise
    predicted = z + 0.7 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X, X_gold = (np.column_stack([np.ones(N), v]) for v in (predicted, z))
    return Regression(["1", "z"], X, outcome, X_gold[coded], outcome[coded], coded, weights), 0.5


def threshold(rng):
    """A logistic regression for a threshold of the predicted variable."""
    x = rng.normal(size=N)
    latent = 0.8 * x + rng.logistic(size=N)
    y = (latent > 0).astype(float)
    predicted = (latent + 0.7 * x + rng.normal(size=N) > 0.5).astype(float)
    coded, weights = simple_sample(rng)
    X = np.column_stack([np.ones(N), x])
    return (
        Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights, family="logistic"),
        0.8,
    )


DESIGNS = [
    biased, bias_with_covariate, unequal_probabilities, clusters, predicted_covariate, threshold,
]  # fmt: skip


def coverage(design, n_data=N_DATA):
    """RETURNS (dict): By estimator, the share of intervals of the last coefficient that hold the
    truth, and their mean width."""
    rng = np.random.default_rng(0)
    held = {name: [] for name in ESTIMATORS}
    widths = {name: [] for name in ESTIMATORS}
    for _ in range(n_data):
        regression, truth = design(rng)
        for name, fit_ in ESTIMATORS.items():
            fit = fit_(regression)
            half = fit.std_error[-1] * t.ppf(0.975, fit.df)
            held[name].append(abs(fit.estimate[-1] - truth) <= half)
            widths[name].append(2 * half)
    return {name: (np.mean(held[name]), np.mean(widths[name])) for name in ESTIMATORS}


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
def test_corrected_intervals_hold_what_they_promise(design):
    found = coverage(design)
    assert found["naive"][0] < 0.8
    for name in ("gold", "dsl", "ppi++"):
        assert 0.92 <= found[name][0] <= 0.98, found
    # Tuning never does worse than the coded documents alone.
    assert found["ppi++"][1] < 1.01 * found["gold"][1]


def test_naive_intervals_are_wrong_and_corrected_ones_narrower():
    found = coverage(biased, 40)
    assert found["naive"][0] < 0.5
    assert found["dsl"][0] > 0.8
    assert found["dsl"][1] < 0.9 * found["gold"][1]
