"""The models of a cross-validation, kept on wish."""

import json
import shutil

import pandas as pd
import pytest
import spacy
from conftest import ROOT
from spacy.tokens import DocBin

from spacy_bertreg.comparison import crossval
from spacy_bertreg.comparison.crossval import cross_validate
from spacy_bertreg.comparison.crossval_kept import find_models
from spacy_bertreg.data.convert import convert

DICTIONARY = ROOT / "configs" / "dictionary.cfg"
SETTINGS = {
    "paths.lexicon": str(ROOT / "corpus" / "terms.csv"),
    "initialize.components.dictionary_regressor.learn": None,
    # English has a thousand exceptions of the tokenizer, which take time.
    "nlp.lang": "xx",
}
RIDGE = {"ridge": DICTIONARY}
PATHS = ["models/ridge/repeat-1-fold-1", "models/ridge/repeat-1-fold-2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder, targets=["severity"], shares=(1, 0, 0), id_column="id", max_docs=60)
    return folder / "train.spacy"


@pytest.fixture(scope="module")
def original(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "out"
    cross_validate(data, RIDGE, folder, folds=2, overrides=SETTINGS, keep_models=True)
    return folder


@pytest.fixture
def kept(original, tmp_path):
    """A finished run with its models."""
    return shutil.copytree(original, tmp_path / "kept")


@pytest.fixture
def run(data):
    """Goes on, and says which trainings were done."""

    def run(folder, configs=RIDGE, **settings):
        lines = []
        options = {"folds": 2, "overrides": SETTINGS, "on_progress": lines.append, **settings}
        cross_validate(data, configs, folder, **options)
        return [line.rpartition(": ")[2] for line in lines if line.startswith("training ")]

    return run


def models(folder):
    """List what is kept, and check that crossval.json says the same."""
    found = sorted(
        path.parent.relative_to(folder).as_posix() for path in folder.glob("models/*/*/config.cfg")
    )
    assert sorted(json.loads((folder / "crossval.json").read_text())["models"]) == found
    return found


def predictions(folder):
    return (folder / "predictions.csv").read_bytes()


ALL = ["ridge, repeat 1, fold 1", "ridge, repeat 1, fold 2"]


def test_each_model_predicts_its_fold(kept, data, run, tmp_path):
    assert models(kept) == PATHS
    assert sorted(path.name for path in kept.iterdir()) == [
        *("crossval.json", "models", "predictions.csv")
    ]
    table = pd.read_csv(kept / "predictions.csv").set_index("id")
    docs = {
        doc.user_data["id"]: doc
        for doc in DocBin().from_disk(data).get_docs(spacy.blank("en").vocab)
    }
    for number, path in enumerate(find_models(kept, "ridge", 1, [1, 2]), start=1):
        nlp = spacy.load(path)
        own = table[table["fold"] == number]["ridge"]
        predicted = nlp.pipe([docs[name].text for name in own.index])
        assert [doc.cats["severity"] for doc in predicted] == own.tolist()
    # Keeping them changes no prediction.
    assert run(tmp_path / "other") == ALL
    assert predictions(tmp_path / "other") == predictions(kept)
    assert models(tmp_path / "other") == []


def test_a_finished_run_without_models_is_trained_anew(kept, run, tmp_path):
    folder = tmp_path / "other"
    run(folder)
    assert run(folder, keep_models=True) == ALL
    assert models(folder) == PATHS
    assert run(folder, keep_models=True) == []
    # What is there stays.
    assert run(folder) == []
    assert models(folder) == PATHS
    for name in ("predictions.csv", "crossval.json"):
        assert (folder / name).read_bytes() == (kept / name).read_bytes()
    shutil.rmtree(folder / PATHS[1])
    with pytest.raises(
        FileNotFoundError, match="no model of 'ridge': .*fold-2 does not exist. .*--k"
    ):
        find_models(folder, "ridge", 1, [1, 2])
    assert run(folder, keep_models=True) == ALL[1:]
    assert models(folder) == PATHS


def test_models_go_with_their_predictions(kept, run):
    cased = {**SETTINGS, "cased.components.dictionary_regressor.case_sensitive": True}
    both = {**RIDGE, "cased": DICTIONARY}
    assert len(run(kept, both, overrides=cased)) == 2
    assert models(kept) == PATHS
    assert len(run(kept, both, overrides=cased, keep_models=True)) == 2
    assert models(kept) == [*(path.replace("ridge", "cased") for path in PATHS), *PATHS]
    (kept / PATHS[0]).with_name("notes.txt").write_text("mine")
    run(kept, overrides={**SETTINGS, "nlp.batch_size": 7})
    assert models(kept) == []
    # Nothing else is deleted.
    assert [path.name for path in (kept / "models").rglob("*")] == ["ridge", "notes.txt"]
    (kept / PATHS[0]).mkdir()
    with pytest.raises(ValueError, match="fold-1 is there already, and was not written by this"):
        run(kept, keep_models=True)


@pytest.mark.parametrize("kept_before", [True, False])
def test_a_stopped_run_goes_on_with_its_models(kept, data, run, tmp_path, kept_before):
    def stop(line):
        if line.endswith("fold 2"):
            raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    settings = {"folds": 2, "overrides": SETTINGS, "on_progress": stop}
    with pytest.raises(KeyboardInterrupt):
        cross_validate(data, RIDGE, folder, keep_models=kept_before, **settings)
    # A training whose model is not there is done anew.
    assert run(folder, keep_models=True) == (ALL[1:] if kept_before else ALL)
    assert models(folder) == PATHS
    assert predictions(folder) == predictions(kept)
    assert (folder / "crossval.json").read_bytes() == (kept / "crossval.json").read_bytes()
    assert not (folder / "folds").exists()


def test_killed_before_the_models_are_in_place(kept, run, tmp_path, monkeypatch):
    def move_one(source, folder, trainings):
        move(source, folder, list(trainings)[:1])
        raise KeyboardInterrupt

    folder, move = tmp_path / "killed", crossval.move_models
    with monkeypatch.context() as patch:
        patch.setattr(crossval, "move_models", move_one)
        with pytest.raises(KeyboardInterrupt):
            run(folder, keep_models=True)
    with pytest.raises(FileNotFoundError, match="no model of 'ridge': .*fold-2 does not exist"):
        find_models(folder, "ridge", 1, [1, 2])
    assert run(folder, keep_models=True) == []
    assert models(folder) == PATHS
    assert predictions(folder) == predictions(kept)
    assert not (folder / "folds").exists()
    # As if a model was being deleted.
    (folder / PATHS[0] / "config.cfg").unlink()
    assert run(folder, keep_models=True) == ALL[:1]
    assert models(folder) == PATHS


def test_wrong_folders(kept, data, run):
    with pytest.raises(ValueError, match="keep_models is true, but there is no output"):
        cross_validate(data, RIDGE, keep_models=True)
    path = kept / "crossval.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "models": ["../data"]}))
    with pytest.raises(ValueError, match="crossval.json is not what .* it names '../data'"):
        run(kept, keep_models=True)
