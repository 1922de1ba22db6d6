"""CV+ intervals on a target's transformed scale, and from tables of predictions."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from spacy_bertreg.comparison.fold_intervals import FoldIntervals, FoldModels
from spacy_bertreg.targets.scale import TargetScale

N = 40


def make_models(gold, predicted, fold):
    table = pd.DataFrame({"target": "y", "fold": fold, "gold": gold, "bert": predicted})
    return FoldModels(Path("cv"), "bert", [], table)


def make_regressor(gold, transform, bounds=None, log_link=False):
    scale = TargetScale.fit(["y"], gold[:, None], [transform], [bounds], log_link=log_link)
    return SimpleNamespace(targets=("y",), scale=scale, lowest=0.0 if log_link else -np.inf)


def test_counts_stay_above_zero():
    rng = np.random.default_rng(0)
    gold = rng.poisson(2.0, size=N).astype(float)
    fold = np.arange(N) % 4 + 1
    models = make_models(gold, np.full(N, 2.0), fold)
    regressor = make_regressor(gold, "none", log_link=True)
    (intervals,) = models.fit_intervals([regressor], 0.9)
    ends = intervals(np.full((3, 4), 0.5))
    width = np.sort(np.abs(gold - 2.0))[int(np.ceil(0.9 * (N + 1))) - 1]
    assert ends.tolist() == [[0.0, 0.5 + width]] * 3


@pytest.mark.parametrize(("kind", "bounds"), [("logit", (1000.0, 1001.0)), ("log1p", None)])
def test_predictions_at_the_end_of_the_range(kind, bounds):
    low, high = bounds or (-1.0, np.inf)
    gold = np.linspace(low + 0.1, low + 0.9, N)
    models = make_models(gold, gold[::-1], np.arange(N) % 2)
    (intervals,) = models.fit_intervals([make_regressor(gold, kind, bounds)], 0.8)
    top = high if bounds else 1e300
    ends = intervals(np.array([[low, low], [top, top], [low, top]]))
    assert np.isfinite(ends).all()
    assert (ends[:, 0] >= low).all()
    assert (ends[:, 1] <= high).all()
    assert (ends[:, 0] <= ends[:, 1]).all()


def test_a_fold_without_a_known_value():
    """Its model has no errors, and takes no part."""
    errors = (np.ones(5), np.zeros(0), np.full(5, 2.0))
    intervals = FoldIntervals("none", None, -np.inf, errors, 0.9)
    assert intervals(np.array([[0.0, 99.0, 0.0]])).tolist() == [[-2.0, 2.0]]


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        (0.0, "z", "cv has no predictions of 'y'"),
        (np.nan, "y", "cv: some predictions of 'y' by 'bert' are not finite"),
    ],
)
def test_predictions_that_are_missing(predicted, target, message):
    gold = np.arange(float(N))
    models = make_models(gold, np.full(N, predicted), np.arange(N) % 2)
    models.table["target"] = target
    with pytest.raises(ValueError, match=message):
        models.fit_intervals([make_regressor(gold, "none")], 0.9)
