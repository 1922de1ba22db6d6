import math

import numpy as np
import pytest
import scipy.optimize
import sklearn.metrics

from spacy_bertreg.losses import squared_error

rng = np.random.default_rng(0)


def test_gradient_agrees_with_finite_differences():
    gold = rng.normal(size=(4, 2))
    gold[1, 0] = math.nan
    predicted = rng.normal(size=(4, 2))

    def loss(flat):
        return squared_error(flat.reshape(4, 2), gold)[0]

    _, gradient = squared_error(predicted, gold)
    numeric = scipy.optimize.approx_fprime(predicted.ravel(), loss, 1e-7).reshape(4, 2)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)
    assert gradient[1, 0] == 0


def test_value_agrees_with_scikit_learn():
    gold, predicted = rng.normal(size=(2, 10, 1))
    expected = sklearn.metrics.mean_squared_error(gold, predicted)
    assert squared_error(predicted, gold)[0] == pytest.approx(expected)


def test_nothing_known_gives_no_loss_and_no_gradient():
    loss, gradient = squared_error(np.ones((3, 1)), np.full((3, 1), math.nan))
    assert loss == 0
    assert not gradient.any()
