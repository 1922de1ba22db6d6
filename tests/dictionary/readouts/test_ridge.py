import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from spacy_bertreg.dictionary.readouts.ridge import Ridge

rng = np.random.default_rng(0)
FEATURES = rng.normal(5, [1, 10, 0.1], size=(50, 3))
TARGETS = FEATURES @ rng.normal(size=(3, 2)) + rng.normal(size=(50, 2))


@pytest.mark.parametrize("penalty", [0.0001, 0.01, 1.0])
def test_agrees_with_scikit_learn(penalty):
    standardised = StandardScaler().fit_transform(FEATURES)
    model = SklearnRidge(alpha=penalty * len(FEATURES)).fit(standardised, TARGETS)
    ridge = Ridge.fit(FEATURES, TARGETS, penalties=np.array([penalty]))
    np.testing.assert_allclose(ridge.predict(FEATURES), model.predict(standardised))


def test_penalty_is_that_of_generalized_cross_validation():
    noisy = np.random.default_rng(1)
    X = noisy.normal(size=(40, 20))
    y = X[:, 0] + 2 * noisy.normal(size=40)
    Z = StandardScaler().fit_transform(X)
    penalties = 10.0 ** np.arange(-4, 3)

    def gcv(penalty):
        # Of the formula: n RSS / (n - trace of the hat matrix)², the mean being one more degree.
        hat = Z @ np.linalg.solve(Z.T @ Z + 40 * penalty * np.eye(20), Z.T) + 1 / 40
        return 40 * ((y - hat @ y) ** 2).sum() / (40 - np.trace(hat)) ** 2

    chosen = Ridge.fit(X, y[:, None], penalties=penalties).penalty[0]
    assert chosen == min(penalties, key=gcv)
    assert 1e-3 < chosen < 1e3
    # Leaving one out, which generalized cross-validation approximates, is not far from it.
    near = RidgeCV(alphas=40 * penalties).fit(Z, y).alpha_ / 40
    assert 0.1 <= near / chosen <= 10


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
