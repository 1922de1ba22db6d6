"""See what share of 95 % intervals hold the truth, where predictions err in one way or another.

    python benchmarks/estimate_coverage.py

Draws data sets of documents of which some are coded, estimates the last coefficient of a
regression with each estimator, and counts.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import t

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.estimation.estimators import ESTIMATORS
from spacy_bertreg.estimation.moments import Regression
from spacy_bertreg.estimation.sample import draw_by_size

N, N_CODED, N_DATA = 1500, 250, 500


# Draws a data set, and says the truth.
Design = Callable[[np.random.Generator], tuple[Regression, float]]


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw documents: covariate, outcome, prediction."""
    x = rng.normal(size=N)
    y = 1 + 0.5 * x + rng.normal(size=N)
    return x, y


def simple_sample(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(rng.choice(N, N_CODED, replace=False)), np.full(N_CODED, N / N_CODED)


def biased(rng: np.random.Generator) -> tuple[Regression, float]:
    """Predictions that are too high, and shrunken."""
    _, y = draw(rng)
    predicted = 0.6 * y + 0.8 + 0.6 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X = np.ones((N, 1))
    return Regression(["mean"], X, predicted, X[coded], y[coded], coded, weights), 1.0


def bias_with_covariate(rng: np.random.Generator) -> tuple[Regression, float]:
    """Predictions that err more where the covariate is large."""
    x, y = draw(rng)
    predicted = y + 0.3 * x + 0.6 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights), 0.5


def unequal_probabilities(rng: np.random.Generator) -> tuple[Regression, float]:
    """Documents with large predictions are coded more often, and predictions are biased there."""
    x, y = draw(rng)
    predicted = y + 0.4 * x + 0.6 * rng.normal(size=N)
    probability = 0.08 + 0.25 * expit(2 * predicted - 3)
    coded = np.flatnonzero(rng.random(N) < probability)
    weights = 1 / probability[coded]
    weights *= N / weights.sum()
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights), 0.5


def drawn_by_uncertainty(rng: np.random.Generator) -> tuple[Regression, float]:
    """Documents are drawn as `sample --design uncertainty` does."""
    x, spread = rng.normal(size=N), np.exp(0.7 * rng.normal(size=N))
    y = 1 + 0.5 * x + spread * rng.normal(size=N)
    predicted = 0.7 * y + 0.5 * x + 0.6 * rng.normal(size=N)
    coded, probability = draw_by_size(spread, N_CODED, rng)
    weights = N / probability / (1 / probability).sum()
    X = np.column_stack([np.ones(N), x])
    return Regression(["1", "x"], X, predicted, X[coded], y[coded], coded, weights), 0.5


def clusters(rng: np.random.Generator) -> tuple[Regression, float]:
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


def predicted_covariate(rng: np.random.Generator) -> tuple[Regression, float]:
    """The predicted variable explains another; its errors pull the slope to zero."""
    z, noise = rng.normal(size=N), rng.normal(size=N)
    outcome = 1 + 0.5 * z + noise
    predicted = z + 0.7 * rng.normal(size=N)
    coded, weights = simple_sample(rng)
    X, X_gold = (np.column_stack([np.ones(N), v]) for v in (predicted, z))
    return Regression(["1", "z"], X, outcome, X_gold[coded], outcome[coded], coded, weights), 0.5


def threshold(rng: np.random.Generator) -> tuple[Regression, float]:
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
    biased, bias_with_covariate, unequal_probabilities, drawn_by_uncertainty, clusters,
    predicted_covariate, threshold,
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-sets", type=int, default=N_DATA)
    args = parser.parse_args()
    make_printing_safe()
    rows = {}
    for design in DESIGNS:
        found = coverage(design, args.data_sets)
        rows[design.__name__] = {
            f"{name}{what}": value
            for name, values in found.items()
            for what, value in zip((" held", " width"), values, strict=True)
        }
    print(pd.DataFrame(rows).T.round(3).to_string())


def coverage(design: Design, n_data: int) -> dict[str, tuple[float, float]]:
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
    return {name: (float(np.mean(held[name])), float(np.mean(widths[name]))) for name in ESTIMATORS}


if __name__ == "__main__":
    main()
