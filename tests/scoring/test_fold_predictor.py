"""Scoring with all models of a cross-validation: their mean, and CV+ intervals."""

import shutil

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

import spacy_bertreg
import spacy_bertreg.cli
from spacy_bertreg.comparison.crossval import cross_validate
from spacy_bertreg.scoring import writer
from spacy_bertreg.scoring.predictor import Predictor, PredictorSettings
from spacy_bertreg.scoring.score import score_file

DICTIONARY = ROOT / "configs" / "dictionary.cfg"
N, FOLDS = 60, 3
WORDS = ["bad", "good", "quiet", "war", "talks"]
TEXTS = [*(f"{a} {b}" for a in WORDS for b in WORDS), "", "nothing known"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Two targets, of which the second is unknown in places."""
    folder = tmp_path_factory.mktemp("folds")
    rng, vocab = np.random.default_rng(0), spacy.blank("xx").vocab
    docs = []
    for i in range(N):
        words = rng.integers(0, len(WORDS), size=4)
        doc = Doc(vocab, words=[WORDS[word] for word in words])
        level = words.mean() / 2 + rng.normal() / 2
        doc.cats["deaths"] = np.expm1(abs(level))
        if i % 3:
            doc.cats["mood"] = -level
        doc.user_data.update(id=f"d{i}", group=f"g{i // 2}", time=f"{2000 + i // 4}")
        docs.append(doc)
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "train.spacy")
    pd.DataFrame({"term": WORDS, "weight": 1.0}).to_csv(folder / "terms.csv", index=False)
    overrides = {
        "paths.lexicon": str(folder / "terms.csv"),
        "nlp.lang": "xx",
        "initialize.components.dictionary_regressor.learn": None,
        "components.dictionary_regressor.transform": {"deaths": "log1p", "mood": "none"},
    }
    cross_validate(
        folder / "train.spacy",
        {"dict": DICTIONARY},
        folder / "cv",
        folds=FOLDS,
        overrides=overrides,
        keep_models=True,
    )
    # A second repeat, which must not count.
    path = folder / "cv" / "predictions.csv"
    table = pd.read_csv(path)
    pd.concat([table, table.assign(repeat=2, dict=9.0)]).to_csv(path, index=False)
    return folder / "cv"


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "cv")


@pytest.fixture
def table():
    return pd.DataFrame({"text": TEXTS})


def by_definition(folder, level):
    """Mean and ends of each text, from all sums and differences, on the transformed scale."""
    table = pd.read_csv(folder / "predictions.csv").query("repeat == 1")
    models = {
        fold: spacy.load(folder / f"models/dict/repeat-1-fold-{fold}")
        for fold in range(1, FOLDS + 1)
    }
    found = {}
    for target, forth, back in (("deaths", np.log1p, np.expm1), ("mood", np.array, np.array)):
        rows = table[table["target"] == target]
        errors = np.abs(forth(rows["gold"].to_numpy()) - forth(rows["dict"].to_numpy()))
        predicted = {f: [doc.cats[target] for doc in nlp.pipe(TEXTS)] for f, nlp in models.items()}
        centres = forth(np.array([predicted[fold] for fold in rows["fold"]]).T)
        n = len(rows)
        place = int(np.ceil(round(level * (n + 1), 9)))
        found[f"{target}_predicted"] = np.mean(list(predicted.values()), axis=0)
        found[f"{target}_low"] = back(np.sort(centres - errors, axis=1)[:, n - place])
        found[f"{target}_high"] = back(np.sort(centres + errors, axis=1)[:, place - 1])
    return pd.DataFrame(found)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_a_frame(original, table, level):
    found = spacy_bertreg.score_frame(original, table, level=level)
    expected = by_definition(original, level)
    assert list(found.columns) == ["text", *expected.columns]
    pd.testing.assert_frame_equal(found[expected.columns], expected, rtol=1e-9)
    for target in ("deaths", "mood"):
        assert (found[f"{target}_low"] < found[f"{target}_predicted"]).all()
        assert (found[f"{target}_predicted"] < found[f"{target}_high"]).all()
    assert (found["deaths_low"] > -1).all()


def test_a_file_is_the_same(folder, table, tmp_path):
    table.to_csv(tmp_path / "in.csv", index=False)
    summary = score_file(folder, tmp_path / "in.csv", tmp_path / "out.csv", batch_size=8)
    assert (summary.scored, summary.empty) == (len(TEXTS), 1)
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(found, spacy_bertreg.score_frame(folder, table), rtol=1e-9)
    command = ["bertreg", "score", str(folder), str(tmp_path / "in.csv"), str(tmp_path / "cli.csv")]
    command += ["--model", "dict", "--level", "0.9", "--batch-size", "8"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "cli.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()
    # Intervals of a pipeline do not count here.
    nlp = spacy.load(folder / "models/dict/repeat-1-fold-2")
    calibration = spacy_bertreg.targets.intervals.Calibration("plain", 0.9, (1.0, 1.0), (9, 9))
    nlp.get_pipe("dictionary_regressor").calibration = calibration
    nlp.to_disk(folder / "models/dict/repeat-1-fold-2")
    again = spacy_bertreg.score_frame(folder, table)
    pd.testing.assert_frame_equal(again, spacy_bertreg.score_frame(folder, table))


def test_a_worker_of_ray_gives_the_same(original, table):
    """Without a cluster, which takes half a minute to start."""
    ray_engine = pytest.importorskip("spacy_bertreg.scoring.ray_engine", exc_type=ImportError)
    pa = pytest.importorskip("pyarrow")
    worker = ray_engine.Worker(PredictorSettings(str(original), model="dict", level=0.8), ())
    chunk = {"number": 3, "texts": TEXTS, "covariates": [[]] * len(TEXTS)}
    found = worker(pa.Table.from_pylist([chunk], ray_engine.INPUT)).to_pylist()[0]
    assert (found["number"], found["failed"]) == (3, [])
    expected = spacy_bertreg.score_frame(original, table, level=0.8).drop(columns="text")
    assert found["rows"] == expected.to_numpy().tolist()


def test_a_stopped_job_goes_on_with_the_same_models(folder, table, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    table.to_csv(tmp_path / "in.csv", index=False)

    def stop(progress, share):
        raise KeyboardInterrupt

    def score(**settings):
        settings = {"batch_size": 8, **settings}
        return score_file(folder, tmp_path / "in.csv", tmp_path / "out.csv", **settings)

    with pytest.raises(KeyboardInterrupt):
        score(on_progress=stop)
    with pytest.raises(ValueError, match="level was 0.9, and is 0.8"):
        score(level=0.8)
    path = folder / "predictions.csv"
    content = path.read_bytes()
    pd.read_csv(path).round(3).to_csv(path, index=False)
    with pytest.raises(ValueError, match="the pipeline's content"):
        score()
    path.write_bytes(content)
    assert score(level=0.9).resumed_after == 8


def test_a_text_that_one_model_can_not_read_is_rejected(folder, table, tmp_path, monkeypatch):
    predict, calls = Predictor._predict, []

    def fail(self, pairs):
        calls.append(self)
        # The second model.
        if list(dict.fromkeys(calls))[1:] == [self] and any(t == "war war" for t, _ in pairs):
            raise ValueError("too warlike")
        return predict(self, pairs)

    monkeypatch.setattr(Predictor, "_predict", fail)
    table.to_csv(tmp_path / "in.csv", index=False)
    summary = score_file(folder, tmp_path / "in.csv", tmp_path / "out.csv")
    assert summary.rejected == 1
    assert "too warlike" in (tmp_path / "out.csv.errors.jsonl").read_text()
    monkeypatch.undo()
    expected = spacy_bertreg.score_frame(folder, table[table["text"] != "war war"])
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), rtol=1e-9)


def change(name, **changes):
    def write(folder):
        path = folder / name
        if name == "predictions.csv" and "mood" not in changes:
            pd.read_csv(path).assign(**changes).to_csv(path, index=False)
        else:
            content = path.read_text()
            for old, new in changes.items():
                assert old in content
                content = content.replace(old, new)
            path.write_text(content)

    return write


@pytest.mark.parametrize(
    ("edit", "settings", "message"),
    [
        (None, {"model": "full"}, "--model is 'full'. Expected a model of .*cv: dict"),
        (None, {"level": 1.5}, "The level is 1.5. Expected a number between 0 and 1"),
        (None, {"level": 0.98}, "cv, target 'mood': 40 labelled documents are too few .* 49 or"),
        (change("predictions.csv", other=1.0), {}, "No --model is named. .*cv: dict, other"),
        (change("predictions.csv", other=1.0), {"model": "other"}, "has no models of 'other'"),
        (change("predictions.csv", dict=np.nan), {}, "predictions of 'deaths' by 'dict' are not"),
        (change("predictions.csv", mood="fury"), {}, "no predictions of 'mood'"),
        (change("crossval.json", group="time"), {}, "has folds by time, whose models"),
        (lambda folder: shutil.rmtree(folder / "models"), {}, "no models of 'dict'.*--keep-models"),
        (
            lambda folder: shutil.rmtree(folder / "models/dict/repeat-1-fold-3"),
            {},
            "no model of 'dict': .*repeat-1-fold-3 does not exist. .*--keep-models",
        ),
        (
            lambda folder: (folder / "models/dict/repeat-1-fold-3/meta.json").unlink(),
            {},
            "repeat-1-fold-3/meta.json is missing",
        ),
    ],
)
def test_wrong_folders_and_settings(folder, table, tmp_path, edit, settings, message):
    if edit is not None:
        edit(folder)
    table.to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        score_file(folder, tmp_path / "in.csv", tmp_path / "out.csv", **settings)
    assert not (tmp_path / "out.csv").exists()


def test_settings_of_a_cross_validation_alone(pipeline, nlp, folder, table, tmp_path):
    table.to_csv(tmp_path / "in.csv", index=False)
    for name, value in (("model", "dict"), ("level", 0.5)):
        with pytest.raises(ValueError, match=f"{name} is {value!r}, but .* Expected no {name}"):
            score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", **{name: value})
        with pytest.raises(ValueError, match="model and level are those of a cross-validation"):
            spacy_bertreg.score_frame(nlp, table, **{name: value})
    with pytest.raises(ValueError, match="predictions.csv is the input, too"):
        score_file(folder, tmp_path / "in.csv", folder / "predictions.csv", overwrite=True)
