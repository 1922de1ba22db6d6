"""Epochs become the steps in which spaCy counts."""

import pytest
import spacy
from conftest import ROOT
from spacy.tokens import DocBin

from spacy_bertreg.training.epochs import epoch_settings, is_solved


def load(tmp_path, name, n_docs, **overrides):
    nlp = spacy.blank("en")
    docs = []
    for i in range(n_docs):
        doc = nlp(f"Text {i}")
        doc.cats = {"y": float(i)}
        docs.append(doc)
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    paths = dict.fromkeys(("paths.train", "paths.dev"), str(tmp_path / "train.spacy"))
    path = ROOT / "configs" / f"{name}.cfg"
    return spacy.util.load_config(path, overrides=paths | overrides, interpolate=True)


def test_five_epochs_of_batches_of_8(tmp_path):
    config = load(tmp_path, "bert", 40)
    assert epoch_settings(config, 5) == {
        "training.max_steps": 25,
        "training.eval_frequency": 2,
        "training.optimizer.warmup_steps": 2,
    }
    found = epoch_settings(load(tmp_path, "bert", 2940), 5)
    # What configs/bert.cfg says of the tweets.
    for name, value in found.items():
        section, _, key = name.removeprefix("training.").rpartition(".")
        training = config["training"]
        assert (training[section] if section else training)[key] == value


def test_an_optimizer_without_warm_up(tmp_path):
    found = epoch_settings(load(tmp_path, "tok2vec", 100), 2)
    assert found == {"training.max_steps": 8, "training.eval_frequency": 2}
    # What configs/tok2vec.cfg says of the tweets.
    config = load(tmp_path, "tok2vec", 2940)
    found = epoch_settings(config, 10)
    assert found["training.max_steps"] == config["training"]["max_steps"]
    assert found["training.eval_frequency"] == config["training"]["eval_frequency"]


def test_batches_are_those_of_the_config(tmp_path):
    config = load(tmp_path, "bert", 40, **{"training.batcher.size": 7, "corpora.train.limit": 20})
    assert epoch_settings(config, 1)["training.max_steps"] == 3


def test_wrong_epochs(tmp_path):
    config = load(tmp_path, "bert", 0)
    with pytest.raises(ValueError, match="epochs is 0. Expected 1 or more"):
        epoch_settings(config, 0)
    with pytest.raises(ValueError, match="corpora.train. holds no documents"):
        epoch_settings(config, 1)
    with pytest.raises(ValueError, match="learns once, when it is initialized. Expected no epochs"):
        epoch_settings(load(tmp_path, "dictionary", 4), 1)


def test_what_is_solved(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    assert not is_solved(nlp)
    nlp.initialize(lambda: make_examples(nlp, 8))
    assert is_solved(nlp)
    unfreezing = {"@callbacks": "spacy-bertreg.gradual_unfreezing.v1", "steps_per_block": 2}
    augmenter = {"@augmenters": "spacy.lower_case.v1", "level": 0.5}
    for section, name, value in (
        ("training", "max_epochs", -1),
        ("training", "before_update", unfreezing),
        ("corpora", "train", {**nlp.config["corpora"]["train"], "augmenter": augmenter}),
    ):
        before = nlp.config[section][name]
        nlp.config[section][name] = value
        assert not is_solved(nlp), name
        nlp.config[section][name] = before
    assert is_solved(nlp)
    nlp.add_pipe("sentencizer")
    assert is_solved(nlp)
    nlp.add_pipe("textcat")
    assert not is_solved(nlp)
