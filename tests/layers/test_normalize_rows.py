import numpy as np
import pytest

from spacy_bertreg.layers.normalize_rows import normalize_rows

rng = np.random.default_rng(0)
ROWS = rng.normal(size=(3, 5)).astype("f")


def test_rows_keep_their_direction_and_get_one_length():
    scaled = normalize_rows().predict(ROWS)
    np.testing.assert_allclose((scaled**2).mean(axis=1), 1, rtol=1e-6)
    ratios = scaled / ROWS
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[:, :1], ratios.shape), rtol=1e-5)
    np.testing.assert_allclose(normalize_rows().predict(7 * ROWS), scaled, rtol=1e-6)


def test_zeros_stay_zeros_and_take_a_finite_gradient():
    zeros = np.zeros((2, 5), dtype="f")
    scaled, backprop = normalize_rows().begin_update(zeros)
    assert not scaled.any()
    assert np.isfinite(backprop(np.ones_like(zeros))).all()


@pytest.mark.parametrize("row", range(3))
def test_gradient_is_that_of_finite_differences(row):
    direction = rng.normal(size=ROWS.shape).astype("f")
    _, backprop = normalize_rows().begin_update(ROWS.astype("d"))
    gradient = backprop(direction.astype("d"))[row]
    step, expected = 1e-6, []
    for column in range(ROWS.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = ROWS.astype("d")
            moved[row, column] += sign * step
            ends.append((normalize_rows().predict(moved) * direction).sum())
        expected.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)
