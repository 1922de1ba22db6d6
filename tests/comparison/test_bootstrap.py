import tracemalloc

import numpy as np
import pytest

from spacy_bertreg.comparison.bootstrap import Bootstrap, interval, relative
from spacy_bertreg.comparison.rank_correlation import RankCorrelation
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
    (drawn,) = bootstrap.metrics([1e6 + 1e-3 * good])
    numbers = np.array(groups, dtype=int)
    for draw, counts in enumerate(bootstrap.draws()):
        rows = np.repeat(np.arange(len(gold)), counts[numbers])
        for name, metric in METRICS.items():
            expected = metric(1e6 + 1e-3 * gold[rows], 1e6 + 1e-3 * good[rows])
            assert drawn[name][draw] == pytest.approx(expected, rel=1e-4), name
        assert drawn["pearson_squared"][draw] == pytest.approx(drawn["pearson"][draw] ** 2)


def test_groups_are_drawn_whole_and_the_same_for_all_models():
    gold, good, weak, groups = simulate(1, 40, 5)
    bootstrap = Bootstrap(gold, groups, n_resamples=500)
    assert bootstrap.n_groups == 40
    assert all(counts.sum() == 40 for counts in bootstrap.draws())
    of_good, of_weak = bootstrap.metrics([good, weak])
    paired = of_good["r2"] - of_weak["r2"]
    unpaired = of_good["r2"] - np.roll(of_weak["r2"], 1)
    assert paired.std() < unpaired.std()
    # Whatever else is compared.
    (alone,) = Bootstrap(gold, groups, n_resamples=500).metrics([good])
    assert all(np.array_equal(alone[name], of_good[name]) for name in alone)


@pytest.mark.parametrize("held", [1, 70, 6000, 10**6])
def test_draws_in_blocks_are_those_of_all_at_once(held, monkeypatch):
    gold, good, weak, groups = simulate(2, 30, 4)
    bootstrap = Bootstrap(gold, groups, n_resamples=200, seed=3)
    expected = bootstrap.metrics([good, weak])
    monkeypatch.setattr("spacy_bertreg.comparison.bootstrap.COUNTS_HELD", held)
    for drawn, before in zip(bootstrap.metrics([good, weak]), expected, strict=True):
        for name, values in drawn.items():
            np.testing.assert_array_equal(values, before[name])
    at_once = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), 200)
    np.testing.assert_array_equal(list(bootstrap.draws()), at_once)
    inside = (good > 0).astype(float)
    means, ones = bootstrap.means([inside, np.ones(120)])
    expected = [np.repeat(inside, counts.repeat(4)).mean() for counts in at_once]
    np.testing.assert_allclose(means, expected, rtol=1e-12)
    assert (ones == 1).all()
    # Figures of the version that made all draws at once.
    (drawn,) = bootstrap.metrics([good])
    assert drawn["r2"][:100].mean() == pytest.approx(0.5920486645224454, rel=1e-12)
    assert drawn["mae"][:100].mean() == pytest.approx(0.5413739936922299, rel=1e-12)
    assert drawn["spearman"][:100].mean() == pytest.approx(0.7554766186018136, rel=1e-12)


def test_memory_does_not_grow_with_the_draws(monkeypatch):
    monkeypatch.setattr("spacy_bertreg.comparison.bootstrap.COUNTS_HELD", 20_000)
    gold, good, weak, groups = simulate(0, 20_000, 1)
    peaks = []
    for n_resamples in (5, 50):
        bootstrap = Bootstrap(gold, groups, n_resamples=n_resamples)
        tracemalloc.start()
        bootstrap.metrics([good, weak])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("n_values", [1, 2, 5, 1000])
def test_ranks_of_draws(n_values):
    rng = np.random.default_rng(n_values)
    gold = rng.integers(0, n_values, 60).astype(float)
    models = [rng.integers(0, n, 60) / 7 for n in (n_values, 3, 1, 10**6)]
    correlate = RankCorrelation(gold, models)
    for weights in rng.multinomial(60, np.full(60, 1 / 60), 20):
        rows = np.repeat(np.arange(60), weights)
        expected = [METRICS["spearman"](gold[rows], model[rows]) for model in models]
        found = correlate(weights.astype(np.uint8))
        np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=1e-9, atol=1e-12)
    one = np.zeros(60, dtype=np.uint16)
    one[7] = 300
    assert np.isnan(correlate(one)).all()


def test_dependent_documents_widen_the_interval():
    rng = np.random.default_rng(0)
    gold = np.repeat(rng.normal(size=30), 10)
    predicted = gold + np.repeat(rng.normal(size=30), 10)
    groups = np.repeat(np.arange(30), 10).astype(str)
    width = {}
    for name, of in (("groups", groups), ("documents", [str(i) for i in range(300)])):
        low, high = interval(Bootstrap(gold, of).metrics([predicted])[0]["mse"])
        width[name] = high - low
    assert width["groups"] > 2 * width["documents"]


def test_undefined():
    bootstrap = Bootstrap(np.ones(10), [str(i) for i in range(10)], n_resamples=200)
    drawn, infinite = bootstrap.metrics([np.arange(10.0), np.full(10, np.inf)])
    assert np.isnan(drawn["r2"]).all()
    assert np.isnan(drawn["spearman"]).all()
    assert np.isfinite(drawn["mse"]).all()
    assert np.isnan(interval(drawn["r2"])).all()
    assert np.isnan(list(infinite.values())).all()
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
def test_intervals_cover_the_truth(n_groups, size, heavy, monkeypatch):
    # Slow, and not looked at.
    monkeypatch.setattr(
        "spacy_bertreg.comparison.bootstrap.RankCorrelation",
        lambda gold, predictions: lambda weights: [np.nan] * len(predictions),
    )
    gold, good, weak, _ = simulate(10**6, 1_000_000 // size, size, heavy)
    truth = {}
    for name, predicted in (("good", good), ("weak", weak)):
        truth[name] = METRICS["r2"](gold, predicted)
    hits = {"r2": 0, "difference": 0}
    for seed in range(300):
        gold, good, weak, groups = simulate(seed, n_groups, size, heavy)
        bootstrap = Bootstrap(gold, groups, n_resamples=500, seed=seed)
        r2, of_weak = (metrics["r2"] for metrics in bootstrap.metrics([good, weak]))
        low, high = interval(r2)
        hits["r2"] += low <= truth["good"] <= high
        low, high = interval(r2 - of_weak)
        hits["difference"] += low <= truth["good"] - truth["weak"] <= high
    for name, n_covered in hits.items():
        assert 0.92 <= n_covered / 300 <= 0.98, name
