"""Wheels of pipelines: what they say, and what they refuse."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import spacy
from conftest import train
from huggingface_hub import ModelCard
from spacy.tokens import DocBin

from spacy_bertreg.layers.half_weights import round_weights
from spacy_bertreg.project import precision_check
from spacy_bertreg.project.model_card import FORGETS_TEXTS, KEEPS_TEXTS
from spacy_bertreg.project.package import package
from spacy_bertreg.targets.predictions import Predictions

TEXTS = ["Shelling killed ten soldiers.", "", "A calm month.", "Talks went on; nobody died."]


@pytest.mark.parametrize(
    ("noise", "precision"), [(0.0, "auto"), (0.001, "auto"), (0.05, "float32")]
)
def test_bfloat16_is_chosen_if_predictions_stay(trained, monkeypatch, noise, precision):
    docs = DocBin().from_disk(trained / "dev.spacy").get_docs(spacy.blank("en").vocab)
    gold = np.array([[doc.cats["severity"]] for doc in docs])
    exact = gold + 0.1 * np.random.default_rng(0).normal(size=gold.shape)
    predictions = iter([exact, exact + noise * exact.std()])
    monkeypatch.setattr(
        precision_check,
        "predict_docs",
        lambda *arguments: Predictions(values=next(predictions), scaled=gold),
    )
    check = precision_check.check_precision(trained / "model", trained / "dev.spacy")
    assert check.precision == precision
    assert check.difference == pytest.approx(noise)
    assert f'`precision = "{precision}"`' in check.describe()


def test_predictions_are_compared_for_what_is_in_the_file(trained):
    check = precision_check.check_precision(trained / "model", trained / "dev.spacy")
    assert check.documents == 16
    assert 0 < check.difference < 1
    assert 0 <= check.r2_difference < 1


def test_a_pipeline_without_a_transformer_has_no_precision(pipeline, trained):
    assert precision_check.check_precision(pipeline, trained / "dev.spacy") is None


@pytest.mark.parametrize(
    ("noise", "n_moved", "passes"), [(0.0, 0, True), (0.015, 0, True), (0.06, 3, False)]
)
def test_weights_are_halved_if_predictions_stay(trained, monkeypatch, noise, n_moved, passes):
    exact = np.random.default_rng(0).normal(size=(16, 1))
    moved = exact + noise * exact.std() * (np.arange(16) < 3)[:, None]
    predictions = iter([exact, moved])
    monkeypatch.setattr(
        precision_check,
        "predict_docs",
        lambda *arguments: Predictions(values=next(predictions), scaled=exact),
    )
    check = precision_check.check_weights(trained / "model", trained / "dev.spacy")
    assert check.passes == passes
    assert check.share_moved == n_moved / 16
    assert check.difference == pytest.approx(noise)
    assert f"{n_moved / 16:.1%} of them by more than 0.05" in check.describe()


def test_rounded_weights_are_compared(trained):
    check = precision_check.check_weights(trained / "model", trained / "dev.spacy")
    assert check.documents == 16
    assert 0 < check.difference < 1
    assert 0 <= check.r2_difference < 1


@pytest.fixture(scope="module")
def trained_bert(make_bert, make_examples, tmp_path_factory):
    """A folder with a pipeline, its dev set and its scores."""
    folder = tmp_path_factory.mktemp("trained")
    nlp = make_bert()
    examples = make_examples(nlp, 16)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    nlp.to_disk(folder / "model")
    DocBin(docs=[example.reference for example in examples]).to_disk(folder / "dev.spacy")
    (folder / "metrics.json").write_text(json.dumps(nlp.evaluate(examples)))
    return folder


@pytest.fixture
def trained(trained_bert, tmp_path):
    """The same, for one test alone."""
    return shutil.copytree(trained_bert, tmp_path, dirs_exist_ok=True)


# spaCy's package command leaves files to the garbage collector to close.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("quick_build")
@pytest.mark.slow
@pytest.mark.parametrize("forget", [False, True])
def test_the_package_says_whether_it_knows_its_training_texts(trained, forget):
    model = trained / "model"
    wheel, *checks = package(
        model,
        trained / "packages",
        name="test",
        version="1.0.0",
        metrics=trained / "metrics.json",
        dataset="briefings",
        forget_training_texts=forget,
    )
    assert checks == [None, None]
    assert wheel == trained / "packages" / "en_test-1.0.0" / "dist" / wheel.name
    folder = wheel.parents[1]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert [text in readme for text in (KEEPS_TEXTS, FORGETS_TEXTS)] == [not forget, forget]
    # For the Hugging Face hub; spacy-huggingface-hub writes its own before the README in the wheel.
    scores = json.loads((trained / "metrics.json").read_text())["reg_per_target"]["severity"]
    results = {result.metric_type: result for result in ModelCard(readme).data.eval_results}
    assert results["r_squared"].metric_value == pytest.approx(scores["r2"], rel=1e-3)
    assert results["r_squared"].dataset_name == "briefings"
    with zipfile.ZipFile(wheel) as archive:
        inside = archive.read("en_test/en_test-1.0.0/README.md").decode("utf-8")
    assert inside.startswith("# en_test\n")
    assert readme.endswith(inside)
    docs = list(DocBin().from_disk(trained / "dev.spacy").get_docs(spacy.blank("en").vocab))
    for path, knows in ((model, True), (folder / "en_test" / "en_test-1.0.0", not forget)):
        seen = spacy.load(path).get_pipe("text_regressor").was_trained_on(docs)
        assert seen.all() == seen.any() == knows


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("quick_build")
@pytest.mark.slow
def test_half_size_package(trained, monkeypatch):
    # Predictions of a model of so few dimensions depend on each.
    monkeypatch.setattr(precision_check, "MAX_DIFFERENCE", 1.0)
    monkeypatch.setattr(precision_check, "MAX_R2_DIFFERENCE", 1.0)
    wheel, _, check = package(
        trained / "model",
        trained / "packages",
        name="half",
        data=trained / "dev.spacy",
        weights="bfloat16",
    )
    folder = wheel.parents[1]
    assert check.describe() in (folder / "README.md").read_text(encoding="utf-8")
    pipeline = folder / "en_half" / "en_half-0.1.0"
    # The package may multiply in bfloat16, too, which is not what this is about.
    nlp = spacy.load(pipeline, config={"components.transformer.model.precision": "float32"})
    rounded = spacy.load(trained / "model")
    found = dict(nlp.meta["weights"])
    assert found.pop("type") == "bfloat16"
    # spaCy writes ten digits.
    assert found == pytest.approx(check._asdict(), abs=1e-9)
    for shim in precision_check.find_transformers(rounded):
        round_weights(shim._model)
    for half, full in zip(nlp.pipe(TEXTS), rounded.pipe(TEXTS), strict=True):
        assert half.cats == full.cats


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "model"}, "model is the input, too"),
        ({"output": "dev.spacy"}, "dev.spacy is a file. Expected a folder"),
        ({"name": "my-model"}, "The name is 'my-model'. Expected English letters"),
        ({"name": "bertreg_äußerung"}, "Expected English letters"),
        ({"name": "bertreg_"}, "Expected English letters"),
        ({"data": "model/meta.json"}, "meta.json can't be read as a .spacy file"),
        ({"data": "none.spacy"}, "none.spacy does not exist. Expected a .spacy file"),
        ({"pipeline": "nowhere"}, "There is no pipeline 'nowhere'"),
        ({"metrics": "dev.spacy"}, "is not what `spacy evaluate --output` writes"),
        ({"data": "empty.spacy"}, "empty.spacy has no documents"),
        ({"pipeline": "blank"}, "has no regressor"),
        ({"weights": "float16"}, "weights is 'float16'. Expected 'float32' or 'bfloat16'"),
        ({"weights": "bfloat16"}, "there are no data. Expected documents of the dev set"),
        ({"weights": "bfloat16", "data": "dev.spacy"}, r"0.400 standard .* Expected at most 0.02"),
        (
            {"weights": "bfloat16", "data": "dev.spacy", "pipeline": "blank"},
            "no transformer with a spacy-bertreg.TransformerModel.v1",
        ),
    ],
)
def test_wrong_input_leaves_nothing_behind(trained, monkeypatch, change, message):
    monkeypatch.chdir(trained)
    monkeypatch.setattr(precision_check, "_compare", lambda *nlps: [0.4, 0.3, 0.1])
    DocBin().to_disk("empty.spacy")
    spacy.blank("en").to_disk("blank")
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    arguments = {"pipeline": "model", "output": "packages", "name": "test"} | change
    paths = {
        key: value if key in ("name", "weights") else Path(value)
        for key, value in arguments.items()
    }
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        package(paths.pop("pipeline"), paths.pop("output"), **paths)
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before
    assert not Path("packages").exists()
