"""The regressors for scikit-learn."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.utils import estimator_checks

from spacy_bertreg.project.render import CONFIGS
from spacy_bertreg.sklearn import BertRegressor, DictionaryRegressor
from spacy_bertreg.training.seeds import train_seeds

TERMS = str(ROOT / "corpus" / "terms.csv")


def make_dictionary(**parameters):
    return DictionaryRegressor(lexicon=TERMS, learn=None, **parameters)


@pytest.mark.parametrize("estimator", [BertRegressor(), DictionaryRegressor()], ids=repr)
@pytest.mark.parametrize(
    "check",
    [
        "check_do_not_raise_errors_in_init_or_set_param",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_checks_of_scikit_learn(estimator, check):
    functions = vars(estimator_checks)
    check = functions.get(check) or functions[f"{check}s"]
    check(type(estimator).__name__, estimator)


@pytest.fixture(scope="module")
def data(sample):
    return sample["text"], sample["severity"]


def test_fit_predict_and_score(data):
    texts, y = data
    state = np.random.get_state()[1].copy()
    model = make_dictionary(dev_share=0.2)
    assert model.fit(texts, y) is model
    assert (np.random.get_state()[1] == state).all()
    predicted = model.predict(texts)
    assert predicted.shape == (len(texts),)
    assert model.score(texts, y) == pytest.approx(
        1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    )
    assert model.score(texts, y) > 0.3
    assert model.targets_ == ["severity"]
    assert isinstance(model.nlp_, spacy.Language)
    assert model.nlp_(texts[0]).cats["severity"] == pytest.approx(predicted[0])
    # A document without words gets the mean.
    assert model.predict([""]) == pytest.approx(y.mean(), abs=0.3)
    assert clone(model).fit(texts, y).predict(texts) == pytest.approx(predicted, abs=1e-12)


def test_intervals(data):
    texts, y = data
    model = make_dictionary(dev_share=0.25, interval_level=0.8).fit(texts, y)
    low, high = model.predict_interval(texts).T
    assert (low < model.predict(texts)).all()
    assert 0.7 < ((low <= y) & (y <= high)).mean() < 0.95
    with pytest.raises(ValueError, match="without intervals. Expected interval_level"):
        make_dictionary().fit(texts, y).predict_interval(texts)


def test_several_targets_weights_and_groups(data, sample):
    texts, y = data
    both = np.column_stack([y, -y])
    both[::3, 1] = np.nan
    model = make_dictionary().fit(list(texts), both, sample["severity"] + 1, sample["region"])
    assert model.targets_ == ["y0", "y1"]
    assert model.predict(list(texts[:4])).shape == (4, 2)
    unweighted = make_dictionary().fit(list(texts), both, groups=sample["region"])
    assert (model.predict(texts) != unweighted.predict(texts)).any()


def test_cross_validation_and_grid_search(data, sample):
    texts, y = data
    folds = GroupKFold(2)
    predicted = cross_val_predict(make_dictionary(), texts, y, groups=sample["region"], cv=folds)
    assert predicted.shape == y.shape
    search = GridSearchCV(make_dictionary(), {"readout": ["ridge", "random_forest"]}, cv=2)
    search.fit(texts, y)
    assert search.best_params_["readout"] in {"ridge", "random_forest"}
    assert search.predict(texts[:2]).shape == (2,)


def test_it_is_the_training_of_the_command(data, tiny_bert, tmp_path, monkeypatch):
    texts, y = data
    folders = []

    def keep(config, output, *, seed, epochs, overrides, gpu_id):
        corpora = {}
        for name in ("train", "dev"):
            corpora[f"paths.{name}"] = str(tmp_path / f"{name}.spacy")
            content = Path(overrides[f"paths.{name}"]).read_bytes()
            (tmp_path / f"{name}.spacy").write_bytes(content)
        folders.append((config, seed, epochs, overrides | corpora))
        return train_in_process(
            config, output, seed=seed, epochs=epochs, overrides=overrides, gpu_id=gpu_id
        )

    from spacy_bertreg.sklearn import text_estimator
    from spacy_bertreg.training.jobs import train_in_process

    monkeypatch.setattr(text_estimator, "train_in_process", keep)
    model = BertRegressor(tiny_bert, epochs=1, normalize=True, random_state=3).fit(texts, y)
    ((config, seed, epochs, overrides),) = folders
    assert config.parent == CONFIGS
    assert overrides["components.text_regressor.model.tok2vec.normalize"] is True
    train_seeds(config, tmp_path / "out", seeds=[seed], epochs=epochs, overrides=overrides)
    other = spacy.load(tmp_path / "out" / "model-best")
    expected = [doc.cats["severity"] for doc in other.pipe(texts)]
    assert model.predict(texts).tolist() == expected


def test_adapters_learn(data, tiny_bert):
    texts, y = data
    model = BertRegressor(tiny_bert, epochs=1, freeze="all", lora={"rank": 2}).fit(texts, y)
    (adapters,) = model.nlp_.meta["freeze_report"]["lora"]
    assert adapters["rank"] == 2


@pytest.mark.parametrize(
    ("texts", "y", "message"),
    [
        ("text", [1.0], "X is a single text. Expected a list"),
        (["a", None], [1.0, 2.0], "X[1] is None. Expected a text"),
        (["a", "b"], [1.0], "inconsistent numbers of samples"),
        (["a", "b"], [1.0, np.inf], "infinity"),
        (pd.DataFrame({"text": ["a", "b"]}), [1.0, 2.0], "X has the shape (2, 1). Expected one"),
    ],
)
def test_wrong_input(texts, y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_dictionary().fit(texts, y)


def test_a_fit_that_fails_leaves_the_model_as_it_was(data):
    texts, y = data
    model = make_dictionary().fit(texts, y)
    before = model.predict(texts[:3]).tolist()
    with pytest.raises(ValueError, match="no value of 'y1' for the texts to train on"):
        model.fit(texts, np.column_stack([y, np.full(len(y), np.nan)]))
    assert model.predict(texts[:3]).tolist() == before


def test_a_dictionary_learns_from_a_teacher(data, tmp_path):
    make_dictionary().fit(*data).nlp_.to_disk(tmp_path / "teacher")
    pd.DataFrame({"text": ["zzzz shelling", "zzzz talks"] * 4}).to_csv(tmp_path / "texts.csv")
    files = {"teacher": tmp_path / "teacher", "unlabelled": tmp_path / "texts.csv"}
    model = DictionaryRegressor(learn="elastic_net", unlabelled_weight=0.5, **files).fit(*data)
    config = model.nlp_.config["initialize"]["components"]["dictionary_regressor"]
    assert config["unlabelled_weight"] == 0.5
    assert config["teacher"] == str(tmp_path / "teacher")
    with pytest.raises(ValueError, match="there are no texts for it to label"):
        DictionaryRegressor(teacher=tmp_path / "teacher").fit(*data)


def test_wrong_parameters(data):
    with pytest.raises(
        ValueError, match="dev_share is 0.5. Expected more than 0, and less than 0.5"
    ):
        make_dictionary(dev_share=0.5, interval_level=0.9).fit(*data)
    with pytest.raises(NotFittedError):
        make_dictionary().predict(["a"])
