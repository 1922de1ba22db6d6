"""A model of a cross-validation that learns from another of the same fold."""

import json
import shutil
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT
from spacy.tokens import DocBin
from thinc.api import Config

from spacy_bertreg.comparison.crossval import cross_validate
from spacy_bertreg.comparison.crossval_run import describe_run
from spacy_bertreg.comparison.crossval_teachers import check_unlabelled, find_teachers
from spacy_bertreg.comparison.crossval_trainings import Training
from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.folds import Fold, make_folds
from spacy_bertreg.training.jobs import load_config, train_in_process
from spacy_bertreg.training.overrides import overrides_by_config
from spacy_bertreg.training.resume import kept_model

DICTIONARY, BERT = (ROOT / "configs" / f"{name}.cfg" for name in ("dictionary", "bert"))
SECTION = "initialize.components.dictionary_regressor"
MODELS = {"distilled": DICTIONARY, "full": BERT}
FOLDS = {"folds": 2, "by": "target"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder, targets=["severity"], shares=(1, 0, 0), id_column="id", max_docs=40)
    return folder / "train.spacy"


@pytest.fixture(scope="module")
def docs(data):
    return list(DocBin().from_disk(data).get_docs(spacy.blank("xx").vocab))


@pytest.fixture(scope="module")
def unrated(docs, sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("unrated") / "unrated.csv"
    others = sample[~sample["text"].isin([doc.text for doc in docs])]
    others[["text"]].head(20).to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def settings(tiny_bert, unrated):
    return {
        "paths.transformer": tiny_bert,
        "nlp.lang": "xx",
        "full.training.max_steps": 2,
        "full.training.eval_frequency": 2,
        "full.training.optimizer.warmup_steps": 0,
        "full.training.optimizer.encoder_rate": 0.01,
        f"{SECTION}.learn": "elastic_net",
        f"{SECTION}.min_documents": 5,
        f"distilled.{SECTION}.teacher": "full",
        f"distilled.{SECTION}.unlabelled": unrated,
    }


@pytest.fixture(scope="module")
def kept(data, settings, tmp_path_factory):
    """A finished run with all of its models."""
    folder = tmp_path_factory.mktemp("kept") / "out"
    cross_validate(data, MODELS, folder, overrides=settings, keep_models=True, **FOLDS)
    return folder


@pytest.fixture
def run(data, settings):
    """Go on, and say what was trained."""

    def run(folder, models=MODELS, stop_at=None, **changes):
        lines = []

        def tell(line):
            if stop_at and stop_at in line:
                raise KeyboardInterrupt
            if line.startswith("training "):
                lines.append(line.rpartition(": ")[2].replace(", repeat 1, fold", ""))

        overrides = {**settings, **changes.pop("overrides", {})}
        arguments = {"overrides": overrides, "on_progress": tell, **FOLDS, **changes}
        with pytest.raises(KeyboardInterrupt) if stop_at else nullcontext():
            cross_validate(data, models, folder, **arguments)
        return lines

    return run


def predictions(folder):
    return (folder / "predictions.csv").read_bytes()


def test_a_pupil_learns_from_the_teacher_of_its_fold(kept, docs, settings, tmp_path):
    table = pd.read_csv(kept / "predictions.csv", float_precision="round_trip")
    ids, texts = [doc.user_data["id"] for doc in docs], [doc.text for doc in docs]
    values = [doc.cats["severity"] for doc in docs]
    fold = make_folds(
        "target", 2, 0, 0.1, groups=texts, values=values, times=[None] * len(docs), ids=ids
    )[1]
    paths = {}
    for name in ("train", "dev"):
        paths[f"paths.{name}"] = str(tmp_path / f"{name}.spacy")
        DocBin(docs=[docs[place] for place in getattr(fold, name)], store_user_data=True).to_disk(
            paths[f"paths.{name}"]
        )
    predicted = []
    for number in (2, 1):
        own = {
            name.removeprefix("distilled."): value
            for name, value in settings.items()
            if name.startswith(("distilled.", "init", "nlp"))
        }
        own[f"{SECTION}.teacher"] = str(kept / f"models/full/repeat-1-fold-{number}")
        train_in_process(
            DICTIONARY,
            tmp_path / f"by-{number}",
            seed=1,
            epochs=None,
            overrides=own | paths,
            gpu_id=-1,
        )
        nlp = spacy.load(tmp_path / f"by-{number}" / "model-best")
        test = [docs[place] for place in fold.test]
        predicted.append([doc.cats["severity"] for doc in nlp.pipe([doc.text for doc in test])])
    rows = table.set_index("id").loc[[doc.user_data["id"] for doc in test]]
    assert set(rows["fold"]) == {2}
    assert rows["distilled"].tolist() == predicted[0]
    assert predicted[0] != predicted[1]
    # Columns are in the order in which models were named, whatever was trained first.
    assert list(table.columns[-2:]) == ["distilled", "full"]


def test_a_stopped_run_goes_on_with_its_teachers(kept, run, tmp_path):
    folder = tmp_path / "stopped"
    for stop_at in ("distilled, repeat 1, fold 1", "distilled, repeat 1, fold 2"):
        run(folder, stop_at=stop_at)
    # The first teacher is gone, as its pupil is done; the second is there, until it is lost.
    assert [path.name for path in (folder / "folds").glob("*.model")] == [
        "full-repeat-1-fold-2.model"
    ]
    shutil.rmtree(kept_model(folder / "folds", "full-repeat-1-fold-2"))
    assert run(folder) == ["full 2", "distilled 2"]
    assert predictions(folder) == predictions(kept)
    assert sorted(path.name for path in folder.iterdir()) == ["crossval.json", "predictions.csv"]


def test_a_pupil_is_added_to_a_finished_run(kept, run, tmp_path):
    folder = shutil.copytree(kept, tmp_path / "added")
    about = json.loads((folder / "crossval.json").read_text())
    about["identity"] |= {"the models": ["full"], "the config of distilled (SHA-256)": None}
    (folder / "crossval.json").write_text(json.dumps(about))
    before = shutil.copytree(folder, tmp_path / "without models")
    # Its teachers are there.
    assert run(folder) == ["distilled 1", "distilled 2"]
    assert predictions(folder) == predictions(kept)
    # They are not, and so are trained again.
    shutil.rmtree(before / "models")
    assert run(before, stop_at="distilled, repeat 1, fold 1") == ["full 1"]


def describe(data, models, overrides):
    """Give the hash of each model's config."""
    overrides = {f"{name}.{SECTION}.{key}": value for (name, key), value in overrides.items()}
    configs = dict.fromkeys(models, DICTIONARY)
    chosen = overrides_by_config(configs, overrides)
    run = describe_run(data, [data], configs, chosen, targets=["severity"], code=None)
    return [run.identity[f"the config of {model} (SHA-256)"] for model in models]


def test_what_a_pupil_is_depends_on_its_teacher(data, unrated):
    names, taught = ["pupil", "teacher"], ("pupil", "teacher")
    own = {("pupil", "unlabelled"): unrated}
    pupil, teacher = describe(data, names, {**own, taught: "teacher"})
    changed = {**own, taught: "teacher", ("teacher", "n_terms"): 9}
    assert describe(data, names, changed)[0] != pupil
    # But not on what that is called.
    assert describe(data, ["pupil", "other"], {**own, taught: "other"}) == [pupil, teacher]
    # One that nobody learns from is what it was.
    assert describe(data, ["teacher"], {}) == [teacher]


def make_configs(teachers, **settings):
    """Configs of dictionaries, by name, with the names of their teachers."""
    configs = {}
    for name, teacher in teachers.items():
        section = {f"{SECTION}.teacher": teacher, f"{SECTION}.unlabelled": teacher and "x.csv"}
        own = {f"{SECTION}.{key}": value for key, value in settings.get(name, {}).items()}
        configs[name] = load_config(DICTIONARY, {**section, **own})
    return configs


def test_each_comes_behind_its_teachers():
    configs = make_configs({"a": "c", "b": None, "c": "d", "d": None, "e": "d"})
    found = find_teachers(configs, ["y"])
    assert list(found) == ["d", "c", "a", "b", "e"]
    assert found["a"] == {f"{SECTION}.teacher": "c"}
    assert found["b"] == {}


@pytest.mark.parametrize(
    ("teachers", "settings", "message"),
    [
        (
            {"a": "fulll", "full": None},
            {},
            "'fulll' in .* of a. Expected another .* a, full; or",
        ),
        ({"a": "a"}, {}, r"'a' in \[initialize.*\] of a, the model itself"),
        ({"a": "b", "b": "c", "c": "b"}, {}, "b learns from c learns from b. Expected"),
        (
            {"a": "b", "b": None},
            {"b": {"targets": ["z"]}},
            "'b' in .* of a, which predicts z. Expected a model that predicts y, too",
        ),
        ({"a": "b", "b": None}, {"a": {"unlabelled": None}}, "no texts for it to label"),
        ({"a": "b", "b": None}, {"a": {"learn": None}}, "no terms are learned"),
    ],
)
def test_wrong_teachers(teachers, settings, message):
    with pytest.raises(ValueError, match=message):
        find_teachers(make_configs(teachers, **settings), ["y", "z"])


def test_a_model_of_that_name_comes_before_a_folder(tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_teachers(make_configs({"a": "b", "b": None}), ["y"])["a"]
    assert not find_teachers(make_configs({"a": "./b", "b": None}), ["y"])["a"]


def test_documents_are_not_to_be_labelled(run, docs, tmp_path):
    texts = ["of its own", f" {docs[3].text}\n"]
    pd.DataFrame({"text": texts}).to_csv(tmp_path / "mixed.csv", index=False)
    overrides = {f"distilled.{SECTION}.unlabelled": str(tmp_path / "mixed.csv")}
    with pytest.raises(ValueError, match="mixed.csv, unlabelled in .* distilled, holds 1 of"):
        run(tmp_path / "out", overrides=overrides)
    assert not (tmp_path / "out" / "folds").exists()


def test_a_teacher_from_elsewhere(kept, data, docs, unrated, tmp_path):
    """One that has seen documents which the pupil is to predict is no teacher."""
    seen = spacy.load(kept / "models/full/repeat-1-fold-1")
    seen.to_disk(tmp_path / "seen")
    arguments = {
        "configs": make_configs({"pupil": str(tmp_path / "seen")}, pupil={"unlabelled": unrated}),
        "teachers": {"pupil": {}},
        "documents": docs,
    }
    parts = Fold(*map(np.array, ([0, 1], [2], list(range(3, len(docs))))))
    trainings = [Training("pupil", 1, 1, 0, parts)]
    with pytest.raises(ValueError, match="has learned from .* that pupil is to predict in fold 1"):
        check_unlabelled(**arguments, trainings=trainings)
    record = seen.get_pipe("text_regressor").record
    is_seen = record.holds(docs)
    others = Fold(*(np.flatnonzero(part) for part in (is_seen, is_seen, ~is_seen)))
    check_unlabelled(**arguments, trainings=[Training("pupil", 1, 1, 0, others)])
    record.forget_texts()
    seen.to_disk(tmp_path / "seen")
    with pytest.warns(UserWarning, match="of pupil has no record of its training texts"):
        check_unlabelled(**arguments, trainings=trainings)


@pytest.mark.parametrize("sections", ["", "[initialize]\nvectors = null\n"])
def test_sections_that_spacy_fills_may_be_missing(sections):
    config = f"""
[nlp]
lang = "en"
pipeline = ["dictionary_regressor"]

[components]

[components.dictionary_regressor]
factory = "dictionary_regressor"

{sections}"""
    configs = {"given": Config().from_str(config)}
    assert find_teachers(configs, ["y"]) == {"given": {}}
    check_unlabelled(configs, {"given": {}}, [], [])
