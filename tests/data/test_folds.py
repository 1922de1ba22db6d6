"""Folds: whole groups, expanding time, like distributions."""

import numpy as np
import pandas as pd
import pytest

from spacy_bertreg.data.folds import folds_by_group, folds_by_target, folds_by_time, make_folds

RNG = np.random.default_rng(0)
GROUPS = [f"g{i}" for i in RNG.zipf(1.6, 600).clip(max=80)]
VALUES = RNG.normal(size=600).tolist()
TIMES = [f"20{i % 20 + 10}-{i % 12 + 1:02}-01" for i in range(600)]
IDS = list(map(str, range(600)))
DATA = {"groups": GROUPS, "values": VALUES, "times": TIMES, "ids": IDS}


def test_groups_stay_whole_and_folds_are_of_like_size():
    sizes = RNG.integers(1, 30, 60)
    groups = np.repeat([f"g{i}" for i in range(60)], sizes)
    folds = [folds_by_group(groups, 5, seed) for seed in range(20)]
    for of_doc in folds:
        assert pd.Series(of_doc).groupby(groups).nunique().max() == 1
        assert np.ptp(np.bincount(of_doc, minlength=5)) <= 5
    # Every seed draws other folds, with the order of folds left aside.
    together = {tuple((f[:, None] == f).ravel()) for f in folds}
    assert len(together) == 20
    assert (folds_by_group(groups, 5, 0) == folds[0]).all()


@pytest.mark.parametrize("sizes", [[10, 1, 1, 1, 1], [500, 2, 2, 2, 2, 2, 1], [1] * 5])
def test_no_fold_is_empty(sizes):
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    for seed in range(30):
        assert (np.bincount(folds_by_group(groups, 5, seed), minlength=5) > 0).all()


def test_targets_are_stratified():
    values = RNG.lognormal(0, 2, 503)
    values[:40] = np.nan
    of_doc = folds_by_target(values, list(map(str, range(503))), 5, 0)
    assert np.ptp(np.bincount(of_doc)) <= 1
    # The largest value of all decides a mean; ranks hardly differ.
    ranks = pd.Series(values).rank(pct=True).groupby(of_doc).mean()
    assert np.ptp(ranks) < 0.01
    assert np.ptp(pd.Series(np.isnan(values)).groupby(of_doc).sum()) <= 2
    copies = folds_by_target(values, np.repeat(list(map(str, range(252))), 2)[:503], 5, 0)
    assert (copies[0:502:2] == copies[1:502:2]).all()


def test_time_expands():
    dates = pd.Series(pd.to_datetime(RNG.integers(0, 1000, 600), unit="D"))
    of_doc = folds_by_time(dates, 4)
    assert set(of_doc) == {-1, 0, 1, 2, 3}
    assert np.ptp(np.bincount(of_doc + 1)) < 12
    for fold in range(4):
        assert dates[of_doc < fold].max() < dates[of_doc == fold].min()


@pytest.mark.parametrize("by", ["group", "time", "target"])
def test_parts_are_apart(by):
    folds = make_folds(by, 4, 3, 0.2, **DATA)
    seen = np.concatenate([fold.test for fold in folds])
    assert len(seen) == len(set(seen))
    assert (len(seen) == 600) == (by != "time")
    for fold in folds:
        parts = [set(fold.train), set(fold.dev), set(fold.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts))
        if by == "time":
            first, last = ([TIMES[i] for i in part] for part in (fold.dev, fold.test))
            assert max(TIMES[i] for i in fold.train) < min(first)
            assert max(first) < min(last)
        else:
            names = [{GROUPS[i] for i in part} for part in parts]
            assert sum(map(len, names)) == len(set.union(*names))
    again = make_folds(by, 4, 3, 0.2, **DATA)
    assert all((a.dev == b.dev).all() for a, b in zip(folds, again, strict=True))


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"by": "author"}, "by is 'author'. Expected one of group, time, target"),
        ({"n_folds": 1}, "folds is 1. Expected 2 or more"),
        ({"dev": 1.0}, "dev is 1.0. Expected a share"),
        ({"n_folds": 601}, "There are 600 different documents, too few for 601 folds"),
        ({"by": "group", "groups": ["a", "b"] * 300, "n_folds": 3}, "There are 2 groups, too few"),
        ({"by": "group", "groups": ["a", "b"] * 300, "n_folds": 2}, "Fold 1 of 2: The split"),
        ({"by": "time", "times": [None] * 600}, "document '0' has no time. Expected one in each"),
        ({"by": "time", "times": [*TIMES[:-1], "soon"]}, "'599' has the time 'soon'. Expected"),
        ({"by": "time", "times": ["2010"] * 600}, "There are 1 dates, too few for 5 periods"),
        ({"by": "time", "times": [*["2010-01-01"] * 590, *TIMES[:10]]}, "has 591 of 600"),
    ],
)  # fmt: skip
def test_what_can_not_be_folded(settings, found):
    arguments = {"by": "target", "n_folds": 4, "seed": 0, "dev": 0.1, **DATA, **settings}
    if arguments["by"] == "target":
        arguments["groups"] = IDS
    with pytest.raises(ValueError, match=found):
        make_folds(**arguments)
