import numpy as np
import pandas as pd
import pytest

from spacy_bertreg.comparison.models import LINE, MEAN
from spacy_bertreg.comparison.verdict import (
    find_failures,
    find_pair,
    find_warnings,
    is_sure_lead,
    verdicts,
)


def tables(r2, interval=0.05, n_groups=100):
    """Metrics and differences of models with these R², every interval of the same width."""
    metrics = pd.DataFrame(
        [
            {"model": m, "target": "y", "n": 200, "n_groups": n_groups, "r2": v}
            | {"r2_low": v - interval, "r2_high": v + interval}
            for m, v in r2.items()
        ]
    )
    names = list(r2)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[:i]]
    differences = pd.DataFrame(
        [
            {"model": a, "baseline": b, "target": "y", "r2_difference": r2[a] - r2[b]}
            | {"r2_difference_low": r2[a] - r2[b] - interval}
            | {"r2_difference_high": r2[a] - r2[b] + interval}
            | {"r2_change": r2[a] / r2[b] - 1 if r2[b] > 0 else np.nan, "mse_change": -0.2}
            for a, b in pairs
        ]
    )
    return metrics, differences


def verdict(r2, **settings):
    return verdicts(*tables({MEAN: 0.0, LINE: 0.1, **r2}, **settings)).iloc[0]


def sentence(r2, **settings):
    return verdict(r2, **settings)["sentence"]


def test_names_the_best_the_next_and_the_first():
    text = sentence({"dictionary": 0.6, "strong": 0.7, "full": 0.8})
    assert "full predicts y best: R² 0.800 (95 % interval 0.750 to 0.850)" in text
    assert "0.100 (0.050 to 0.150; +14.3% in R², -20.0% in MSE) more than strong, the next" in text
    assert "0.200 (0.150 to 0.250; +33.3% in R², -20.0% in MSE) more than dictionary." in text
    assert "chance" not in text


def test_the_best_may_come_first_in_the_list():
    text = sentence({"full": 0.8, "dictionary": 0.6})
    assert "0.200 (0.150 to 0.250) more than dictionary, the next best." in text


def test_does_not_claim_what_may_be_chance():
    text = sentence({"dictionary": 0.6, "full": 0.62})
    assert "which may be chance, more than dictionary" in text


@pytest.mark.parametrize(
    ("r2", "headline", "other", "is_sure"),
    [
        ({"a": 0.6, "b": 0.8}, "b predicts y best.", "a", True),
        (
            {"b": 0.62, "a": 0.6},
            "b predicts y best, but its lead over a may be chance.",
            "a",
            False,
        ),
        ({"a": 0.6}, f"a predicts y better than the {LINE}.", LINE, True),
        ({"a": 0.12}, f"a predicts y better than the {LINE}, but that may be chance.", LINE, False),
        (
            {"a": 0.0},
            f"No model that reads the words predicts y better than the {LINE}.",
            None,
            None,
        ),
    ],
)
def test_headlines(r2, headline, other, is_sure):
    found = verdict(r2)
    assert (found["headline"], found["other"], found["is_sure"]) == (headline, other, is_sure)
    assert found["best"] == (max(r2, key=r2.get) if other else LINE)


def test_lead_must_be_sure_over_folds_too():
    _, differences = tables({"a": 0.6, "b": 0.8})
    row = differences.iloc[0]
    assert is_sure_lead(row, 1)
    assert not is_sure_lead(row, -1)
    assert is_sure_lead(-row[["r2_difference_low", "r2_difference_high"]], -1)
    folds = {"r2_folds": 0.2, "r2_folds_low": 0.1, "r2_folds_high": np.nan}
    assert not is_sure_lead(pd.Series({**row, **folds}), 1)
    assert is_sure_lead(pd.Series({**row, **folds, "r2_folds_high": 0.3}), 1)


def test_less_flattering():
    assert "No model that reads the words does better." in sentence({"full": 0.05})
    text = verdicts(*tables({"full": np.nan, MEAN: np.nan, LINE: np.nan}))["sentence"][0]
    assert "observed values do not vary" in text
    metrics, differences = tables({MEAN: 0.0, LINE: 0.1, "full": 0.12}, n_groups=5)
    runs = pd.DataFrame({"model": [], "run": [], "target": [], "diverged": []})
    length, groups = find_warnings([], metrics, runs, differences)
    assert "full does not surely beat a line on document length in y" in length
    assert "The test set for y has 5 groups" in groups


def test_failed_runs():
    runs = pd.DataFrame(
        {
            "model": ["a", "a", "a", "a", "b", MEAN],
            "run": ["0", "1", "2", "3", "0", "0"],
            "r2": [0.8, -0.3, 0.39, np.nan, 0.3, -0.01],
        }
    )
    first, mean, half, infinite, other, trivial = find_failures(runs)
    assert first is other is trivial is None
    assert "no better than the training mean" in mean
    assert "less than half of its model's best run" in half
    assert "not finite" in infinite


def test_pairs_in_either_order():
    _, differences = tables({"a": 0.1, "b": 0.3})
    row, sign = find_pair(differences, "a", "b", "y")
    assert sign == -1
    assert row["model"] == "b"
    with pytest.raises(KeyError):
        find_pair(differences, "a", "c", "y")
