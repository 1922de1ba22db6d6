"""A dictionary learned from the predictions of another pipeline, too."""

import gc
import shutil
import weakref

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import examples_from
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_bertreg.dictionary import learning
from spacy_bertreg.dictionary.readouts.ridge import Ridge
from spacy_bertreg.pipeline import teacher as teacher_module

RATED = [
    ("a good day", 2.0),
    ("good and great", 3.0),
    ("a bad day", -2.0),
    ("bad and awful", -3.0),
    ("the day", 0.0),
    ("great day", 2.0),
    ("awful day", -2.0),
    ("and the day", 0.0),
]
# Words that no rated text holds.
UNRATED = ["splendid good day", "splendid and great", "dreadful bad day", "dreadful and awful"] * 3


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A pipeline that knows words which no rated text holds."""
    folder = tmp_path_factory.mktemp("teacher")
    terms = folder / "terms.csv"
    terms.write_text("good,2\ngreat,2\nsplendid,2\nbad,-2\nawful,-2\ndreadful,-2\n")
    return save(train_dictionary(RATED, lexicon=terms), folder / "model-best")


@pytest.fixture(scope="module")
def unrated(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("unrated") / "unrated.csv", UNRATED)


def write_table(path, texts, **columns):
    pd.DataFrame({"text": texts, **columns}).to_csv(path, index=False)
    return path


def train_dictionary(rated, config=None, targets=("y",), **settings):
    nlp = spacy.blank("xx")
    component = nlp.add_pipe("dictionary_regressor", config=config or {})
    rows = [
        (text, dict(zip(targets, np.atleast_1d(value).tolist(), strict=True)))
        for text, value in rated
    ]
    examples = examples_from(nlp, rows)
    component.initialize(lambda: examples, nlp=nlp, **settings)
    return nlp


def save(nlp, path):
    nlp.to_disk(path)
    return path


def distil(teacher, unlabelled, rated=RATED, **settings):
    settings = {"learn": "elastic_net", **settings}
    return train_dictionary(rated, teacher=teacher, unlabelled=unlabelled, **settings)


def terms_of(nlp):
    lexicon = nlp.get_pipe("dictionary_regressor").lexicon
    return dict(zip(lexicon.terms, lexicon.weights, strict=True))


@pytest.mark.parametrize("learn", ["elastic_net", "sensitivity"])
def test_words_that_only_the_teacher_knows_are_learned(teacher, unrated, learn):
    plain, distilled = train_dictionary(RATED, learn=learn), distil(teacher, unrated, learn=learn)
    assert not any(term.startswith("splen") for term in terms_of(plain))
    texts = ("splendid", "dreadful")
    scores = [doc.cats["y"] for doc in distilled.pipe(texts)]
    assert scores[0] > scores[1] + 0.5
    assert plain("splendid").cats["y"] == plain("dreadful").cats["y"]


def test_what_is_saved_needs_neither_teacher_nor_texts(teacher, unrated, tmp_path):
    shutil.copytree(teacher, tmp_path / "teacher")
    shutil.copy(unrated, tmp_path)
    nlp = distil(tmp_path / "teacher", tmp_path / unrated.name)
    save(nlp, tmp_path / "distilled")
    (tmp_path / unrated.name).unlink()
    shutil.rmtree(tmp_path / "teacher")
    loaded = spacy.load(tmp_path / "distilled")
    assert loaded("splendid").cats == nlp("splendid").cats


def test_a_bert_is_the_teacher(make_bert, make_examples, sample, tmp_path):
    bert = make_bert()
    bert.initialize(lambda: make_examples(bert))
    save(bert, tmp_path / "bert")
    unrated = write_table(tmp_path / "unrated.csv", sample["text"][100:140])
    nlp = spacy.blank("xx")
    component = nlp.add_pipe("dictionary_regressor")
    settings = {"learn": "elastic_net", "teacher": tmp_path / "bert", "unlabelled": unrated}
    component.initialize(lambda: make_examples(nlp), nlp=nlp, **settings)
    assert len(component.lexicon)


def test_pseudo_labels_are_the_teachers_predictions(teacher, unrated, monkeypatch):
    seen = {}

    def spy(method, occurrences, targets, folds, **settings):
        seen.update(targets=targets, folds=folds, **settings)
        return original(method, occurrences, targets, folds, **settings)

    original = learning.learn_lexicon
    monkeypatch.setattr("spacy_bertreg.dictionary.fitting.learn_lexicon", spy)
    distil(teacher, unrated, unlabelled_weight=0.5)
    predicted = [doc.cats["y"] for doc in spacy.load(teacher).pipe(sorted(UNRATED))]
    assert seen["n_labelled"] == len(RATED)
    gold = [value for _, value in sorted(RATED)]
    np.testing.assert_allclose(seen["targets"]["y"], [*gold, *predicted])
    assert set(seen["folds"][: len(RATED)]) == {0, 1, 2, 3, 4}
    assert set(seen["folds"][len(RATED) :]) == {-1}
    assert seen["weights"].tolist() == [1.0] * len(RATED) + [0.5] * len(UNRATED)


def test_the_readout_is_fitted_to_gold_alone(teacher, unrated, monkeypatch):
    fitted = []
    original = Ridge.fit.__func__

    def spy(cls, features, values, *args, **kwargs):
        fitted.append(values)
        return original(cls, features, values, *args, **kwargs)

    monkeypatch.setattr(Ridge, "fit", classmethod(spy))
    distil(teacher, unrated)
    assert [sorted(values[:, 0]) for values in fitted] == [sorted(value for _, value in RATED)]


def test_the_order_of_texts_makes_no_difference(teacher, unrated, tmp_path):
    backwards = write_table(tmp_path / "backwards.csv", UNRATED[::-1])
    assert terms_of(distil(teacher, unrated)) == terms_of(distil(teacher, backwards))


def test_texts_that_are_rated_or_have_no_words_are_left_out(teacher, tmp_path, capsys):
    texts = [*UNRATED, " a  good day ", "the day", " \n ", ""]
    more = distil(teacher, write_table(tmp_path / "more.csv", texts))
    out = " ".join(capsys.readouterr().out.split())
    assert "predicted 12 texts of" in out
    assert "; 4 have no words, or are training texts." in out
    assert terms_of(more) == terms_of(distil(teacher, write_table(tmp_path / "u.csv", UNRATED)))


def test_several_targets_are_matched_by_name(tmp_path, unrated):
    rated = [(text, (value, 10 - value)) for text, value in RATED]
    terms = tmp_path / "terms.csv"
    terms.write_text("good,2\nsplendid,2\nbad,-2\ndreadful,-2\n")
    config = {"output_key": "{name}:{target}"}
    teacher = save(train_dictionary(rated, config, ("y", "z"), lexicon=terms), tmp_path / "teacher")
    nlp = distil(teacher, unrated, rated, targets=("z", "y"))
    scores = [doc.cats for doc in nlp.pipe(["splendid", "dreadful"])]
    assert scores[0]["y"] > scores[1]["y"]
    assert scores[0]["z"] < scores[1]["z"]
    lexicon = nlp.get_pipe("dictionary_regressor").lexicon
    assert set(lexicon.categories) == {"learned:y", "learned:z"}


@pytest.mark.parametrize(
    ("transform", "bounds"), [("log1p", None), ("logit", [-0.5, 6.5]), ("asinh", None)]
)
def test_predictions_are_brought_into_the_transforms_range(
    teacher, unrated, transform, bounds, monkeypatch
):
    """The teacher predicts -3 to 3, where observed values are from 0 to 6, less than 2 of it
    below 0."""
    rated = [(text, value + 3) for text, value in RATED]
    seen = {}
    original = teacher_module.PseudoLabels

    def spy(docs, groups, targets, weight):
        seen.update(targets)
        return original(docs, groups, targets, weight)

    monkeypatch.setattr(teacher_module, "PseudoLabels", spy)
    config = {"transform": transform, "bounds": bounds}
    nlp = train_dictionary(rated, config, learn="elastic_net", teacher=teacher, unlabelled=unrated)
    assert np.isfinite(seen["y"]).all()
    raw = np.array([doc.cats["y"] for doc in spacy.load(teacher).pipe(UNRATED)])
    assert raw.min() < -1.5
    low, high = (-np.inf, np.inf) if transform == "asinh" else (0, 6)
    scale = nlp.get_pipe("dictionary_regressor").scale
    np.testing.assert_allclose(seen["y"], scale.transform(raw.clip(low, high)[:, None])[:, 0])


def test_with_a_given_list_the_rest_is_learned(teacher, unrated, tmp_path):
    terms = tmp_path / "terms.csv"
    terms.write_text("splendid,1\ndreadful,-1\ngood,1\nbad,-1\nday,0.1\n")
    nlp = distil(teacher, unrated, lexicon=terms)
    lexicon = nlp.get_pipe("dictionary_regressor").lexicon
    assert set(lexicon.categories) == {"given", "learned"}


def test_a_spacy_file_brings_groups_and_covariates(tmp_path, teacher, unrated, monkeypatch):
    """A list that is judged by a group's documents has not seen other documents of it."""
    nlp = spacy.blank("xx")
    component = nlp.add_pipe("dictionary_regressor", config={"covariates": ["deaths"]})
    examples = examples_from(nlp, [(text, {"y": value}) for text, value in RATED])
    for number, example in enumerate(examples):
        example.reference.user_data["covariates"] = {"deaths": number}
    (tmp_path / "terms.csv").write_text("good,1\nbad,-1\n")
    component.initialize(lambda: examples, nlp=nlp, lexicon=tmp_path / "terms.csv")
    save(nlp, tmp_path / "with-covariates")
    docs = [nlp.make_doc(text) for text in UNRATED]
    for number, doc in enumerate(docs):
        doc.user_data["covariates"] = {"deaths": float(number)}
    docs[0].user_data["group"] = RATED[0][0]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "unrated.spacy")
    folds = []
    original = learning.learn_lexicon

    def spy(method, occurrences, targets, all_folds, **settings):
        folds.extend(all_folds.tolist())
        return original(method, occurrences, targets, all_folds, **settings)

    monkeypatch.setattr("spacy_bertreg.dictionary.fitting.learn_lexicon", spy)
    distil(tmp_path / "with-covariates", tmp_path / "unrated.spacy")
    rated_fold = folds[sorted(RATED).index(RATED[0])]
    assert sorted(folds[len(RATED) :]) == [-1] * (len(UNRATED) - 1) + [rated_fold]
    table = write_table(tmp_path / "c.csv", UNRATED, deaths=range(len(UNRATED)))
    distil(tmp_path / "with-covariates", table)
    with pytest.raises(ValueError, match=r"unlabelled in \[initialize.*no column 'deaths'"):
        distil(tmp_path / "with-covariates", unrated)


def test_the_teachers_training_texts_count_as_seen(teacher, unrated):
    """Their observed values reach the list through the teacher."""
    nlp = distil(teacher, unrated, RATED[:6])
    component = nlp.get_pipe("dictionary_regressor")
    docs = [nlp.make_doc(text) for text in (RATED[7][0], UNRATED[0])]
    assert component.was_trained_on(docs).tolist() == [True, False]


def test_the_teacher_is_freed(teacher, unrated, monkeypatch):
    loaded = []
    original = spacy.load

    def load(path):
        nlp = original(path)
        loaded.append(weakref.ref(nlp))
        return nlp

    monkeypatch.setattr(teacher_module.spacy, "load", load)
    gc.disable()
    try:
        nlp = distil(teacher, unrated)
    finally:
        gc.enable()
    assert len(nlp.get_pipe("dictionary_regressor").lexicon)
    assert loaded[0]() is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unlabelled": None}, "there are no texts for it to label. Expected unlabelled"),
        ({"teacher": None}, "there is no pipeline to label these texts. Expected teacher"),
        ({"learn": None, "lexicon": "x.csv"}, "no terms are learned"),
        ({"unlabelled_weight": 0.0}, "unlabelled_weight is 0.0 in"),
        ({"teacher": "nowhere"}, "Can't load the teacher 'nowhere' of"),
        ({"unlabelled_text": "body"}, "no column 'body'. It has: text"),
        ({"unlabelled": "nothing.csv"}, r"unlabelled in .*nothing.csv does not exist"),
        ({"unlabelled": "texts.docx"}, r"unlabelled in .*Can't tell the kind"),
    ],
)
def test_errors_name_the_setting(teacher, unrated, settings, message):
    settings = {"teacher": teacher, "unlabelled": unrated, "learn": "elastic_net", **settings}
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        train_dictionary(RATED, **settings)
    assert "[initialize.components.dictionary_regressor]" in str(error.value)


def test_a_folder_of_trainings_is_no_teacher(teacher, unrated):
    with pytest.raises(ValueError, match="Expected the folder of one, such as .*model-best"):
        distil(teacher.parent, unrated)


def test_a_teacher_of_other_targets(teacher, unrated):
    with pytest.raises(ValueError, match="no prediction for the target 'z'. It predicts: 'y'"):
        distil(teacher, unrated, targets=("z",))


@Language.component("test_teacher_never_runs")
def never_runs(doc):
    raise AssertionError("This component is not needed.")


def test_only_components_that_the_prediction_takes_are_run(teacher, unrated, tmp_path):
    nlp = spacy.load(teacher)
    nlp.add_pipe("test_teacher_never_runs")
    assert terms_of(distil(save(nlp, tmp_path / "longer"), unrated))


def test_two_predictions_of_the_target(unrated, tmp_path):
    (tmp_path / "terms.csv").write_text("good,1\nbad,-1\n")
    nlp = spacy.blank("xx")
    examples = examples_from(nlp, [(text, {"y": value}) for text, value in RATED])
    for name in ("a", "b"):
        config = {"output_key": "{name}:{target}"}
        component = nlp.add_pipe("dictionary_regressor", name=name, config=config)
        component.initialize(lambda: examples, nlp=nlp, lexicon=tmp_path / "terms.csv")
    with pytest.raises(ValueError, match="more than one prediction.*'a:y', 'b:y'"):
        distil(save(nlp, tmp_path / "two"), unrated)


def test_a_teacher_that_regresses_nothing(unrated, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match="no prediction .* It predicts: nothing"):
        distil(save(nlp, tmp_path / "no-regressor"), unrated)


def test_nothing_is_left(teacher, tmp_path):
    table = write_table(tmp_path / "rated.csv", [text for text, _ in RATED])
    with pytest.raises(ValueError, match="All 8 texts of .*rated.csv"):
        distil(teacher, table)


def test_a_cell_that_is_no_text(teacher, tmp_path):
    (tmp_path / "texts.jsonl").write_text('{"text": "a day"}\n{"text": 5}\n')
    with pytest.raises(ValueError, match="row 2, column 'text': found 5. Expected a text"):
        distil(teacher, tmp_path / "texts.jsonl")
