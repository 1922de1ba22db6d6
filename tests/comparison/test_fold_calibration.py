"""Intervals from out-of-fold predictions."""

import json

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.calibrate import calibrate

N = 50


@pytest.fixture(scope="module")
def nlp():
    """A dictionary of one word, trained in a moment."""
    nlp = spacy.blank("en")
    regressor = nlp.add_pipe("dictionary_regressor", config={"transform": "log1p"})
    docs = [nlp.make_doc(f"bad {i}" if i % 2 else f"{i}") for i in range(20)]
    examples = [Example.from_dict(doc, {"cats": {"y": 1.0 + i % 2}}) for i, doc in enumerate(docs)]
    regressor.initialize(lambda: examples, nlp=nlp, learn="elastic_net")
    return nlp


@pytest.fixture
def pipeline(nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


@pytest.fixture
def folder(tmp_path):
    """What `crossval` writes, and the documents of two months. The first half has large errors."""
    rng = np.random.default_rng(0)
    gold = np.expm1(1 + rng.normal(size=N) / 4)
    error = rng.normal(size=N) * np.where(np.arange(N) < N / 2, 3.0, 0.1)
    vocab, docs, rows = spacy.blank("en").vocab, [], []
    for i in range(N):
        doc = Doc(vocab, words=["bad"])
        doc.user_data.update(id=f"d{i}", time=f"2020-0{1 + i // 25}-{1 + i % 25:02}")
        docs.append(doc)
        label = {"target": "y", "id": f"d{i}", "group": "", "repeat": 0, "fold": i % 5}
        predicted = np.expm1(np.log1p(gold[i]) + error[i])
        rows.append(label | {"gold": gold[i], "bert": predicted, "other": gold[i]})
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "all.spacy")
    folder = tmp_path / "cv"
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    content = {"settings": {"data": str(tmp_path / "all.spacy")}, "scores": []}
    (folder / "crossval.json").write_text(json.dumps(content))
    return folder


def errors(folder, nlp):
    table = pd.read_csv(folder / "predictions.csv")
    scaled = (np.log1p(table["gold"]) - np.log1p(table["bert"])).abs()
    return np.sort(scaled / nlp.get_pipe("dictionary_regressor").scale.std[0])


def test_width_is_a_quantile_of_the_errors(pipeline, folder, nlp):
    table = calibrate(pipeline, folds=folder, model="bert", level=0.8)
    assert table[["method", "n", "seen"]].to_numpy().tolist() == [["plain", N, 0]]
    expected = errors(folder, nlp)[41 - 1]  # of 51 places, 0.8 are 40.8
    assert table["width"][0] == pytest.approx(expected)
    loaded = spacy.load(pipeline)
    doc = loaded("bad")
    low, high = np.log1p(doc._.interval["y"])
    std = loaded.get_pipe("dictionary_regressor").scale.std[0]
    assert (high - low) / 2 == pytest.approx(expected * std)
    # A second repeat with the same errors says nothing new.
    once = pd.read_csv(folder / "predictions.csv")
    pd.concat([once, once.assign(repeat=1)]).to_csv(folder / "predictions.csv", index=False)
    again = calibrate(pipeline, folds=folder, model="bert", level=0.8)
    assert again[["n", "width"]].equals(table[["n", "width"]])


def test_a_target_that_another_model_predicts(pipeline, folder):
    alone = calibrate(pipeline, folds=folder, model="bert")
    table = pd.read_csv(folder / "predictions.csv")
    more = table.assign(target="z", bert=np.nan)
    more.loc[len(more)] = {**more.loc[0], "id": "of z alone"}
    pd.concat([more, table]).to_csv(folder / "predictions.csv", index=False)
    pd.testing.assert_frame_equal(calibrate(pipeline, folds=folder, model="bert"), alone)


def test_the_latest_count_most(pipeline, folder):
    plain, late = (
        calibrate(pipeline, folds=folder, model="bert", level=0.6, half_life=half_life)["width"][0]
        for half_life in (None, 3.0)
    )
    assert late < plain / 2
    command = ["bertreg", "calibrate", str(pipeline), "--from", str(folder), "--model", "bert"]
    result = CliRunner().invoke(app, [*command, "--level", "0.6", "--half-life", "3"])
    assert result.exit_code == 0, result.output
    assert f"{late:.3f}" in result.output


def test_new_documents_by_age(pipeline, folder, tmp_path):
    docs = list(DocBin().from_disk(tmp_path / "all.spacy").get_docs(spacy.blank("en").vocab))
    for i, doc in enumerate(docs):
        doc.cats["y"] = 30.0 if i < N / 2 else 2.0
    path = tmp_path / "dated.spacy"
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    plain, late = (
        calibrate(pipeline, path, level=0.6, half_life=half_life)["width"][0]
        for half_life in (None, 3.0)
    )
    assert late < plain
    del docs[5].user_data["time"]
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    with pytest.raises(ValueError, match="dated.spacy has a document with the time None"):
        calibrate(pipeline, path, half_life=3.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "No --model is named. Expected a model of .*: bert, other"),
        ({"model": "full"}, "--model is 'full'. Expected a model of .*: bert, other"),
        ({"model": "bert", "method": "quantiles"}, "method is 'quantiles'. Expected plain"),
        ({"model": "bert", "level": 0.99}, "50 documents .* too few for intervals of level 0.99"),
        ({"model": "bert", "half_life": 0}, "half_life is 0. Expected a number of days above 0"),
        ({"folds": None}, "Expected either calibration documents, or a cross-validation"),
    ],
)
def test_wrong_settings(pipeline, folder, settings, message):
    before = (pipeline / "dictionary_regressor").stat().st_mtime_ns
    with pytest.raises(ValueError, match=message):
        calibrate(pipeline, **{"folds": folder, **settings})
    assert (pipeline / "dictionary_regressor").stat().st_mtime_ns == before


def test_unknown_targets_files_and_smearing(nlp, pipeline, folder, tmp_path):
    with pytest.raises(ValueError, match="no cross-validation"):
        calibrate(pipeline, tmp_path / "all.spacy", model="bert")
    (tmp_path / "all.spacy").unlink()
    with pytest.raises(ValueError, match="needs the documents' dates, but .*all.spacy"):
        calibrate(pipeline, folds=folder, model="bert", half_life=3.0)
    table = pd.read_csv(folder / "predictions.csv")
    table.assign(target="z").to_csv(folder / "predictions.csv", index=False)
    with pytest.raises(ValueError, match="has no predictions of 'y' by 'bert', as 'dictionary_"):
        calibrate(pipeline, folds=folder, model="bert")
    table.assign(bert=np.nan).to_csv(folder / "predictions.csv", index=False)
    with pytest.raises(ValueError, match="has no predictions of 'y' by 'bert', as 'dictionary_"):
        calibrate(pipeline, folds=folder, model="bert")
    table.to_csv(folder / "predictions.csv", index=False)
    loaded = spacy.load(pipeline)
    component = loaded.get_pipe("dictionary_regressor")
    component.scale = component.scale.with_smearing([[0.1, -0.1]])
    loaded.to_disk(tmp_path / "smeared")
    with pytest.raises(ValueError, match="smears its predictions of 'y'"):
        calibrate(tmp_path / "smeared", folds=folder, model="bert")
    with pytest.raises(FileNotFoundError, match="predictions.csv does not exist"):
        calibrate(pipeline, folds=tmp_path)
