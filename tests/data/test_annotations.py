"""`doc._.score` and others, also where another package has set them."""

import warnings

import pytest
import spacy
from conftest import examples_from
from spacy.tokens import Doc, Span

from spacy_bertreg.data.annotations import register_extension
from spacy_bertreg.targets.intervals import Calibration

OTHERS = {
    "default": {"default": 7},
    "getter": {"getter": lambda doc: 7},
    "method": {"method": lambda doc: 7},
}


@pytest.fixture
def dictionary(tmp_path):
    (tmp_path / "terms.csv").write_text("term,weight\ngood,1\nbad,-1\n")
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    lexicon = {"lexicon": str(tmp_path / "terms.csv")}
    nlp.config["initialize"]["components"]["dictionary_regressor"] = lexicon
    examples = examples_from(nlp, [("good", {"y": 1.0}), ("bad", {"y": -1.0})] * 4)
    nlp.initialize(lambda: examples)
    nlp.get_pipe("dictionary_regressor").calibration = Calibration("plain", 0.9, (1.0,), (20,))
    return nlp, examples


@pytest.fixture(params=OTHERS)
def other(request):
    """Another package's extensions in place of ours."""
    ours = {name: Doc.remove_extension(name) for name in ("score", "interval")}
    for name in ours:
        Doc.set_extension(name, **OTHERS[request.param])
    yield request.param
    for name in ours:
        Doc.remove_extension(name)
        Doc.set_extension(name, default=None)


def test_predictions_and_intervals_are_written_and_read(other, dictionary):
    nlp, examples = dictionary
    doc = nlp("good")
    scores = nlp.evaluate(examples)["reg_per_target"]["y"]
    assert scores["n"] == 8
    assert scores["interval"]["coverage"] == 1
    if other == "default":
        assert doc._.score == doc.cats["y"]
        assert list(doc._.interval) == ["y"]
    elif other == "getter":
        assert doc._.score == 7


@pytest.mark.parametrize("kind", OTHERS)
def test_what_another_package_shows_is_reported(kind):
    Doc.set_extension("theirs", **OTHERS[kind])
    try:
        if kind == "default":
            register_extension(Doc, "theirs", default=None)
        else:
            with pytest.warns(UserWarning, match=r"doc\._\.theirs belongs to another package"):
                register_extension(Doc, "theirs", default=None)
    finally:
        Doc.remove_extension("theirs")


def test_ours_are_not_reported():
    _, _, getter, _ = Span.get_extension("contribution")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_extension(Span, "contribution", getter=getter)
        register_extension(Doc, "score", default=None)
