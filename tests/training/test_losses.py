import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import sklearn.linear_model
import sklearn.metrics
import spacy

from spacy_bertreg.training.losses import (
    Loss,
    PinballLoss,
    PoissonLoss,
    huber_v1,
    mean_loss,
    pinball_v1,
)

rng = np.random.default_rng(0)
NAMES = ["squared", "absolute", "huber", "poisson", "gaussian", "pinball"]


def registered(name: str) -> Loss:
    return spacy.registry.losses.get(f"spacy-bertreg.{name}.v1")()


def gold_of(loss: Loss, *shape: int):
    return rng.poisson(1.5, size=shape).astype(float) if loss.log_link else rng.normal(size=shape)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_finite_differences(name):
    loss = registered(name)
    gold = gold_of(loss, 5, 2)
    gold[1, 0] = math.nan
    weights = rng.uniform(0.1, 3, size=gold.shape)
    outputs = rng.normal(size=(5, 2 * loss.n_outputs))

    def value(flat):
        return mean_loss(loss, flat.reshape(outputs.shape), gold, weights)[0]

    _, gradient = mean_loss(loss, outputs, gold, weights)
    numeric = scipy.optimize.approx_fprime(outputs.ravel(), value, 1e-7).reshape(outputs.shape)
    np.testing.assert_allclose(gradient, numeric, atol=1e-5)
    assert not gradient[1, : loss.n_outputs].any()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_known_gives_no_loss_and_no_gradient(name):
    loss = registered(name)
    value, gradient = mean_loss(loss, np.ones((3, loss.n_outputs)), np.full((3, 1), math.nan))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize("name", NAMES)
def test_extreme_outputs_give_finite_values_and_gradients(name):
    loss = registered(name)
    gold = gold_of(loss, 4, 1)
    for size in (1e4, -1e4):
        outputs = np.full((4, loss.n_outputs), size)
        value, gradient = mean_loss(loss, outputs, gold)
        assert math.isfinite(value)
        assert np.isfinite(gradient.astype(np.float32)).all()
        assert np.isfinite(loss.point(outputs)).all()


METRICS = {
    "squared": sklearn.metrics.mean_squared_error,
    "absolute": sklearn.metrics.mean_absolute_error,
    "poisson": sklearn.metrics.mean_poisson_deviance,
}


@pytest.mark.parametrize("name", METRICS)
def test_value_agrees_with_scikit_learn(name):
    loss = registered(name)
    gold, outputs = gold_of(loss, 20, 1), rng.normal(size=(20, 1))
    expected = METRICS[name](gold, loss.point(outputs[..., None]))
    assert mean_loss(loss, outputs, gold)[0] == pytest.approx(expected)


def test_pinball_agrees_with_scikit_learn():
    loss = PinballLoss([0.1, 0.5, 0.8])
    gold, outputs = rng.normal(size=(20, 1)), rng.normal(size=(20, 3))
    quantiles = loss.quantiles(outputs)
    parts = [
        sklearn.metrics.mean_pinball_loss(gold, quantiles[:, i], alpha=level)
        for i, level in enumerate(loss.levels)
    ]
    assert mean_loss(loss, outputs, gold)[0] == pytest.approx(np.mean(parts))


def test_the_least_huber_loss_is_where_scikit_learn_finds_it():
    # HuberRegressor minimises n s + s sum H(error / s) + penalty over a line and s; with its s, the
    # loss of delta = epsilon s has the same line.
    x = rng.normal(size=(200, 1))
    y = 2 * x[:, 0] + 1 + rng.standard_t(2, size=200)
    model = sklearn.linear_model.HuberRegressor(alpha=0, tol=1e-10, max_iter=1000).fit(x, y)
    loss = huber_v1(delta=model.epsilon * model.scale_)

    def value(line):
        return mean_loss(loss, x * line[0] + line[1], y[:, None])[0]

    found = scipy.optimize.minimize(value, [0.0, 0.0], tol=1e-12).x
    np.testing.assert_allclose(found, [model.coef_[0], model.intercept_], atol=1e-4)


def test_gaussian_agrees_with_scipy():
    loss = registered("gaussian")
    gold, outputs = rng.normal(size=(20, 1)), rng.normal(size=(20, 2))
    expected = -scipy.stats.norm.logpdf(gold[:, 0], outputs[:, 0], loss.spread(outputs))
    assert mean_loss(loss, outputs, gold)[0] == pytest.approx(expected.mean())


def test_quantiles_never_cross_and_are_normal_without_evidence():
    loss = pinball_v1([0.05, 0.25, 0.5, 0.95])
    quantiles = loss.quantiles(rng.normal(scale=100, size=(1000, 4)))
    assert (np.diff(quantiles, axis=1) >= 0).all()
    without = loss.quantiles(np.zeros((1, 4)))
    np.testing.assert_allclose(without, [scipy.stats.norm.ppf(loss.levels)], atol=1e-12)


def test_poisson_predicts_the_mean_without_evidence():
    assert PoissonLoss().point(np.zeros((1, 1, 1))) == 1.0


@pytest.mark.parametrize("levels", [[0.5, 0.1], [0.1, 0.9], [0.0, 0.5], [0.5, 0.5], []])
def test_wrong_quantiles_are_refused(levels):
    with pytest.raises(ValueError, match="one of them 0.5"):
        pinball_v1(levels)


def test_wrong_delta_is_refused():
    with pytest.raises(ValueError, match="delta is 0"):
        huber_v1(0)
