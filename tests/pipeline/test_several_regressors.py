"""Two regressors in one pipeline: none replaces what the other says."""

import pytest
import spacy
from conftest import ROOT, examples_from, train
from spacy.tokens import DocBin

from spacy_bertreg.comparison.compare import compare

ROWS = [("a good film", 5.0), ("a bad film", 1.0), ("a film", 3.0), ("good and bad", 2.0)] * 4
TERMS = "term,weight\ngood,1\nbad,-1\n"


@pytest.fixture
def lexicon(tmp_path):
    (tmp_path / "terms.csv").write_text(TERMS)
    return str(tmp_path / "terms.csv")


def dictionaries(lexicon, *names, **config):
    """A pipeline of dictionaries, one for each target."""
    nlp = spacy.blank("en")
    rows = [(text, {"stars": y, "price": -10 * y}) for text, y in ROWS]
    targets = dict(zip(names, ("stars", "price"), strict=False))
    for name in names:
        nlp.add_pipe("dictionary_regressor", name=name, config=config)
        settings = {"lexicon": lexicon, "targets": [targets[name]]}
        nlp.config["initialize"]["components"][name] = settings
    examples = examples_from(nlp, rows)
    nlp.initialize(lambda: examples)
    return nlp, examples


def test_scores_of_both_count(lexicon):
    nlp, examples = dictionaries(lexicon, "first", "second")
    scores = nlp.evaluate(examples)
    assert list(scores["reg_per_target"]) == ["stars", "price"]
    each = [scores["reg_per_target"][target]["r2"] for target in ("stars", "price")]
    assert scores["reg_r2"] == pytest.approx(sum(each) / 2)
    assert scores["first_mse"] == scores["reg_per_target"]["stars"]["mse"]
    assert scores["second_mse"] == scores["reg_per_target"]["price"]["mse"]
    assert scores["first_mse"] != scores["second_mse"]


def test_scores_of_one_have_no_other_names(lexicon):
    nlp, examples = dictionaries(lexicon, "first")
    assert not any(name.startswith("first") for name in nlp.evaluate(examples))


def test_contributions_are_those_of_the_spans_own_dictionary(lexicon):
    nlp, _ = dictionaries(lexicon, "first", "second")
    doc = nlp("a good film")
    (first,), (second,) = doc.spans["first"], doc.spans["second"]
    assert list(first._.contributions) == ["stars"]
    assert list(second._.contributions) == ["price"]
    assert first._.contribution > 0 > second._.contribution
    assert second._.contribution == pytest.approx(-10 * first._.contribution)
    restored = spacy.tokens.Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert restored.spans["second"][0]._.contribution == second._.contribution


def test_the_same_key_of_spans_is_an_error_when_the_pipeline_is_made(lexicon):
    with pytest.raises(ValueError, match=r"'first' and 'second' both write to doc.spans\['x'\]"):
        dictionaries(lexicon, "first", "second", spans_key="x")


def test_the_same_key_of_cats_is_an_error(lexicon, make_tok2vec, tmp_path):
    nlp = make_tok2vec()
    nlp.add_pipe("dictionary_regressor")
    nlp.config["initialize"]["components"]["dictionary_regressor"] = {"lexicon": lexicon}
    examples = examples_from(nlp, [(text, {"stars": y}) for text, y in ROWS])
    message = r"'text_regressor' and 'dictionary_regressor' both write to doc.cats\['stars'\]"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: examples)


def test_the_same_key_is_an_error_when_a_pipeline_is_loaded(lexicon, tmp_path):
    nlp, _ = dictionaries(lexicon, "first")
    other, _ = dictionaries(lexicon, "second")
    nlp.add_pipe("second", source=other)
    nlp.to_disk(tmp_path / "both")
    with pytest.raises(ValueError, match=r"'first' and 'second' both write to doc.cats\['stars'\]"):
        spacy.load(tmp_path / "both")


def test_a_dictionary_from_another_pipeline_reads_new_words(lexicon):
    source, _ = dictionaries(lexicon, "first")
    nlp = spacy.blank("en")
    nlp.add_pipe("first", source=source)
    # In the vocabulary of neither so far.
    doc = nlp("An unheardof word and a good film")
    assert doc.cats["stars"] > 3
    assert doc.spans["first"][0].label_ == "good"
    other = spacy.blank("en").make_doc("Neverseen, not so good!")
    component = source.get_pipe("first")
    assert component(other).spans["first"][0].id_ == doc.spans["first"][0].id_


def test_context_rules_read_documents_of_another_vocabulary(lexicon):
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    settings = {"lexicon": lexicon, "context": "en"}
    nlp.config["initialize"]["components"]["dictionary_regressor"] = settings
    examples = examples_from(nlp, [(text, {"stars": y}) for text, y in ROWS])
    nlp.initialize(lambda: examples)
    other = spacy.blank("en").make_doc("Quiteunknown: not good!")
    expected = nlp("Quiteunknown: not good!").cats
    assert nlp.get_pipe("dictionary_regressor")(other).cats == pytest.approx(expected)


def test_two_trained_components_and_one_weight(make_tok2vec, make_examples):
    nlp = make_tok2vec(output_key="{name}:{target}")
    nlp.add_pipe("dictionary_regressor")
    terms = str(ROOT / "corpus" / "terms.csv")
    nlp.config["initialize"]["components"]["dictionary_regressor"] = {"lexicon": terms}
    examples = make_examples(nlp)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=3)
    assert nlp.config["training"]["score_weights"]["reg_r2"] == 1.0
    scores = nlp.evaluate(examples)
    assert set(scores["reg_per_target"]) == {"text_regressor:severity", "severity"}
    mean = (scores["text_regressor_r2"] + scores["dictionary_regressor_r2"]) / 2
    assert scores["reg_r2"] == pytest.approx(mean)


def test_compare_shows_both(make_tok2vec, lexicon, tmp_path):
    nlp = make_tok2vec(output_key="{name}:{target}")
    nlp.add_pipe("dictionary_regressor")
    nlp.config["initialize"]["components"]["dictionary_regressor"] = {"lexicon": lexicon}
    examples = examples_from(nlp, [(text, {"stars": y}) for text, y in ROWS])
    train(nlp, examples, nlp.initialize(lambda: examples), steps=20)
    nlp.to_disk(tmp_path / "both")
    for name in ("train", "test"):
        docs = [example.reference.copy() for example in examples]
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    comparison = compare(tmp_path / "test.spacy", [str(tmp_path / "both")], n_resamples=100)
    metrics = comparison.metrics.set_index("model")
    names = ["both:text_regressor", "both:dictionary_regressor"]
    assert list(metrics.index[:2]) == names
    per_target = nlp.evaluate(examples)["reg_per_target"]
    expected = [per_target[key]["r2"] for key in ("text_regressor:stars", "stars")]
    assert metrics.loc[names, "r2"].tolist() == pytest.approx(expected, abs=1e-5)
    assert set(names) <= set(comparison.predictions().columns)
