"""95 % intervals hold the truth in 92 to 98 % of 500 data sets, where naive ones do not."""

import pytest
from estimate_coverage import DESIGNS, N_DATA, biased, coverage


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
def test_corrected_intervals_hold_what_they_promise(design):
    found = coverage(design, N_DATA)
    assert found["naive"][0] < 0.8
    for name in ("gold", "dsl", "ppi++"):
        assert 0.92 <= found[name][0] <= 0.98, found
    # Tuning never does worse than the coded documents alone.
    assert found["ppi++"][1] < 1.01 * found["gold"][1]


def test_naive_intervals_are_wrong_and_corrected_ones_narrower():
    found = coverage(biased, 40)
    assert found["naive"][0] < 0.5
    assert found["dsl"][0] > 0.8
    assert found["dsl"][1] < 0.9 * found["gold"][1]
