"""From a pipeline to one in int8."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from conftest import train
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.calibrate import calibrate
from spacy_bertreg.project import precision_check
from spacy_bertreg.project.package import package
from spacy_bertreg.project.quantize import quantize

pytest.importorskip("openvino", reason="needs OpenVINO")

PRECISION = "components.transformer.model.precision"
TEXTS = ["", "Shelling killed ten soldiers.", "Calm.", "calm month " * 200, "A strike " * 15]


def predict(nlp):
    return np.array([doc.cats["severity"] for doc in nlp.pipe(TEXTS)])


def shim_of(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained_bert(make_bert, make_examples, tmp_path_factory):
    """A folder with a pipeline, and documents that it has not seen."""
    folder = tmp_path_factory.mktemp("trained")
    nlp = make_bert()
    examples = make_examples(nlp, 136)
    seen, new = examples[:16], examples[16:]
    train(nlp, seen, nlp.initialize(lambda: seen), steps=2)
    nlp.to_disk(folder / "model")
    DocBin(docs=[example.reference for example in new]).to_disk(folder / "dev.spacy")
    DocBin(docs=[example.reference for example in new[:99]]).to_disk(folder / "few.spacy")
    return folder


@pytest.fixture
def trained(trained_bert, tmp_path):
    """The same, for one test alone."""
    return shutil.copytree(trained_bert, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def lenient(monkeypatch):
    """Predictions of a model of so few dimensions depend on each."""
    monkeypatch.setattr(precision_check, "MAX_SHARE_MOVED", 1.0)
    monkeypatch.setattr(precision_check, "MAX_R2_DIFFERENCE", 10.0)


@pytest.mark.slow
def test_quantize(trained, lenient):
    calibrate(trained / "model", trained / "dev.spacy", level=0.8)
    before = content(trained / "model")
    arguments = [trained / "model", trained / "dev.spacy", trained / "int8"]
    result = CliRunner().invoke(app, ["bertreg", "quantize", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Measured ranges on 60 documents, compared on the others" in said
    assert "of the predictions for 60 documents differ from those in float32 by more" in said
    assert "Calibrated the intervals of text_regressor again" in said
    assert content(trained / "model") == before

    original, lossy = spacy.load(trained / "model"), spacy.load(trained / "int8")
    expected, found = predict(original), predict(lossy)
    scale = lossy.get_pipe("text_regressor").scale.std[0]
    assert 0 < np.abs(found - expected).max() < 0.1 * scale
    assert lossy.config["components"]["transformer"]["model"]["precision"] == "int8"
    assert lossy.meta["precision"]["precision"] == "int8"
    old, new = (nlp.get_pipe("text_regressor").calibration for nlp in (original, lossy))
    assert (old.level, old.n, new.level, new.n) == (0.8, (120,), 0.8, (60,))
    # All word-piece vectors are those in int8, too.
    doc = lossy("Shelling killed ten soldiers.")
    exact = original("Shelling killed ten soldiers.")
    vectors = [d._.trf_data.model_output.last_hidden_state for d in (exact, doc)]
    assert 0 < np.abs(vectors[1] - vectors[0]).max() < 0.5
    # What is around the weights is small.
    sizes = [
        (trained / name / "transformer" / "model").stat().st_size for name in ("model", "int8")
    ]
    assert 0 < sizes[1] - sizes[0] < 40_000

    again = spacy.load(trained / "int8", config={PRECISION: "float32"})
    np.testing.assert_array_equal(predict(again), expected)
    # Saved with another precision, or with other weights, it is not kept.
    again.to_disk(trained / "again")
    shim_of(again).precision = "int8"
    np.testing.assert_allclose(predict(again), found, atol=1e-5)
    assert shim_of(spacy.load(trained / "again")).int8 is None
    lossy.to_disk(trained / "same")
    np.testing.assert_allclose(predict(spacy.load(trained / "same")), found, atol=1e-5)
    with torch.no_grad():
        shim_of(lossy)._model.encoder.layer[0].output.dense.weight.mul_(1.1)
    with pytest.raises(ValueError, match="weights have changed since it was quantized"):
        predict(lossy)
    lossy.to_disk(trained / "changed")
    with pytest.raises(ValueError, match="transformer was not quantized"):
        predict(spacy.load(trained / "changed"))


def test_intervals_that_cannot_be_calibrated_again_stay(trained, lenient):
    calibrate(trained / "model", trained / "dev.spacy", level=0.8)
    docs = list(DocBin().from_disk(trained / "dev.spacy").get_docs(spacy.blank("en").vocab))
    for doc in docs:
        doc.cats = {}
    DocBin(docs=docs).to_disk(trained / "texts.spacy")
    found = quantize(trained / "model", trained / "texts.spacy", trained / "int8")
    assert "0 documents with a known value for 'severity'" in found.intervals["text_regressor"]
    assert found.check.r2_difference == 0
    calibration = spacy.load(trained / "int8").get_pipe("text_regressor").calibration
    assert calibration.n == (120,)


def test_the_gate(trained, monkeypatch):
    for moved, r2, passes in ((0.01, 0.002, True), (0.011, 0.0, False), (0.0, 0.0021, False)):
        monkeypatch.setattr(precision_check, "_compare", lambda *nlps, m=moved, r=r2: [0.4, m, r])
        check = precision_check.check_int8(None, None, [])
        assert (check.precision == "int8") == passes
    before = content(trained)
    message = r"0.0% of the predictions for 60 documents (.|\n)* R² by 0.0021. Expected at most 1%"
    with pytest.raises(ValueError, match=message):
        quantize(trained / "model", trained / "dev.spacy", trained / "int8")
    assert content(trained) == before


def test_wrong_input_leaves_nothing_behind(trained, nlp, monkeypatch):
    monkeypatch.chdir(trained)
    spacy.blank("en").to_disk("blank")
    nlp.to_disk("words")
    before = content(trained)
    for name, value, message in (
        ("output", "model", "model is the input, too"),
        ("output", "dev.spacy", "dev.spacy is a file. Expected a folder"),
        ("output", ".", "holds other files, and is no pipeline"),
        ("data", "none.spacy", "none.spacy does not exist. Expected a .spacy file"),
        ("data", "few.spacy", "few.spacy has 99 documents. Expected 100 or more"),
        ("pipeline", "nowhere", "There is no pipeline 'nowhere'"),
        ("pipeline", "blank", "has no regressor"),
        ("pipeline", "words", "no transformer with a spacy-bertreg.TransformerModel.v1"),
    ):
        arguments = {"pipeline": "model", "data": "dev.spacy", "output": "int8", name: value}
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            quantize(**{key: Path(path) for key, path in arguments.items()})
    assert content(trained) == before


# spaCy's package command leaves files to the garbage collector to close.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("quick_build")
@pytest.mark.slow
def test_package(trained, lenient, monkeypatch):
    monkeypatch.setattr(precision_check, "MAX_DIFFERENCE", 1.0)
    check = quantize(trained / "model", trained / "dev.spacy", trained / "int8").check
    wheel, found, _ = package(trained / "int8", trained / "packages", name="small")
    assert found.share_moved == pytest.approx(check.share_moved)
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name: name for name in archive.namelist()}
        assert "Requires-Dist: spacy-bertreg[int8]" in archive.read(inside["METADATA"]).decode()
        assert found.describe() in archive.read(inside["README.md"]).decode()
    packaged = wheel.parents[1] / "en_small" / "en_small-0.1.0"
    expected = predict(spacy.load(trained / "int8"))
    np.testing.assert_allclose(predict(spacy.load(packaged)), expected, atol=1e-5)
    # Together with weights in half of their size; refused with the precision of all others.
    monkeypatch.setattr(precision_check, "MAX_SHARE_MOVED", -1.0)
    options = {"data": trained / "dev.spacy", "weights": "bfloat16"}
    wheel, found, _ = package(trained / "int8", trained / "half", name="small", **options)
    assert found.precision == "float32"
    folder = wheel.parents[1] / "en_small" / "en_small-0.1.0"
    assert spacy.load(folder).config["components"]["transformer"]["model"]["precision"] == "float32"
    assert "spacy-bertreg[int8]" not in (folder / "meta.json").read_text()
