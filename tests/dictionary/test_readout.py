import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.preprocessing import StandardScaler

from spacy_bertreg.dictionary.readout import Ridge

rng = np.random.default_rng(0)
FEATURES = rng.normal(5, [1, 10, 0.1], size=(50, 3))
TARGETS = FEATURES @ rng.normal(size=(3, 2)) + rng.normal(size=(50, 2))


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_agrees_with_scikit_learn(penalty):
    standardised = StandardScaler().fit_transform(FEATURES)
    expected = SklearnRidge(alpha=penalty).fit(standardised, TARGETS).predict(standardised)
    predicted = Ridge.fit(FEATURES, TARGETS, penalty).predict(FEATURES)
    np.testing.assert_allclose(predicted, expected)


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
