import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertreg.targets.scale import TargetScale
from spacy_bertreg.targets.transforms import resolve_transforms

VALUES = np.array([[0.0], [1.0], [3.0], [math.nan], [8.0], [400.0]])


def fit(kind: str, values=VALUES, bounds=None, **kwargs) -> TargetScale:
    return TargetScale.fit(["y"], values, [kind], [bounds], **kwargs)


@pytest.mark.parametrize("kind", ["none", "standardize", "log1p", "asinh", "logit"])
def test_a_transform_is_exactly_undone_also_when_saved(kind):
    scale = fit(kind, bounds=(-1.0, 401.0))
    again = TargetScale.from_dict(scale.to_dict())
    assert again == scale
    np.testing.assert_allclose(again.unscale(scale.scale(VALUES)), VALUES, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("kind", ["standardize", "log1p", "asinh", "logit"])
def test_known_values_are_standardised(kind):
    scaled = fit(kind, bounds=(-1.0, 401.0)).scale(VALUES)
    np.testing.assert_allclose(np.nanmean(scaled), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(scaled), 1)


def test_none_only_moves_the_mean_to_zero():
    np.testing.assert_allclose(fit("none").scale(VALUES), VALUES - np.nanmean(VALUES))


def test_a_constant_target_keeps_its_unit():
    scale = fit("standardize", np.full((3, 1), 0.1))
    assert scale.std == (1.0,)
    assert scale.unscale(np.zeros((1, 1))) == pytest.approx(0.1)


def test_with_a_log_link_the_scale_is_the_mean():
    scale = fit("none", log_link=True)
    assert scale.unscale(np.ones((1, 1))) == pytest.approx(np.nanmean(VALUES))
    with pytest.raises(ValueError, match="'y' is -2"):
        fit("none", np.array([[-2.0], [1.0]]), log_link=True)
    with pytest.raises(ValueError, match="'y' is 0 for all"):
        fit("none", np.zeros((3, 1)), log_link=True)


@given(st.lists(st.floats(-0.9, 1e6), min_size=2, max_size=20))
def test_any_values_survive(numbers):
    values = np.array(numbers)[:, None]
    for kind in ("log1p", "asinh"):
        scale = fit(kind, values)
        np.testing.assert_allclose(scale.unscale(scale.scale(values)), values, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", ["log1p", "asinh", "logit"])
def test_absurd_predictions_stay_finite(kind):
    scale = fit(kind, bounds=(-1.0, 401.0))
    predicted = scale.unscale(np.array([[1e9], [-1e9]]))
    assert np.isfinite(predicted).all()
    # And in the transform's range, so that they can be scored there.
    assert np.isfinite(scale.transform(predicted)).all()


def test_smearing_is_duans_factor_for_logs():
    rng = np.random.default_rng(0)
    x, errors = rng.normal(size=5000), rng.normal(scale=1.2, size=5000)
    y = np.exp(1 + x + errors)[:, None]
    scale = TargetScale.fit(["y"], y - 1, ["log1p"], [None])
    predicted = (1 + x[:, None] - scale.mean[0]) / scale.std[0]
    residuals = scale.scale(y - 1) - predicted
    few = scale.with_smearing([residuals[:1000, 0].tolist()])
    factor = np.exp(errors[:1000]).mean()
    np.testing.assert_allclose(
        few.unscale_with_smearing(predicted), np.exp(1 + x[:, None]) * factor - 1
    )
    # Of many residuals, quantiles stand for all; the mean prediction is that of the values.
    many = scale.with_smearing([residuals[:, 0].tolist()])
    assert many.unscale_with_smearing(predicted).mean() == pytest.approx(y.mean() - 1, rel=0.1)
    assert scale.unscale_with_smearing(predicted).mean() < 0.6 * y.mean()
    assert len(many.residuals[0]) == 2000


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [("log1p", -1.0, "above -1"), ("logit", 400.0, "a little wider"), ("logit", -3.0, "bounds")],
)
def test_values_out_of_range_are_named(kind, value, expected):
    values = np.array([[1.0], [value]])
    with pytest.raises(ValueError, match=f"'y' is {value:g} in document 2.*{expected}"):
        fit(kind, values, (0.0, 400.0))


def test_settings_by_target():
    kinds, bounds = resolve_transforms(
        ["a", "b", "c"], {"a": "logit", "b": "log1p"}, {"a": [0, 100]}, "[components.r]"
    )
    assert kinds == ["logit", "log1p", "standardize"]
    assert bounds == [(0.0, 100.0), None, None]


@pytest.mark.parametrize(
    ("transform", "bounds", "message"),
    [
        ("log", None, "transform is 'log' in .components.r.*'log1p'"),
        ({"x": "log1p"}, None, "names the target 'x'.*Expected one of: a, b"),
        ("logit", None, "bounds is None.*range of 'a'"),
        ("logit", [100, 0], "bounds is .100, 0."),
        ("logit", {"a": [0, 1]}, "bounds is None.*range of 'b'"),
        ("log1p", [0, 1], "no target has transform = 'logit'"),
    ],
)
def test_wrong_settings_are_named(transform, bounds, message):
    with pytest.raises(ValueError, match=message):
        resolve_transforms(["a", "b"], transform, bounds, "[components.r]")
