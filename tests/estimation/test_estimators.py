"""Estimators against statsmodels, ppi-python, and formulas."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from spacy_bertreg.estimation.estimators import _fit, fit_dsl, fit_gold, fit_naive, fit_ppi
from spacy_bertreg.estimation.moments import Regression
from spacy_bertreg.estimation.plan import expect_widths

# ppi-python 0.2.3, `ppi_mean_pointestimate`, `ppi_ols_pointestimate`, `ppi_logistic_pointestimate`
# (gtol 1e-10) on the data of `make_data`, and half the widths of `ppi_*_ci` by the normal quantile.
# By kind and lambda; with None it tunes lambda for the last coefficient.
PPI_PYTHON = {
    ("mean", 0.5): ([0.99331896], [0.03871154]),
    ("mean", 1.0): ([0.98491468], [0.04145656]),
    ("mean", 0.8): ([0.98827639], [0.03806535]),
    ("mean", None): ([0.99058533], [0.03747068]),
    ("linear", 0.5): ([0.9930994, 0.45677198], [0.03787934, 0.05411188]),
    ("linear", 1.0): ([0.98501906, 0.41093703], [0.0404933, 0.0578788]),
    ("linear", None): ([0.99120544, 0.44602865], [0.0370104, 0.05297272]),
    ("logistic", 0.5): ([-0.00323218, 0.81615964], [0.0913642, 0.13204302]),
    ("logistic", 1.0): ([-0.01610663, 0.77068269], [0.110422, 0.1598403]),
    ("logistic", 0.8): ([-0.0109735, 0.788815], [0.09949738, 0.14404362]),
    ("logistic", None): ([-0.0012907, 0.82301703], [0.09121342, 0.13175374]),
}


def make_data():
    """Every fifth of 2,000 documents is coded. No random numbers, so that others can make it."""
    i = np.arange(1, 2001)
    x, u, v = np.sin(1.7 * i), np.sin(2.3 * i + 1) + np.cos(5.1 * i), np.sin(0.37 * i * i)
    y = 1 + 0.5 * x + u
    return x, y, 0.7 * y + 0.2 * x + 0.8 * v + 0.3, np.flatnonzero(i % 5 == 0)


def make_regression(kind="linear", weights=None, clusters=None):
    x, y, predicted, coded = make_data()
    X = np.column_stack([np.ones_like(x), x])[:, : 1 if kind == "mean" else 2]
    if kind == "logistic":
        y, predicted = (y > 1).astype(float), (predicted > 1.2).astype(float)
    weights = np.ones(len(coded)) if weights is None else weights
    return Regression(
        ["Intercept", "x"][: X.shape[1]],
        X,
        predicted,
        X[coded],
        y[coded],
        coded,
        weights * len(x) / weights.sum(),
        clusters,
        "logistic" if kind == "logistic" else "linear",
    )


@pytest.mark.parametrize(("kind", "power"), PPI_PYTHON, ids=str)
def test_ppi_gives_what_ppi_python_gives(kind, power):
    regression = make_regression(kind)
    estimate, std_error = PPI_PYTHON[kind, power]
    if power is None:
        fit = fit_ppi(regression)
        # The place at which lambda is tuned differs, and matters little.
        assert fit.estimate[-1] == pytest.approx(estimate[-1], abs=0.1 * std_error[-1])
        assert fit.std_error[-1] == pytest.approx(std_error[-1], rel=0.01)
        return
    power /= 0.8
    fit = _fit(regression, power, regression.solve(power))
    # For least squares, it takes each sample's own X'X, which is the same in the limit.
    tolerance = 0.01 if kind == "linear" else 1e-6
    np.testing.assert_allclose(fit.estimate, estimate, atol=tolerance * min(std_error))
    # It takes the two samples' covariances apart, and no degrees of freedom.
    np.testing.assert_allclose(fit.std_error, std_error, rtol=0.004)


@pytest.mark.parametrize("kind", ["linear", "logistic"])
def test_gold_and_naive_are_statsmodels_with_hc1(kind):
    regression = make_regression(kind)
    model = sm.Logit if kind == "logistic" else sm.OLS
    settings = {"disp": 0, "tol": 1e-10} if kind == "logistic" else {}
    for fit, X, y in (
        (fit_gold(regression), regression.X_coded, regression.y_coded),
        (fit_naive(regression), regression.X, regression.y),
    ):
        expected = model(y, X).fit(cov_type="HC0", **settings)
        n, k = X.shape
        np.testing.assert_allclose(fit.estimate, expected.params, rtol=1e-6)
        np.testing.assert_allclose(fit.std_error, expected.bse * np.sqrt(n / (n - k)), rtol=1e-6)
        assert fit.df == n - k


def test_clusters_are_statsmodels_too():
    clusters = np.arange(2000) // 50
    regression = make_regression(clusters=clusters)
    fit = fit_gold(regression)
    groups = clusters[regression.coded]
    expected = sm.OLS(regression.y_coded, regression.X_coded).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    np.testing.assert_allclose(fit.std_error, expected.bse, rtol=1e-9)
    assert fit.df == 39


def test_weighted_gold_is_weighted_least_squares():
    weights = 1 + np.arange(400) % 7 / 2
    fit = fit_gold(make_regression(weights=weights))
    regression = make_regression(weights=weights)
    expected = sm.WLS(regression.y_coded, regression.X_coded, weights=weights).fit()
    np.testing.assert_allclose(fit.estimate, expected.params, rtol=1e-9)


def test_dsl_is_least_squares_on_the_corrected_outcome():
    regression = make_regression()
    pseudo = regression.y.copy()
    pseudo[regression.coded] += 5 * (regression.y_coded - regression.y[regression.coded])
    expected = sm.OLS(pseudo, regression.X).fit(cov_type="HC0")
    fit = fit_dsl(regression)
    np.testing.assert_allclose(fit.estimate, expected.params, rtol=1e-9)
    # Here, the number of coded documents is fixed.
    assert (fit.std_error < 1.01 * expected.bse).all()
    np.testing.assert_allclose(fit.std_error, expected.bse, rtol=0.1)


@pytest.mark.parametrize("kind", ["mean", "logistic"])
def test_dsl_is_ppi_with_the_share_of_uncoded_documents_as_lambda(kind):
    estimate, std_error = PPI_PYTHON[kind, 0.8]
    fit = fit_dsl(make_regression(kind))
    np.testing.assert_allclose(fit.estimate, estimate, atol=1e-6 * min(std_error))
    np.testing.assert_allclose(fit.std_error, std_error, rtol=0.004)


def test_where_all_are_coded_all_corrected_estimators_are_gold():
    x, y, predicted, _ = make_data()
    X = np.column_stack([np.ones_like(x), x])
    regression = Regression(["1", "x"], X, predicted, X, y, np.arange(2000), np.ones(2000))
    gold = fit_gold(regression)
    for fit in (fit_dsl(regression), fit_ppi(regression)):
        np.testing.assert_allclose(fit.estimate, gold.estimate, rtol=1e-9)
        np.testing.assert_allclose(fit.std_error, gold.std_error, rtol=1e-3)


def test_predictions_without_information_add_nothing():
    regression = make_regression()
    noise = replace(regression, y=np.cos(11.3 * np.arange(2000)))
    fit, gold = fit_ppi(noise), fit_gold(noise)
    assert (fit.power < 0.2).all()
    np.testing.assert_allclose(fit.std_error, gold.std_error, rtol=0.01)
    assert (fit_dsl(noise).std_error > gold.std_error).all()


def test_units_of_covariates_do_not_matter():
    regression = make_regression("logistic")
    for scale in (1e-6, 1e6):
        unit = np.array([1.0, scale])
        other = replace(regression, X=regression.X * unit, X_coded=regression.X_coded * unit)
        for fit in (fit_gold, fit_dsl, fit_ppi):
            np.testing.assert_allclose(
                fit(other).estimate * unit, fit(regression).estimate, rtol=1e-5
            )


def test_a_separated_outcome_is_an_error():
    regression = make_regression("logistic")
    separated = replace(regression, y_coded=(regression.X_coded[:, 1] > 0).astype(float))
    with pytest.raises(ValueError, match="covariates separate the outcome"):
        fit_gold(separated)
    # Far outliers are something else.
    X = regression.X * [1, 1]
    X[:3, 1] = [40, -60, 50]
    outliers = replace(regression, X=X, X_coded=X[regression.coded])
    assert np.isfinite(fit_gold(outliers).std_error).all()


def test_plan_expects_what_more_documents_bring():
    _, y, predicted, _ = make_data()
    X = np.ones((2000, 1))

    def regression(step):
        coded = np.arange(0, 2000, step)
        weights = np.full(len(coded), float(step))
        return Regression(["mean"], X, predicted, X[coded], y[coded], coded, weights)

    few, many = regression(20), regression(5)
    for fit in (fit_gold, fit_dsl):
        plan = expect_widths(few, {"any": fit(few)}, 0.95).set_index("n_coded")["width"]
        assert plan.is_monotonic_decreasing
        assert plan.index.max() == 1000
        assert plan[400] == pytest.approx(2 * 1.966 * fit(many).std_error[0], rel=0.1)
        assert plan[100] == pytest.approx(2 * 1.984 * fit(few).std_error[0], rel=0.001)
