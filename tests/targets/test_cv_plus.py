"""CV+ intervals against the definition, written out."""

import math
import tracemalloc

import numpy as np
import pytest

from spacy_bertreg.targets.cv_plus import cv_plus_intervals


def by_definition(predictions, errors, level):
    """Sort all sums and differences of each new document."""
    centres = np.concatenate(
        [np.repeat(predictions[:, [fold]], len(own), axis=1) for fold, own in enumerate(errors)],
        axis=1,
    )
    errors = np.concatenate(errors)
    n = len(errors)
    high = math.ceil(round(level * (n + 1), 9))
    low = math.floor(round((1 - level) * (n + 1), 9))
    return np.stack(
        [
            np.sort(centres - errors, axis=1)[:, low - 1],
            np.sort(centres + errors, axis=1)[:, high - 1],
        ],
        axis=1,
    )


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("sizes", [(40, 40, 40, 40, 40), (3, 90, 1, 27), (25,), (0, 30, 1)])
def test_as_defined(sizes, level):
    rng = np.random.default_rng(sum(sizes))
    for spread in (0.0, 1e-9, 0.5, 100.0):
        predictions = 5 + spread * rng.normal(size=(30, len(sizes)))
        errors = [np.abs(rng.normal(size=size)) for size in sizes]
        found = cv_plus_intervals(predictions, errors, level)
        np.testing.assert_allclose(found, by_definition(predictions, errors, level), rtol=1e-11)


@pytest.mark.parametrize("step", [1.0, 0.1])
def test_many_equal_values(step):
    """Ratings in steps, and models that predict but few values: sums are equal but for rounding."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        predictions = step * rng.integers(0, 4, size=(20, 4))
        errors = [step * rng.integers(0, 3, size=size).astype(float) for size in (9, 30, 17, 1)]
        found = cv_plus_intervals(predictions, errors, 0.9)
        np.testing.assert_allclose(found, by_definition(predictions, errors, 0.9), rtol=1e-11)


def test_one_fold_is_a_split():
    errors = np.arange(1.0, 10.0)
    found = cv_plus_intervals(np.array([[5.0], [-3.0]]), [errors[::-1]], 0.9)
    assert found.tolist() == [[-4.0, 14.0], [-12.0, 6.0]]
    nothing = cv_plus_intervals(np.zeros((1, 2)), [np.zeros(9), np.zeros(9)], 0.9)
    assert nothing.tolist() == [[0.0, 0.0]]
    assert cv_plus_intervals(np.zeros((0, 1)), [errors], 0.9).shape == (0, 2)


def test_ends_do_not_pass_each_other():
    predictions = np.array([[0.0, 10.0]])
    ((low, high),) = cv_plus_intervals(predictions, [np.full(10, 0.1), np.full(10, 0.1)], 0.1)
    assert low == high == 5.0


@pytest.mark.parametrize(
    ("level", "message"),
    [
        (1.0, "The level is 1.0. Expected a number between 0 and 1"),
        (0.0, "The level is 0.0. Expected"),
        (0.91, "9 labelled documents are too few for intervals of level 0.91. Expected 11 or more"),
    ],
)
def test_wrong_levels(level, message):
    errors = [np.ones(4), np.ones(5)]
    assert cv_plus_intervals(np.zeros((1, 2)), errors, 0.9).tolist() == [[-1.0, 1.0]]
    with pytest.raises(ValueError, match=message):
        cv_plus_intervals(np.zeros((1, 2)), errors, level)


def test_memory_is_not_documents_times_errors():
    rng = np.random.default_rng(0)
    predictions = rng.normal(size=(2000, 5))
    errors = [np.abs(rng.normal(size=4000)) for _ in range(5)]
    tracemalloc.start()
    found = cv_plus_intervals(predictions, errors, 0.9)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2000 * 20_000 * 8 / 100
    np.testing.assert_allclose(found[:20], by_definition(predictions[:20], errors, 0.9))
