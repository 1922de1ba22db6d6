import numpy as np
import pytest
import spacy
from conftest import ROOT, examples_from

TERMS = str(ROOT / "corpus" / "terms.csv")


def initialized(make_examples, n=200, **config):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor", config=config)
    examples = make_examples(nlp, n)
    component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS)
    return nlp


def test_learns_from_the_terms(make_examples):
    nlp = initialized(make_examples)
    assert nlp.evaluate(make_examples(nlp, 400)[200:])["reg_r2"] > 0.3


def test_is_deterministic_and_ignores_the_order_of_documents(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 100)
    component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS)
    first = nlp("A massacre.").cats["severity"]
    component.initialize(lambda: examples[::-1], nlp=nlp, lexicon=TERMS)
    assert nlp("A massacre.").cats["severity"] == pytest.approx(first, abs=1e-9)


def test_saves_a_readable_lexicon(make_examples, tmp_path):
    initialized(make_examples).to_disk(tmp_path)
    saved = (tmp_path / "dictionary_regressor" / "lexicon.csv").read_text(encoding="utf-8")
    assert saved.startswith("term,weight\n")
    assert len(saved.splitlines()) == 41


def test_case_sensitivity_is_kept(make_examples, tmp_path):
    nlp = initialized(make_examples, case_sensitive=True)
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        calm = pipeline("A usual day").cats["severity"]
        assert pipeline("A MASSACRE day").cats["severity"] == calm
        assert pipeline("A massacre day").cats["severity"] > calm


def test_documents_without_terms_are_all_alike(make_examples):
    nlp = initialized(make_examples)
    predicted = [doc.cats["severity"] for doc in nlp.pipe(["Nothing.", "Blue skies", "日本語"])]
    assert len(set(predicted)) == 1
    assert predicted[0] != pytest.approx(nlp("").cats["severity"])


def test_two_processes(make_examples):
    nlp = initialized(make_examples)
    texts = ["A massacre.", "", "Talks went on."] * 4
    docs = nlp.pipe(texts, n_process=2, batch_size=2)
    expected = [nlp(text).cats["severity"] for text in texts]
    np.testing.assert_allclose([doc.cats["severity"] for doc in docs], expected)


def test_no_lexicon(make_examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    message = r"no lexicon.*lexicon in \[initialize.components.dictionary_regressor\]"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: make_examples(nlp))


def test_missing_lexicon(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    with pytest.raises(FileNotFoundError, match=r"Lexicon nowhere.csv does not exist"):
        component.initialize(lambda: make_examples(nlp), nlp=nlp, lexicon="nowhere.csv")


def test_no_targets():
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    with pytest.raises(ValueError, match="'dictionary_regressor' found no target"):
        component.initialize(lambda: examples_from(nlp, [("a", {})]), nlp=nlp, lexicon=TERMS)
