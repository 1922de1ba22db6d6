import math

import numpy as np
import pytest
import spacy
from conftest import train
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import Adam

from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.data.covariates import CovariateScale, read_covariates

nlp = spacy.blank("en")


def doc_with(covariates, text="some words here", pipeline=nlp):
    doc = pipeline.make_doc(text)
    if covariates is not None:
        doc.user_data["covariates"] = covariates
    return doc


def test_unknown_values_become_the_mean_and_are_marked():
    docs = [doc_with({"x": x}) for x in (1, 3, None, math.nan, 8)]
    scale = CovariateScale.fit(docs, ["x", "log_length"], "r")
    values = scale(docs, "r")
    assert scale.columns == ("x", "log_length", "x unknown")
    assert scale.mean == (4.0, math.log(4))
    np.testing.assert_array_equal(values[2:4], [[0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(values[[0, 1, 4], 0].mean(), 0, atol=1e-12)
    assert CovariateScale.from_dict(scale.to_dict()) == scale


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        (None, "expects the covariates 'x', but the document 'some words here' has none"),
        ({}, "has none. Set doc.user_data"),
        ({"y": 1}, "has 'y'. Set doc.user_data.'covariates'. = .'x': NUMBER."),
        ({"x": "high"}, "'x' is 'high' for the text 'some words here'"),
        ([1.0], r"are \[1.0\]. Expected a dict"),
        (3, "are 3. Expected a dict"),
        ({"x": math.inf}, "'x' is inf"),
    ],
)
def test_missing_and_wrong_covariates_are_named(covariates, message):
    with pytest.raises(ValueError, match=message):
        read_covariates([doc_with(covariates)], ["x"], "regressor")


def test_no_value_at_all_or_named_twice():
    with pytest.raises(ValueError, match="no training document has a value for the covariate 'x'"):
        CovariateScale.fit([doc_with({"x": None})], ["x"], "r")
    with pytest.raises(ValueError, match="names one twice"):
        CovariateScale.fit([doc_with({"x": 1})], ["x", "x"], "r")


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["text,y,x,weight"]
    for i in range(60):
        x = rng.normal()
        words = " ".join(rng.choice(["one", "two", "three", "four"], size=3))
        lines.append(f"{words} {i},{5 * x:.3f},{'' if i % 10 == 0 else f'{x:.3f}'},1")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    convert(tmp_path / "table.csv", tmp_path, targets=["y"], covariates=["x"], weight="weight")
    return tmp_path


def test_convert_keeps_covariates_and_weights(dataset):
    docs = list(DocBin().from_disk(dataset / "train.spacy").get_docs(nlp.vocab))
    assert all(set(doc.user_data["covariates"]) == {"x"} for doc in docs)
    assert any(doc.user_data["covariates"]["x"] is None for doc in docs)
    assert {doc.user_data["weight"] for doc in docs} == {1.0}


def test_convert_refuses_what_is_no_covariate(dataset):
    with pytest.raises(ValueError, match="column 'text': found 'tw?"):
        convert(dataset / "table.csv", dataset, targets=["y"], covariates=["text"])
    with pytest.raises(ValueError, match="computed from the document"):
        convert(dataset / "table.csv", dataset, targets=["y"], covariates=["log_length"])


def add_regressor(kind, make_tok2vec, covariates):
    if kind == "text_regressor":
        return make_tok2vec(covariates=covariates)
    pipeline = spacy.blank("en")
    pipeline.add_pipe(kind, config={"covariates": covariates})
    return pipeline


@pytest.mark.parametrize("kind", ["text_regressor", "dictionary_regressor"])
def test_a_target_that_depends_on_a_covariate_is_learned(kind, dataset, make_tok2vec):
    pipeline = add_regressor(kind, make_tok2vec, ["x", "log_length"])
    examples = list(Corpus_v1(dataset / "train.spacy")(pipeline))
    if kind == "text_regressor":
        pipeline.initialize(lambda: examples)
        train(pipeline, examples, Adam(0.05), 60)
    else:
        component = pipeline.get_pipe(kind)
        component.initialize(lambda: examples, learn="elastic_net", min_documents=1)
    assert pipeline.evaluate(list(Corpus_v1(dataset / "test.spacy")(pipeline)))["reg_r2"] > 0.6

    # Set by users: on the document, or as context.
    doc = pipeline(doc_with({"x": 2.0}, "one two three", pipeline))
    (by_context, _), *_ = pipeline.pipe(
        [("one two three", {"covariates": {"x": 2.0}})], as_tuples=True
    )
    assert by_context.cats == doc.cats
    assert pipeline(doc_with({"x": -2.0}, "one two three", pipeline)).cats["y"] < doc.cats["y"] - 10
    unknown = pipeline(doc_with({"x": None}, "one two three", pipeline)).cats["y"]
    assert -10 < unknown < 10
    with pytest.raises(ValueError, match="expects the covariates 'x'"):
        pipeline("one two three")

    again = spacy.blank("en") if kind == "dictionary_regressor" else None
    if again is None:
        again = add_regressor(kind, make_tok2vec, ["x", "log_length"])
    else:
        again.add_pipe(kind, config={"covariates": ["x", "log_length"]})
    again.from_bytes(pipeline.to_bytes())
    restored = again(doc_with({"x": 2.0}, "one two three", again))
    assert restored.cats["y"] == pytest.approx(doc.cats["y"], abs=1e-5)


def test_contributions_and_covariates_sum_to_the_prediction(dataset):
    pipeline = add_regressor("dictionary_regressor", None, ["x"])
    examples = list(Corpus_v1(dataset / "train.spacy")(pipeline))
    component = pipeline.get_pipe("dictionary_regressor")
    component.initialize(lambda: examples, learn="elastic_net", min_documents=1)
    explained = component.explain([doc_with({"x": 1.0}, "one two three")])
    total = explained.base[0, 0] + explained.contributions.sum()
    assert total == pytest.approx(explained.predictions[0, 0])


def test_training_takes_covariates_from_the_reference(make_tok2vec):
    pipeline = make_tok2vec(covariates=["x"])
    references = [doc_with({"x": float(i)}) for i in range(4)]
    for i, doc in enumerate(references):
        doc.cats["y"] = float(i)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in references]
    pipeline.initialize(lambda: examples)
    assert np.isfinite(train(pipeline, examples, Adam(0.01), 2))
    assert pipeline.meta["covariates"] == {"text_regressor": ["x"]}
