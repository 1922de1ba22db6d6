"""The reader keeps what belongs to documents."""

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bertreg.data.corpus import Corpus_v1

LONG = "one two three four five. six seven eight."
USER_DATA = {"weight": 2.0, "group": "a", "covariates": {"n": 3.0}, "targets": {"y": 1.5}}


@pytest.fixture
def nlp():
    return spacy.blank("en")


@pytest.fixture
def path(nlp, tmp_path):
    doc = nlp.make_doc(LONG)
    # Three letters, which spaCy takes for a span's start, end and label when it cuts a document.
    doc.cats = {"age": 30.0}
    doc[0].is_sent_start = True
    doc.user_data.update(USER_DATA)
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "train.spacy")
    return tmp_path / "train.spacy"


def test_a_long_document_is_cut_and_keeps_all(nlp, path):
    (example,) = Corpus_v1(path, max_length=4)(nlp)
    assert example.reference.text.strip() == example.predicted.text.strip() == "one two three four"
    assert example.reference.cats == {"age": 30.0}
    assert {key: example.reference.user_data[key] for key in USER_DATA} == USER_DATA
    assert example.predicted.user_data["covariates"] == {"n": 3.0}


@pytest.mark.parametrize("max_length", [0, 10, 100])
def test_a_document_that_fits_stays_whole(nlp, path, max_length):
    (example,) = Corpus_v1(path, max_length=max_length)(nlp)
    assert example.reference.text == LONG


def test_an_augmenter_keeps_what_belongs_to_the_document(nlp, path):
    def augment(nlp, example):
        yield example
        yield Example.from_dict(nlp.make_doc(LONG.upper()), {"cats": example.reference.cats})

    examples = list(Corpus_v1(path, augmenter=augment)(nlp))
    assert [example.reference.text for example in examples] == [LONG, LONG.upper()]
    for example in examples:
        assert {key: example.reference.user_data[key] for key in USER_DATA} == USER_DATA
        assert example.predicted.user_data["covariates"] == {"n": 3.0}


def test_spacys_own_augmenter(nlp, path):
    augmenter = spacy.registry.augmenters.get("spacy.lower_case.v1")(level=1.0)
    (example,) = Corpus_v1(path, augmenter=augmenter)(nlp)
    assert example.reference.user_data["weight"] == 2.0
    assert example.reference.cats == {"age": 30.0}


def test_errors(path):
    with pytest.raises(ValueError, match="A corpus has no path"):
        Corpus_v1(None)
    with pytest.raises(ValueError, match=r"max_length is -1 in \[corpora\]"):
        Corpus_v1(path, max_length=-1)
