import sys

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from spacy_bertreg.dictionary import elastic_net, sensitivity
from spacy_bertreg.dictionary.candidates import assign_folds, find_candidates
from spacy_bertreg.dictionary.elastic_net import ElasticNet
from spacy_bertreg.dictionary.learning import learn_lexicon
from spacy_bertreg.dictionary.lexicon import Lexicon
from spacy_bertreg.dictionary.sensitivity import Sensitivity
from spacy_bertreg.dictionary.term_matcher import TermMatcher

nlp = spacy.blank("en")


def candidates_of(texts, min_documents=1, **settings):
    settings = {"attribute": "orth_", "case_sensitive": False, **settings}
    docs = [nlp(text) for text in texts]
    return find_candidates(docs, min_documents=min_documents, **settings)


def test_candidates_are_words_and_their_beginnings():
    found = candidates_of(["Killings :) don't 12", "killings"])
    assert set(found.terms) == {"kill*", "killi*", "killings", ":)", "do", "n't", "12"}
    parents = dict(zip(found.terms, found.parents.tolist(), strict=True))
    assert found.terms[parents["killings"]] == "killi*"
    assert found.terms[parents["killi*"]] == "kill*"
    assert parents["kill*"] == parents[":)"] == -1


def test_candidates_must_be_frequent_enough():
    found = candidates_of(["killed him", "kills him", "nobody"], min_documents=2)
    assert set(found.terms) == {"kill*", "him"}
    assert not candidates_of(["one", "two"], min_documents=2).terms


def test_case_and_lemmas():
    assert "US" in candidates_of(["US"], case_sensitive=True).terms
    doc = nlp("went")
    doc[0].lemma_ = "go"
    found = find_candidates([doc], attribute="lemma_", case_sensitive=False, min_documents=1)
    assert found.terms == ("go",)


words = st.lists(st.text("ab", min_size=1, max_size=7), min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(words.map(" ".join), min_size=1, max_size=5), st.integers(0, 1000))
def test_the_list_is_the_linear_model(texts, seed):
    """The most specific term's weight is the sum of the weights of all candidates."""
    found = candidates_of(texts)
    weights = np.random.default_rng(seed).normal(size=len(found.terms))
    lexicon = found.to_lexicon(weights, n_terms=len(weights))
    matcher = TermMatcher(nlp.tokenizer, lexicon)
    docs = [nlp(text) for text in texts]
    sums = [sum(lexicon.weights[m.entry] for m in matcher(doc)) for doc in docs]
    np.testing.assert_allclose(
        found.predict(weights), [s / len(doc) ** 0.5 for s, doc in zip(sums, docs, strict=True)]
    )


def test_only_terms_that_matter_are_kept():
    found = candidates_of(["good bad dull", "good"])
    weights = np.array([{"good": 1.0, "bad": -3.0}.get(term, 0.0) for term in found.terms])
    assert found.to_lexicon(weights, n_terms=10).terms == ("bad", "good")
    assert found.to_lexicon(weights, n_terms=1).terms == ("bad",)


def test_folds_keep_groups_whole():
    groups = [f"g{number % 20}" for number in range(100)]
    folds = assign_folds(groups, 5, seed=0)
    assert all(len(set(folds[i::20])) == 1 for i in range(20))
    assert np.bincount(folds).tolist() == [20] * 5
    np.testing.assert_array_equal(folds, assign_folds(groups, 5, seed=0))
    assert assign_folds(["a", "b"], 5, seed=0).tolist() in ([0, 1], [1, 0])


VOCABULARY = {"awful": -2.0, "bad": -1.0, "good": 1.0, "great": 2.0, "the": 0.0, "a": 0.0, "of": 0}


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    drawn = [rng.choice(list(VOCABULARY), size=8) for _ in range(300)]
    target = np.array([sum(VOCABULARY[word] for word in words) for words in drawn])
    return [" ".join(words) for words in drawn], target + 0.3 * rng.normal(size=300) + 10


@pytest.mark.parametrize("method", ["elastic_net", "sensitivity"])
def test_learns_the_weights_that_made_the_target(method, texts):
    found = candidates_of(texts[0], min_documents=2)
    folds = assign_folds(texts[0], 5, seed=0)
    learned = learn_lexicon(method, found, {"y": texts[1]}, folds, n_terms=100, seed=0)
    weights = dict(zip(learned.lexicon.terms, learned.lexicon.weights, strict=True))
    ordered = sorted(
        ("awful", "bad", "good", "great"), key=lambda t: weights.get(t, weights.get(t[:4] + "*"))
    )
    assert ordered == ["awful", "bad", "good", "great"]
    assert abs(weights.get("of", 0.0)) < 0.3 * weights["good"]
    assert len(learned.by_fold) == 5
    again = learn_lexicon(method, found, {"y": texts[1]}, folds, n_terms=100, seed=0)
    assert again == learned


def test_several_targets_have_lists_of_their_own(texts):
    found = candidates_of(texts[0], min_documents=2)
    folds = assign_folds(texts[0], 3, seed=0)
    unknown = np.where(np.arange(300) < 150, np.nan, -texts[1])
    targets = {"y": texts[1], "z": unknown}
    lexicon = learn_lexicon("elastic_net", found, targets, folds, n_terms=5, seed=0).lexicon
    assert lexicon.category_names == ("learned:y", "learned:z")
    by_name = {
        (term, category): weight
        for term, category, weight in zip(
            lexicon.terms, lexicon.categories, lexicon.weights, strict=True
        )
    }
    assert by_name["great", "learned:y"] > 0 > by_name["great", "learned:z"]


def test_a_fold_is_not_seen_by_its_own_list(texts):
    own = [f"{text} only{fold}" for text, fold in zip(texts[0], np.arange(300) % 3, strict=True)]
    folds = np.arange(300) % 3
    shifted = texts[1] + 5 * folds
    learned = learn_lexicon(
        "elastic_net",
        candidates_of(own, min_documents=2),
        {"y": shifted},
        folds,
        n_terms=100,
        seed=0,
    )
    assert {"only0", "only2"} <= set(learned.lexicon.terms)
    for fold, lexicon in learned.by_fold.items():
        assert f"only{fold}" not in lexicon.terms


def test_sensitivity_gives_weights_after_each_epoch(texts):
    found = candidates_of(texts[0][:40], min_documents=2)
    target = (texts[1][:40] - 10) / texts[1].std()
    epochs = list(Sensitivity(0).fit(found, target, 2))
    assert len(epochs) == 3
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.isfinite(epochs[2]).all()


def test_elastic_net_finds_what_scikit_learn_finds(texts):
    found = candidates_of(texts[0], min_documents=2)
    X = np.zeros((found.n_documents, len(found.terms)))
    np.add.at(X, (found.documents, found.candidates), found.values)
    counts = np.random.default_rng(1).uniform(0.2, 2, size=300)
    before = found.candidates.copy(), found.starts.copy()
    for weights in (None, counts):
        # Warm started, the last of four penalties.
        *_, fitted = ElasticNet().fit(found, texts[1], 3, weights)
        centered = texts[1] - np.average(texts[1], weights=weights)
        share = centered if weights is None else centered * weights / weights.mean()
        greatest = np.abs(X.T @ share).max() / 300 / elastic_net.L1_SHARE
        model = SklearnElasticNet(
            alpha=greatest * elastic_net.PENALTIES[3], l1_ratio=elastic_net.L1_SHARE, tol=1e-10
        ).fit(X, texts[1], sample_weight=weights)
        predicted, expected = X @ fitted, X @ model.coef_
        assert np.corrcoef(predicted, expected)[0, 1] > 0.999
        assert (predicted - expected).std() < 0.02 * centered.std()
    for own, then in zip(before, (found.candidates, found.starts), strict=True):
        np.testing.assert_array_equal(own, then)


def test_sensitivity_leaves_out_the_candidates_of_least_spread(monkeypatch, texts):
    found = candidates_of([f"{text} rare{i // 2}" for i, text in enumerate(texts[0])], 2)
    target = (texts[1] - 10) / texts[1].std()
    monkeypatch.setattr(sensitivity, "MAX_CANDIDATES", 12)
    monkeypatch.setattr(sensitivity, "MAX_STEPS", 5)
    monkeypatch.setattr(sensitivity, "READ_AT_ONCE", 7)
    *_, weights = Sensitivity(0).fit(found, target, 7)
    assert np.count_nonzero(weights) == 12
    assert set(found.spread()[weights != 0]) == set(np.sort(found.spread())[-12:])
    by_term = dict(zip(found.terms, weights, strict=True))
    assert by_term["awfu*"] < by_term["good*"] < by_term["grea*"]


def test_missing_extra(monkeypatch, texts):
    monkeypatch.setitem(sys.modules, "scipy", None)
    found = candidates_of(texts[0], min_documents=2)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[dictionary\]'"):
        next(ElasticNet().fit(found, texts[1], 0))


def test_constant_target(texts):
    found = candidates_of(texts[0], min_documents=2)
    folds = assign_folds(texts[0], 3, seed=0)
    learned = learn_lexicon("elastic_net", found, {"y": np.ones(300)}, folds, n_terms=5, seed=0)
    assert learned.lexicon == Lexicon()
