"""Texts that are longer than spaCy's limit of 1,000,000 characters."""

import pandas as pd
import pytest
import spacy
from conftest import ROOT, SAMPLE
from spacy.cli.evaluate import evaluate
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_bertreg.comparison.calibrate import calibrate
from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.data.text_length import long_texts_v1


@pytest.fixture
def data(tmp_path):
    sample = pd.read_csv(SAMPLE)[["text", "severity"]].tail(40)
    sample.loc[sample.index[2], "text"] = "internationalization " * 50_000
    sample.to_csv(tmp_path / "long.csv", index=False)
    convert(tmp_path / "long.csv", tmp_path, targets=["severity"], shares=(1, 0, 0))
    return tmp_path / "train.spacy"


def test_convert_and_the_reader_take_long_texts(data):
    nlp = spacy.blank("en")
    docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    assert max(len(doc.text) for doc in docs) > nlp.max_length
    limits, lengths = set(), []
    for example in Corpus_v1(data)(nlp):
        limits.add(nlp.max_length)
        lengths.append(len(example.predicted.text))
    assert lengths == [len(doc.text) for doc in docs]
    assert limits == {1_000_000}


def test_calibrate_takes_long_texts(data, pipeline, tmp_path):
    table = calibrate(pipeline, data, output=tmp_path / "calibrated")
    assert table["n"].tolist() == [40]


def test_train_and_evaluate_take_long_texts(data, tmp_path):
    paths = {"paths.train": str(data), "paths.dev": str(data)}
    overrides = {**paths, "paths.lexicon": str(ROOT / "corpus" / "terms.csv")}
    overrides["initialize.components.dictionary_regressor.learn"] = None
    train(ROOT / "configs" / "dictionary.cfg", tmp_path / "model", overrides=overrides)
    scores = evaluate(str(tmp_path / "model" / "model-best"), data)
    assert scores["reg_per_target"]["severity"]["n"] == 40


def test_a_limit_of_one_s_own():
    nlp = spacy.blank("en")
    assert long_texts_v1(5)(nlp).max_length == 5
    with pytest.raises(ValueError, match=r"max_length is 0 in \[nlp.after_pipeline_creation\]"):
        long_texts_v1(0)
