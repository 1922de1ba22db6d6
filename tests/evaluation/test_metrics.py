import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from spacy_bertreg.evaluation.metrics import METRICS, mae, mse, pearson, r_squared, rmse, spearman

rng = np.random.default_rng(0)
GOLD = rng.normal(3, 2, 200)
PREDICTED = 0.5 * GOLD + rng.normal(0, 1, 200)
TIED = np.round(GOLD)


@pytest.mark.parametrize("gold", [GOLD, TIED, GOLD * 1e6 + 1e9])
@pytest.mark.parametrize("predicted", [PREDICTED, np.round(PREDICTED), -PREDICTED])
def test_metrics_agree_with_scikit_learn_and_scipy(gold, predicted):
    assert r_squared(gold, predicted) == pytest.approx(sklearn.metrics.r2_score(gold, predicted))
    expected = sklearn.metrics.mean_squared_error(gold, predicted)
    assert mse(gold, predicted) == pytest.approx(expected)
    assert rmse(gold, predicted) == pytest.approx(expected**0.5)
    expected = sklearn.metrics.mean_absolute_error(gold, predicted)
    assert mae(gold, predicted) == pytest.approx(expected)
    assert pearson(gold, predicted) == pytest.approx(scipy.stats.pearsonr(gold, predicted)[0])
    assert spearman(gold, predicted) == pytest.approx(scipy.stats.spearmanr(gold, predicted)[0])


@pytest.mark.parametrize(
    ("gold", "predicted", "defined"),
    [
        ([], [], set()),
        ([1.0], [2.0], {"mse", "rmse", "mae"}),
        ([0.1, 0.1, 0.1], [1.0, 2.0, 3.0], {"mse", "rmse", "mae"}),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1], {"r2", "mse", "rmse", "mae"}),
        ([1.0, 2.0], [1.0, 2.0], set(METRICS)),
    ],
)
def test_undefined_metrics_are_none_without_a_warning(gold, predicted, defined):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = {name: f(np.array(gold), np.array(predicted)) for name, f in METRICS.items()}
    assert {name for name, score in scores.items() if score is not None} == defined
    assert all(np.isfinite(scores[name]) for name in defined)


def test_perfect_predictions():
    scores = {name: metric(GOLD, GOLD) for name, metric in METRICS.items()}
    assert scores == pytest.approx(
        {"r2": 1, "mse": 0, "rmse": 0, "mae": 0, "pearson": 1, "spearman": 1}
    )
