"""Texts that are longer than spaCy's limit of 1,000,000 characters."""

import pandas as pd
import pytest
import spacy
from conftest import SAMPLE
from spacy.tokens import DocBin

from spacy_bertreg.calibrate import calibrate
from spacy_bertreg.convert import convert
from spacy_bertreg.corpus import Corpus_v1


@pytest.fixture
def data(tmp_path):
    sample = pd.read_csv(SAMPLE)[["text", "severity"]].tail(40)
    sample.loc[sample.index[2], "text"] = "quiet " * 200_000
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
