"""Cross-validation: folds apart, nothing leaks, a killed run goes on."""

import json
import multiprocessing
import shutil
import time

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT
from spacy.tokens import Doc, DocBin
from spacy.util import load_config

from spacy_bertreg.comparison.crossval import cross_validate
from spacy_bertreg.comparison.crossval_files import read_out_of_fold
from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.folds import make_folds
from spacy_bertreg.evaluation.metrics import mse, r_squared
from spacy_bertreg.training.jobs import train_in_process

DICTIONARY = ROOT / "configs" / "dictionary.cfg"
GIVEN = {
    "paths.lexicon": str(ROOT / "corpus" / "terms.csv"),
    "initialize.components.dictionary_regressor.learn": None,
}
# Two models that are trained fast.
MODELS = {"ridge": DICTIONARY, "cased": DICTIONARY}
SETTINGS = {**GIVEN, "cased.components.dictionary_regressor.case_sensitive": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossval")
    sample = ROOT / "corpus" / "briefings.csv"
    options = {"id_column": "id", "group": "region", "max_docs": 150}
    convert(sample, folder, targets=["severity"], shares=(1, 0, 0), **options)
    return folder / "train.spacy"


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A folder, the frame, and what progress said."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    lines = []
    frame = cross_validate(
        data, MODELS, folder, folds=3, overrides=SETTINGS, on_progress=lines.append
    )
    return folder, frame, lines


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_docs(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_every_document_is_predicted_once(finished, data):
    folder, frame, lines = finished
    docs = read_docs(data)
    assert list(frame.columns) == [
        *("target", "id", "group", "repeat", "fold", "gold", "ridge", "cased")
    ]
    assert frame["id"].tolist() == [doc.user_data["id"] for doc in docs]
    assert frame["gold"].tolist() == [doc.cats["severity"] for doc in docs]
    assert frame.groupby("group")["fold"].nunique().max() == 1
    assert np.isfinite(frame[["ridge", "cased"]]).all(axis=None)
    pd.testing.assert_frame_equal(read_out_of_fold(folder), frame, check_exact=True)
    assert sorted(path.name for path in folder.iterdir()) == ["crossval.json", "predictions.csv"]
    assert lines[1] == "training 2 of 6: cased, repeat 1, fold 1"
    assert len(lines) == 6
    about = json.loads((folder / "crossval.json").read_text())
    assert about["settings"]["by"] == "group"
    assert about["files"] == ["crossval.json", "predictions.csv"]
    for row in about["scores"]:
        fold = frame[frame["fold"] == row["fold"]]
        gold, predicted = fold["gold"].to_numpy(), fold[row["model"]].to_numpy()
        assert row["r2"] == r_squared(gold, predicted)
        assert row["mse"] == mse(gold, predicted)
        assert row["n"] == row["n_test"] == len(fold)
        assert row["n_train"] + row["n_dev"] + row["n_test"] == len(docs)
    assert [row["seed"] for row in about["scores"]] == [0, 0, 1, 1, 2, 2]


def test_a_fold_is_predicted_by_a_training_on_the_others(finished, data, tmp_path):
    """Also what is learned beside the weights, such as scale and penalty, knows only these."""
    _, frame, _ = finished
    docs = read_docs(data)
    folds = make_folds(
        "group",
        3,
        0,
        0.1,
        groups=[doc.user_data["group"] for doc in docs],
        values=[0.0] * len(docs),
        times=[None] * len(docs),
        ids=frame["id"].tolist(),
    )
    paths = {}
    for name in ("train", "dev"):
        paths[f"paths.{name}"] = str(tmp_path / f"{name}.spacy")
        chosen = [docs[place] for place in getattr(folds[1], name)]
        DocBin(docs=chosen, store_user_data=True).to_disk(paths[f"paths.{name}"])
    train_in_process(
        DICTIONARY, tmp_path / "own", seed=1, epochs=None, overrides=GIVEN | paths, gpu_id=-1
    )
    nlp = spacy.load(tmp_path / "own" / "model-best")
    test = [docs[place] for place in folds[1].test]
    assert [doc.user_data["id"] for doc in test] == frame["id"][frame["fold"] == 2].tolist()
    predicted = [doc.cats["severity"] for doc in nlp.pipe([doc.text for doc in test])]
    assert predicted == frame["ridge"][frame["fold"] == 2].tolist()


def test_a_stopped_run_goes_on(finished, data, tmp_path):
    expected = content(finished[0])
    lines, limit = [], 3
    settings = {"folds": 3, "overrides": SETTINGS}

    def stop(line):
        lines.append(line)
        if len(lines) == limit:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(data, MODELS, tmp_path / "out", on_progress=stop, **settings)
    # As if it was killed while it trained and wrote.
    running = tmp_path / "out" / "folds" / "ridge-repeat-1-fold-2"
    shutil.copytree(tmp_path / "out" / "folds", running / "model-best")
    running.with_name("ridge-repeat-1-fold-2.json.new").write_text("{")
    for change, found in (
        ({"folds": 4}, "k was 3, and is 4"),
        ({"by": "target"}, "by was 'group', and is 'target'"),
        ({"seeds": [1]}, r"seeds was \[0\], and is \[1\]"),
        ({"overrides": {**SETTINGS, "nlp.batch_size": 7}}, r"config of ridge \(SHA-256\) was"),
    ):
        with pytest.raises(ValueError, match=found):
            cross_validate(data, MODELS, tmp_path / "out", **settings | change)
    shutil.copytree(tmp_path / "out", tmp_path / "anew")
    shutil.copytree(tmp_path / "out" / "folds", tmp_path / "copy")
    ridge, given = {"ridge": DICTIONARY}, {"folds": 2, "overrides": GIVEN}
    cross_validate(data, ridge, tmp_path / "anew", overwrite=True, **given)
    assert set(content(tmp_path / "anew")) == {"crossval.json", "predictions.csv"}
    limit = 0
    lines.clear()
    frame = cross_validate(data, MODELS, tmp_path / "out", on_progress=stop, **settings)
    assert lines[:2] == [
        "continuing after 2 of 6 trainings",
        "training 3 of 6: ridge, repeat 1, fold 2",
    ]
    assert len(lines) == 5
    assert content(tmp_path / "out") == expected
    # As if it was killed when all was written.
    shutil.copytree(tmp_path / "copy", tmp_path / "out" / "folds")
    cross_validate(data, MODELS, tmp_path / "out", on_progress=stop, **settings)
    assert len(lines) == 5
    assert content(tmp_path / "out") == expected
    pd.testing.assert_frame_equal(frame, finished[1])


def test_a_finished_run_is_not_repeated(finished, data):
    folder, frame, _ = finished
    before = content(folder)
    lines = []
    again = cross_validate(
        data, MODELS, folder, folds=3, overrides=SETTINGS, on_progress=lines.append
    )
    assert not lines
    pd.testing.assert_frame_equal(again, frame)
    assert content(folder) == before


def test_only_a_model_that_is_new_is_trained(finished, data, tmp_path):
    shutil.copytree(finished[0], tmp_path / "out")
    lines = []
    settings = {"folds": 3, "on_progress": lines.append}
    ridge = cross_validate(
        data, {"ridge": DICTIONARY}, tmp_path / "out", overrides=GIVEN, **settings
    )
    assert lines == ["continuing after 3 of 3 trainings"]
    pd.testing.assert_frame_equal(ridge, finished[1].drop(columns="cased"))
    lines.clear()
    cross_validate(data, MODELS, tmp_path / "out", overrides=SETTINGS, **settings)
    assert lines == [
        "continuing after 3 of 6 trainings",
        *(f"training {2 * fold} of 6: cased, repeat 1, fold {fold}" for fold in (1, 2, 3)),
    ]
    # As if all had been trained.
    assert content(tmp_path / "out") == content(finished[0])
    lines.clear()
    changed = {**SETTINGS, "ridge.components.dictionary_regressor.context_window": 5}
    cross_validate(data, MODELS, tmp_path / "out", overrides=changed, **settings)
    assert [line.partition(", ")[0] for line in lines[1:]] == [
        f"training {2 * fold - 1} of 6: ridge" for fold in (1, 2, 3)
    ]


@pytest.mark.parametrize("lacks", ["a score", "a column"])
def test_what_is_not_all_there_is_trained_again(finished, data, tmp_path, lacks):
    shutil.copytree(finished[0], tmp_path / "out")
    if lacks == "a score":
        # As after a training that diverged.
        path = tmp_path / "out" / "crossval.json"
        about = json.loads(path.read_text())
        (row,) = (r for r in about["scores"] if (r["model"], r["fold"]) == ("ridge", 2))
        row["mse"] = None
        path.write_text(json.dumps(about))
    else:
        path = tmp_path / "out" / "predictions.csv"
        pd.read_csv(path).drop(columns="ridge").to_csv(path, index=False)
    lines = []
    settings = {"folds": 3, "overrides": GIVEN, "on_progress": lines.append}
    cross_validate(data, {"ridge": DICTIONARY}, tmp_path / "out", **settings)
    folds = [2] if lacks == "a score" else [1, 2, 3]
    assert [line for line in lines if "training " in line] == [
        f"training {fold} of 3: ridge, repeat 1, fold {fold}" for fold in folds
    ]


def test_other_settings_replace_what_is_ours(data, finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    frame = cross_validate(
        data, {"ridge": DICTIONARY}, tmp_path / "out", folds=2, seeds=[3, 5], overrides=GIVEN
    )
    assert set(content(tmp_path / "out")) == {"crossval.json", "predictions.csv", "notes.txt"}
    about = json.loads((tmp_path / "out" / "crossval.json").read_text())
    assert [about["settings"][name] for name in ("k", "repeats", "seeds")] == [2, 2, [3, 5]]
    assert [row["seed"] for row in about["scores"]] == [6, 7, 10, 11]
    folds = frame.pivot(index="id", columns="repeat", values="fold")
    # Folds are drawn anew.
    assert len(frame) == 300
    assert folds.groupby([1, 2]).size().shape == (4,)


def test_folders_of_others_are_refused(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "predictions.csv").write_text("mine")
    with pytest.raises(ValueError, match="mine holds other files: it has no crossval.json"):
        cross_validate(data, MODELS, tmp_path / "mine")
    (tmp_path / "other" / "folds").mkdir(parents=True)
    (tmp_path / "other" / "folds" / "paper.tex").write_text("mine")
    with pytest.raises(ValueError, match="folds holds other files: it has no settings.json"):
        cross_validate(data, MODELS, tmp_path / "other", overrides=GIVEN)
    assert set(content(tmp_path)) == {"predictions.csv", "paper.tex"}


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"configs": {}}, "No model is named"),
        ({"configs": {"gold": DICTIONARY}}, "A model is named 'gold'. Expected letters"),
        ({"configs": {"a/b": DICTIONARY}}, "A model is named 'a/b'. Expected letters"),
        ({"repeats": 3, "seeds": [1, 2]}, "repeats is 3, with 2 seeds. Expected"),
        ({"seeds": [-1]}, "Expected different whole numbers"),
        ({"engine": "dask"}, "engine is 'dask'. Expected local or ray"),
        ({"epochs": 0}, "epochs is 0. Expected 1 or more"),
        ({"by": "time"}, "has no time. Expected one in each"),
        ({"folds": 99}, "There are 25 groups, too few for 99 folds"),
        ({"overrides": {"paths.lexicon": "no.csv"}}, "fold 1 failed: .*no.csv"),
    ],
)
def test_wrong_input(data, tmp_path, settings, found):
    arguments = {"configs": MODELS, "output": tmp_path / "out", **settings}
    with pytest.raises(ValueError, match=found):
        cross_validate(data, **arguments)
    assert not content(tmp_path)


def test_folders_of_convert_without_their_test_set(data, tmp_path):
    for name in ("train", "dev", "test"):
        shutil.copy(data, tmp_path / f"{name}.spacy")
    with pytest.raises(ValueError, match="documents 1 and 151 both have the id"):
        cross_validate(tmp_path, MODELS)
    (tmp_path / "dev.spacy").unlink()
    frame = cross_validate(tmp_path, {"ridge": DICTIONARY}, folds=2, overrides=GIVEN)
    assert len(frame) == 150
    (tmp_path / "train.spacy").unlink()
    with pytest.raises(FileNotFoundError, match="or has no train.spacy"):
        cross_validate(tmp_path, MODELS)


def test_periods_are_predicted_from_those_before(data, tmp_path):
    docs = read_docs(data)
    for place, doc in enumerate(docs):
        doc.user_data["time"] = str(2000 + place % 30)
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "dated.spacy")
    frame = cross_validate(
        tmp_path / "dated.spacy", {"ridge": DICTIONARY}, folds=2, by="time", overrides=GIVEN
    )
    years = {doc.user_data["id"]: int(doc.user_data["time"]) for doc in docs}
    found = frame["id"].map(years).groupby(frame["fold"]).agg(["min", "max", "size"])
    # The first ten years are only learned from.
    assert found.to_numpy().tolist() == [[2010, 2019, 50], [2020, 2029, 50]]
    assert np.isfinite(frame["ridge"]).all()


def test_a_config_that_learns_from_elsewhere(data, tmp_path):
    config = load_config(DICTIONARY)
    config["corpora"]["train"]["path"] = str(data)
    config.to_disk(tmp_path / "fixed.cfg")
    with pytest.raises(ValueError, match=r"\[corpora.train\] does not read \$\{paths.train\}"):
        cross_validate(data, {"fixed": tmp_path / "fixed.cfg"}, overrides=GIVEN)
    train_in_process(
        DICTIONARY,
        tmp_path / "all",
        seed=0,
        epochs=None,
        overrides=GIVEN | {"paths.train": str(data), "paths.dev": str(data)},
        gpu_id=-1,
    )
    config = load_config(DICTIONARY)
    config["components"]["dictionary_regressor"] = {"source": str(tmp_path / "all/model-best")}
    config["training"]["frozen_components"] = ["dictionary_regressor"]
    config.to_disk(tmp_path / "further.cfg")
    with pytest.raises(ValueError, match="has learned from .* documents that it is to predict"):
        cross_validate(data, {"further": tmp_path / "further.cfg"}, folds=2)


def test_a_word_that_gives_the_target_away(tmp_path):
    """Where documents of one group have a word of their own, random folds are too good."""
    rng = np.random.default_rng(0)
    vocab = spacy.blank("en").vocab
    r2 = {}
    for by in ("group", "target"):
        docs = DocBin(store_user_data=True)
        rows = []
        for group in range(60):
            level = rng.normal()
            for place in range(6):
                words = [f"w{i}" for i in rng.integers(0, 50, 5)]
                if is_planted := place < 4:
                    words.append(f"secret{group}")
                doc = Doc(vocab, words=words)
                doc.cats = {"y": level + 0.1 * rng.normal()}
                doc.user_data["id"] = f"{group}-{place}"
                if by == "group":
                    doc.user_data["group"] = f"g{group}"
                docs.add(doc)
                rows.append(is_planted)
        docs.to_disk(tmp_path / f"{by}.spacy")
        frame = cross_validate(
            tmp_path / f"{by}.spacy",
            {"dictionary": DICTIONARY},
            folds=3,
            by=by,
            overrides={"initialize.components.dictionary_regressor.learn": "elastic_net"},
        )
        planted = frame[rows]
        r2[by] = r_squared(planted["gold"].to_numpy(), planted["dictionary"].to_numpy())
    assert r2["group"] < 0.05
    assert r2["target"] > 0.5


@pytest.mark.slow
def test_killed_ten_times(data, tmp_path):
    models = {"cnn": ROOT / "configs" / "tok2vec.cfg", "ridge": DICTIONARY}
    settings = {"folds": 3, "epochs": 1, "overrides": GIVEN}
    start = time.monotonic()
    cross_validate(data, models, tmp_path / "whole", **settings)
    duration = time.monotonic() - start
    # A fork has imported everything already.
    fork = multiprocessing.get_context("fork")
    moments = np.random.default_rng(0).uniform(0, 0.4 * duration, 10)
    n_killed = 0
    for moment in moments:
        process = fork.Process(
            target=cross_validate, args=(data, models, tmp_path / "killed"), kwargs=settings
        )
        process.start()
        # Also before it has begun, and up to what remains to do.
        process.join(moment)
        process.kill()
        process.join()
        n_killed += process.exitcode != 0
    cross_validate(data, models, tmp_path / "killed", **settings)
    assert n_killed > 2
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@pytest.mark.slow
def test_ray_finds_the_same(data, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    # Else workers have a low priority, and stand still beside other tests.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    # One learns from another in the same fold, and has to wait for it.
    models = {"taught": DICTIONARY, "cnn": ROOT / "configs" / "tok2vec.cfg", "ridge": DICTIONARY}
    known = {doc.text for doc in read_docs(data)}
    texts = pd.read_csv(ROOT / "corpus" / "briefings.csv")["text"]
    texts[~texts.isin(known)].head(30).to_csv(tmp_path / "unrated.csv", index=False)
    section = "taught.initialize.components.dictionary_regressor"
    teaching = {
        f"{section}.learn": "elastic_net",
        f"{section}.teacher": "cnn",
        f"{section}.unlabelled": str(tmp_path / "unrated.csv"),
    }
    frames = [
        cross_validate(
            data,
            models,
            tmp_path / engine,
            folds=2,
            epochs=1,
            overrides=GIVEN | teaching,
            engine=engine,
            keep_models=True,
        )
        for engine in ("local", "ray")
    ]
    pd.testing.assert_frame_equal(*frames, check_exact=True)
    for name in ("crossval.json", "predictions.csv"):
        assert (tmp_path / "local" / name).read_bytes() == (tmp_path / "ray" / name).read_bytes()
    about = json.loads((tmp_path / "ray" / "crossval.json").read_text())
    assert len(about["models"]) == 6
    for path in about["models"]:
        assert spacy.load(tmp_path / "ray" / path).pipe_names
