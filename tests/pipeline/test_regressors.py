"""The contract that both regressors fulfil."""

import math
import pickle

import numpy as np
import pytest
import spacy
from conftest import ROOT, examples_from, train
from spacy.tokens import Doc

EMPTY = ["", " ", "\n\t ", "\u3000"]
TEXTS = ["Shelling killed ten soldiers.", "", "A calm month.", " ", "Talks went on; nobody died."]


@pytest.fixture(scope="module", params=["dictionary", "tok2vec", "bert-none", "bert-all"])
def trained(request, make_bert, make_tok2vec, make_examples):
    """A pipeline with one regressor that has learned from the sample."""
    if request.param == "dictionary":
        nlp = spacy.blank("en")
        nlp.add_pipe("dictionary_regressor")
        lexicon = {"lexicon": str(ROOT / "corpus" / "terms.csv")}
        nlp.config["initialize"]["components"]["dictionary_regressor"] = lexicon
    elif request.param == "tok2vec":
        nlp = make_tok2vec()
    else:
        nlp = make_bert(freeze=request.param.partition("-")[2])
    spacy.util.fix_random_seed(0)
    examples = make_examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    train(nlp, examples, optimizer, steps=10)
    return nlp


def predictions(nlp, texts=TEXTS):
    return [doc.cats["severity"] for doc in nlp.pipe(texts)]


def test_finds_its_targets_and_predicts_in_their_unit(trained, sample):
    predicted = predictions(trained, sample["text"].head(32))
    assert trained.get_pipe(trained.pipe_names[-1]).targets == ("severity",)
    assert np.mean(predicted) == pytest.approx(sample["severity"].head(32).mean(), abs=0.7)
    assert np.std(predicted) > 0.01
    assert all(type(value) is float for value in predicted)


def test_score_extension_holds_the_first_target(trained):
    doc = trained(TEXTS[0])
    assert doc._.score == doc.cats["severity"]


def test_pipe_equals_call(trained):
    one_by_one = [trained(text).cats["severity"] for text in TEXTS]
    np.testing.assert_allclose(predictions(trained), one_by_one, atol=1e-5)
    in_pairs = [doc.cats["severity"] for doc in trained.pipe(TEXTS, batch_size=2)]
    np.testing.assert_allclose(in_pairs, one_by_one, atol=1e-5)


@pytest.mark.parametrize("texts", [[text] for text in EMPTY] + [EMPTY, []])
def test_documents_without_words_get_the_training_mean(trained, sample, texts):
    mean = sample["severity"].head(32).mean()
    assert predictions(trained, texts) == pytest.approx([mean] * len(texts), abs=1e-12)


def test_empty_documents_do_not_disturb_their_neighbours(trained):
    with_empty = predictions(trained, ["", TEXTS[0], " ", TEXTS[2], ""])
    alone = predictions(trained, [TEXTS[0], TEXTS[2]])
    np.testing.assert_allclose([with_empty[1], with_empty[3]], alone, atol=1e-5)


def test_save_and_load(trained, tmp_path):
    expected = predictions(trained)
    trained.to_disk(tmp_path)
    assert predictions(spacy.load(tmp_path)) == expected
    config = trained.config
    from_bytes = spacy.util.load_model_from_config(config, auto_fill=False)
    from_bytes.from_bytes(trained.to_bytes())
    assert predictions(from_bytes) == expected


def test_scores_after_loading(trained, tmp_path, make_examples):
    expected = trained.evaluate(make_examples(trained))
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    scores = loaded.evaluate(make_examples(loaded))
    assert scores["reg_r2"] == expected["reg_r2"]
    assert loaded.meta["labels"][loaded.pipe_names[-1]] == ["severity"]


def test_components_can_be_pickled(trained):
    expected = predictions(trained)
    restored = pickle.loads(pickle.dumps(trained.get_pipe(trained.pipe_names[-1])))  # noqa: S301
    docs = list(trained.pipe(TEXTS))
    np.testing.assert_allclose(restored.predict(docs).values[:, 0], expected, atol=1e-5)


def test_prediction_leaves_documents_alone(trained):
    docs = [Doc(trained.vocab, words=["calm"])]
    for _, component in trained.pipeline[:-1]:
        docs = [component(doc) for doc in docs]
    trained.get_pipe(trained.pipe_names[-1]).predict(docs)
    assert docs[0].cats == {}


def test_several_targets_with_unknown_values(make_tok2vec):
    nlp = make_tok2vec()
    rows = [
        ("good film", {"stars": 5.0, "price": 1000.0}),
        ("bad film", {"stars": 1.0}),
        ("a film", {"stars": math.nan, "price": 3000.0}),
    ]
    examples = examples_from(nlp, rows)
    optimizer = nlp.initialize(lambda: examples)
    assert train(nlp, examples, optimizer, steps=60) < 0.1
    doc = nlp("good film")
    assert list(doc.cats) == ["stars", "price"]
    assert doc.cats["stars"] == pytest.approx(5, abs=1)
    assert doc.cats["price"] == pytest.approx(1000, abs=500)
    assert nlp("").cats == pytest.approx({"stars": 3, "price": 2000})


def test_the_unit_of_the_target_makes_no_difference(make_tok2vec, make_examples):
    predicted = []
    for unit in (1.0, 1e6):
        nlp = make_tok2vec()
        examples = make_examples(nlp)
        for example in examples:
            example.reference.cats["severity"] *= unit
        spacy.util.fix_random_seed(0)
        optimizer = nlp.initialize(lambda examples=examples: examples)
        train(nlp, examples, optimizer, steps=5)
        predicted.append(np.array(predictions(nlp)) / unit)
    np.testing.assert_allclose(*predicted, rtol=1e-4)


def test_output_key_keeps_two_regressors_apart(make_tok2vec, make_examples):
    nlp = make_tok2vec(output_key="{name}:{target}")
    nlp.add_pipe("dictionary_regressor", config={"output_key": "dict/{target}"})
    lexicon = {"lexicon": str(ROOT / "corpus" / "terms.csv")}
    nlp.config["initialize"]["components"]["dictionary_regressor"] = lexicon
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    doc = nlp(TEXTS[0])
    assert set(doc.cats) == {"text_regressor:severity", "dict/severity"}
    assert doc._.score == doc.cats["dict/severity"]
    per_target = nlp.evaluate(examples)["reg_per_target"]
    assert {key: scores["n"] for key, scores in per_target.items()} == dict.fromkeys(doc.cats, 32)


@pytest.mark.parametrize("output_key", ["score", "{label}", "{target", "{target}{x}", "{}"])
@pytest.mark.parametrize("factory", ["text_regressor", "dictionary_regressor"])
def test_wrong_output_key(factory, output_key):
    with pytest.raises(ValueError, match=r"output_key is .* in \[components\..*Expected"):
        spacy.blank("en").add_pipe(factory, config={"output_key": output_key})


@pytest.mark.parametrize("factory", ["text_regressor", "dictionary_regressor"])
def test_prediction_before_initialization(factory):
    nlp = spacy.blank("en")
    nlp.add_pipe(factory)
    with pytest.raises(ValueError, match=f"'{factory}' has not learned anything yet"):
        nlp("A text.")
