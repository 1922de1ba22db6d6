import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from spacy_bertreg.dictionary.readouts.ridge import Ridge
from spacy_bertreg.training.ridge import PENALTIES

rng = np.random.default_rng(0)
FEATURES = rng.normal(5, [1, 10, 0.1], size=(50, 3))
TARGETS = FEATURES @ rng.normal(size=(3, 2)) + rng.normal(size=(50, 2))


@pytest.mark.parametrize("penalty", [0.0001, 0.01, 1.0])
def test_agrees_with_scikit_learn(penalty):
    standardised = StandardScaler().fit_transform(FEATURES)
    model = SklearnRidge(alpha=penalty * len(FEATURES)).fit(standardised, TARGETS)
    ridge = Ridge.fit(FEATURES, TARGETS, penalties=np.array([penalty]))
    np.testing.assert_allclose(ridge.predict(FEATURES), model.predict(standardised))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "n_features"), [(60, 20), (30, 31), (40, 200)])
def test_penalty_is_that_of_leaving_one_out(n, n_features, weighted):
    noisy = np.random.default_rng(n)
    factors = noisy.normal(size=(n, 5))
    X = factors @ noisy.normal(size=(5, n_features)) + noisy.normal(size=(n, n_features))
    y = factors.sum(axis=1) + 4 * noisy.normal(size=n)
    weights = noisy.uniform(0.5, 2, size=n) if weighted else np.ones(n)
    Z = StandardScaler().fit(X, sample_weight=weights).transform(X)
    model = RidgeCV(alphas=n * PENALTIES).fit(Z, y, sample_weight=weights / weights.mean())
    ridge = Ridge.fit(X, y[:, None], weights=weights)
    assert ridge.penalty[0] == pytest.approx(model.alpha_ / n)
    assert PENALTIES[0] < ridge.penalty[0] < PENALTIES[-1]
    np.testing.assert_allclose(ridge.predict(X)[:, 0], model.predict(Z))


def test_each_target_is_fitted_where_it_is_known():
    targets = TARGETS.copy()
    targets[:20, 0] = np.nan
    ridge = Ridge.fit(FEATURES, targets)
    alone = Ridge.fit(FEATURES[20:], TARGETS[20:, :1])
    np.testing.assert_allclose(ridge.coefficients[:, :1], alone.coefficients)
    np.testing.assert_allclose(ridge.intercept[1], Ridge.fit(FEATURES, TARGETS).intercept[1])


def test_constant_and_repeated_features():
    features = np.hstack([FEATURES, FEATURES[:, :1], np.ones((50, 1))])
    predicted = Ridge.fit(features, TARGETS).predict(features)
    assert np.isfinite(predicted).all()
    assert np.corrcoef(predicted[:, 0], TARGETS[:, 0])[0, 1] > 0.9


def test_nothing_to_learn_from():
    ridge = Ridge.fit(np.zeros((5, 2)), np.arange(5.0)[:, None])
    np.testing.assert_allclose(ridge.predict(np.ones((1, 2))), [[2.0]])


def test_weights_agree_with_scikit_learn():
    weights = np.arange(1.0, 51)
    scaler = StandardScaler().fit(FEATURES, sample_weight=weights)
    model = SklearnRidge(alpha=0.1 * weights.sum())
    model.fit(scaler.transform(FEATURES), TARGETS, sample_weight=weights)
    ridge = Ridge.fit(FEATURES, TARGETS, weights=weights, penalties=np.array([0.1]))
    np.testing.assert_allclose(ridge.predict(FEATURES), model.predict(scaler.transform(FEATURES)))
