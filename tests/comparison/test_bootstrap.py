import numpy as np
import pytest

from spacy_bertreg.comparison.bootstrap import Bootstrap, interval, relative
from spacy_bertreg.evaluation.metrics import METRICS


def simulate(seed, n_groups, size, heavy=False):
    """Documents in groups that share part of their target, a good and a weak prediction."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), size)
    n = len(groups)
    signal = 0.8 * rng.normal(size=n) + 0.6 * rng.normal(size=n_groups)[groups]
    noise = rng.standard_t(5, size=n) / np.sqrt(5 / 3) if heavy else rng.normal(size=n)
    gold = signal + 0.6 * noise
    good = signal + 0.2 * rng.normal(size=n)
    weak = 0.7 * signal + 0.5 * rng.normal(size=n)
    return gold, good, weak, [str(group) for group in groups]


def test_draws_are_the_metrics_of_documents_drawn_by_group():
    gold, good, _, groups = simulate(0, 12, 3)
    good = good.round(1)  # ties
    bootstrap = Bootstrap(1e6 + 1e-3 * gold, groups, n_resamples=20)
    drawn = bootstrap.metrics(1e6 + 1e-3 * good)
    numbers = np.array(groups, dtype=int)
    for draw, counts in enumerate(bootstrap._counts):
        rows = np.repeat(np.arange(len(gold)), counts[numbers])
        for name, metric in METRICS.items():
            expected = metric(1e6 + 1e-3 * gold[rows], 1e6 + 1e-3 * good[rows])
            assert drawn[name][draw] == pytest.approx(expected, rel=1e-4), name
        assert drawn["pearson_squared"][draw] == pytest.approx(drawn["pearson"][draw] ** 2)


def test_groups_are_drawn_whole_and_the_same_for_all_models():
    gold, good, weak, groups = simulate(1, 40, 5)
    bootstrap = Bootstrap(gold, groups, n_resamples=500)
    assert bootstrap.n_groups == 40
    assert (bootstrap._counts.sum(axis=1) == 40).all()
    paired = bootstrap.metrics(good)["r2"] - bootstrap.metrics(weak)["r2"]
    unpaired = bootstrap.metrics(good)["r2"] - np.roll(bootstrap.metrics(weak)["r2"], 1)
    assert paired.std() < unpaired.std()
    assert np.array_equal(
        Bootstrap(gold, groups, n_resamples=500).metrics(good)["mse"],
        bootstrap.metrics(good)["mse"],
    )


def test_dependent_documents_widen_the_interval():
    rng = np.random.default_rng(0)
    gold = np.repeat(rng.normal(size=30), 10)
    predicted = gold + np.repeat(rng.normal(size=30), 10)
    groups = np.repeat(np.arange(30), 10).astype(str)
    width = {}
    for name, of in (("groups", groups), ("documents", [str(i) for i in range(300)])):
        low, high = interval(Bootstrap(gold, of).metrics(predicted)["mse"])
        width[name] = high - low
    assert width["groups"] > 2 * width["documents"]


def test_undefined():
    bootstrap = Bootstrap(np.ones(10), [str(i) for i in range(10)], n_resamples=200)
    drawn = bootstrap.metrics(np.arange(10.0))
    assert np.isnan(drawn["r2"]).all()
    assert np.isnan(drawn["spearman"]).all()
    assert np.isfinite(drawn["mse"]).all()
    assert np.isnan(interval(drawn["r2"])).all()
    assert np.isnan(list(bootstrap.metrics(np.full(10, np.inf)).values())).all()
    few = np.r_[np.nan, np.linspace(0, 1, 999)]
    assert interval(few) == pytest.approx((0.025, 0.975))
    assert np.isnan(interval(np.r_[np.full(20, np.nan), np.ones(980)])).all()
    np.testing.assert_array_equal(
        relative(np.array([3.0, 1.0, 1.0]), np.array([2.0, 0.0, -1.0])), [0.5, np.nan, np.nan]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_groups", "size", "heavy"), [(300, 1, False), (100, 4, False), (150, 3, True)]
)
def test_intervals_cover_the_truth(n_groups, size, heavy):
    gold, good, weak, _ = simulate(10**6, 1_000_000 // size, size, heavy)
    truth = {}
    for name, predicted in (("good", good), ("weak", weak)):
        truth[name] = METRICS["r2"](gold, predicted)
    hits = {"r2": 0, "difference": 0}
    for seed in range(500):
        gold, good, weak, groups = simulate(seed, n_groups, size, heavy)
        bootstrap = Bootstrap(gold, groups, n_resamples=1000, seed=seed)
        bootstrap._spearman = lambda predicted: predicted  # slow, and not looked at
        r2 = bootstrap.metrics(good)["r2"]
        low, high = interval(r2)
        hits["r2"] += low <= truth["good"] <= high
        low, high = interval(r2 - bootstrap.metrics(weak)["r2"])
        hits["difference"] += low <= truth["good"] - truth["weak"] <= high
    for name, n_covered in hits.items():
        assert 0.92 <= n_covered / 500 <= 0.98, name
