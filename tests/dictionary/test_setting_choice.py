"""Which penalty or number of epochs a list is learned with."""

import io

import numpy as np
import pytest
import spacy
from tqdm import tqdm

from spacy_bertreg.dictionary import learning
from spacy_bertreg.dictionary.candidates import assign_folds, find_candidates

TEXTS = [f"good word{i}" if i % 2 else f"bad word{i}" for i in range(40)] * 2
GOOD = np.array([float("good" in text) for text in TEXTS])


class Estimator:
    """Gives weights that are `quality` of the right ones, by setting; the rest is noise."""

    setting = "level"
    n_threads = 2

    def __init__(self, qualities):
        self.qualities, self.n_settings, self.n_fits = qualities, len(qualities), []

    def fit(self, occurrences, target, last, weights=None):
        self.n_fits.append(0)
        place = len(self.n_fits) - 1
        is_good = np.array([term == "good" for term in occurrences.terms])
        noise = np.random.default_rng(0).normal(size=len(is_good))
        for quality in self.qualities[: last + 1]:
            self.n_fits[place] += 1
            yield quality * is_good + (1 - abs(quality)) * noise


def learn(monkeypatch, qualities):
    estimator = Estimator(qualities)
    monkeypatch.setattr(learning, "ElasticNet", lambda: estimator)
    nlp = spacy.blank("xx")
    found = find_candidates(
        map(nlp, TEXTS), attribute="orth_", case_sensitive=False, min_documents=1
    )
    groups = [str(i % 40) for i in range(80)]
    folds = assign_folds(groups, 5, seed=0)
    learning.learn_lexicon("elastic_net", found, {"y": GOOD}, folds, n_terms=9, seed=0)
    return estimator.n_fits


@pytest.mark.parametrize(
    ("qualities", "n_tried", "best"),
    [
        ([0.1, 0.5, 0.9, 0.4, 0.3, 1.0], 5, 2),
        ([0.1, 0.5, 0.4, 0.9, 0.3, 0.95], 6, 5),
        ([0.9, 0.5, 0.1, 1.0], 3, 0),
        ([0.1, 0.2, 0.3], 3, 2),
        # Below 0 nothing is explained, however often in a row.
        ([-0.9, -1.0, -1.0, -1.0, 0.9], 5, 4),
    ],
)
def test_settings_are_tried_until_two_in_a_row_are_no_better(monkeypatch, qualities, n_tried, best):
    *folds, final = learn(monkeypatch, qualities)
    assert folds == [n_tried] * 5
    assert final == best + 1


def test_progress_counts_fits_and_names_settings_and_folds(monkeypatch):
    shown = []

    class Bar(tqdm):
        def __init__(self, **settings):
            super().__init__(**{**settings, "disable": False, "file": io.StringIO()})

        def update(self, n=1):
            super().update(n)
            shown.append((self.n, self.total, self.postfix))

    monkeypatch.setattr(learning, "tqdm", Bar)
    learn(monkeypatch, [0.1, 0.9])
    assert [(n, total) for n, total, _ in shown] == [(n + 1, 10) for n in range(10)] + [
        (1, 2),
        (2, 2),
    ]
    assert {postfix.split(",")[0] for *_, postfix in shown[:5]} == {"level 1 of 2"}
    assert {postfix.split(",")[0] for *_, postfix in shown[5:10]} == {"level 2 of 2"}
    assert {postfix.split(",")[1] for *_, postfix in shown[:10]} <= {
        f" fold {n} of 5" for n in range(1, 6)
    }
    assert shown[-1][2] == "all documents"
