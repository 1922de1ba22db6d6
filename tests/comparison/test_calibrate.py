"""What `bertreg calibrate` writes, and where it does not."""

import numpy as np
import pytest
import spacy
from conftest import train
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.calibrate import calibrate


@pytest.fixture
def data(tmp_path):
    """Documents that the pipeline has not seen."""
    vocab, rng = spacy.blank("en").vocab, np.random.default_rng(0)
    docs = [Doc(vocab, words=["quiet", f"w{i}"]) for i in range(60)]
    for doc in docs:
        doc.cats["severity"] = float(rng.normal())
    DocBin(docs=docs).to_disk(tmp_path / "new.spacy")
    return tmp_path / "new.spacy"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def calibration(folder):
    return spacy.load(folder).get_pipe("text_regressor").calibration


def test_a_folder_of_others_is_refused_and_stays(pipeline, data, tmp_path):
    mine = tmp_path / "training"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(ValueError, match="training holds other files, and is no pipeline: it has"):
        calibrate(pipeline, data, output=mine)
    with pytest.raises(ValueError, match="thesis.tex is a file. Expected a folder"):
        calibrate(pipeline, data, output=mine / "thesis.tex")
    assert content(tmp_path) == before


def test_another_pipeline_is_refused_and_stays(pipeline, data, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "other")
    before = content(tmp_path)
    with pytest.raises(ValueError, match="other holds another pipeline, of sentencizer. Expected"):
        calibrate(pipeline, data, output=tmp_path / "other")
    assert content(tmp_path) == before


def test_other_files_in_the_pipelines_folder_stay(pipeline, data, tmp_path):
    foreign = {"README.md": "read", ".git/HEAD": "ref", "text_regressor/notes.txt": "note"}
    for name, text in foreign.items():
        (pipeline / name).parent.mkdir(exist_ok=True)
        (pipeline / name).write_text(text)
    kept = (pipeline / "config.cfg").stat().st_ino
    calibrate(pipeline, data)
    assert calibration(pipeline) is not None
    for name, text in foreign.items():
        assert (pipeline / name).read_text() == text
    # What is the same is not written again.
    assert (pipeline / "config.cfg").stat().st_ino == kept
    (tmp_path / "empty").mkdir()
    calibrate(pipeline, data, output=tmp_path / "empty")
    calibrate(pipeline, data, level=0.8, output=tmp_path / "empty")
    assert calibration(tmp_path / "empty").level == 0.8
    assert calibration(pipeline).level == 0.9
    assert {p.name for p in tmp_path.iterdir()} == {"empty", "pipeline", "new.spacy"}


def test_without_marks_of_the_training_texts_it_warns(nlp, data, tmp_path):
    def said(name):
        nlp.to_disk(tmp_path / name)
        arguments = ["bertreg", "calibrate", str(tmp_path / name), str(data)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        assert calibration(tmp_path / name) is not None
        return " ".join(result.output.split())

    assert "could not be checked" not in said("marked")
    nlp.get_pipe("text_regressor").forget_training_texts()
    assert "text_regressor keeps no fingerprints of its training texts, so it could not" in said(
        "bare"
    )


LOSS = """
import numpy as np
import spacy
from spacy_bertreg.training.losses import Loss

class Quartic(Loss):
    def each(self, outputs, gold):
        error = outputs[:, 0] - gold
        return error**4, (4 * error**3)[:, None]

@spacy.registry.losses("quartic.v1")
def quartic():
    return Quartic()
"""


@pytest.fixture
def own_loss(make_tok2vec, make_examples, tmp_path):
    """A pipeline with a loss that is registered in a file, forgotten once it is trained."""
    (tmp_path / "own.py").write_text(LOSS)
    spacy.util.import_file("python_code", tmp_path / "own.py")
    nlp = make_tok2vec(loss={"@losses": "quartic.v1"})
    examples = make_examples(nlp, 32)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    nlp.to_disk(tmp_path / "quartic")
    forget()
    yield tmp_path / "quartic"
    forget()


def forget():
    import catalogue

    place = (*spacy.registry.losses.namespace, "quartic.v1")
    catalogue.REGISTRY.pop(place, None)


def run(command, *arguments, code=0):
    result = CliRunner().invoke(app, ["bertreg", command, *map(str, arguments)])
    forget()
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_code_registers_what_a_pipeline_needs(own_loss, data, tmp_path):
    code = ["--code", tmp_path / "own.py"]
    assert "quartic.v1" in run("calibrate", own_loss, data, code=1)
    run("calibrate", own_loss, data, *code)
    assert "quartic" in run("compare", data, own_loss, "--train", data, *code)
    assert "has no transformer" in run("freeze-report", own_loss, *code, code=1)
    (tmp_path / "in.csv").write_text("text\nQuiet.\n")
    score = ["score", own_loss, tmp_path / "in.csv", tmp_path / "out.csv"]
    assert "quartic.v1" in run(*score, code=1)
    run(*score, *code)
    assert "severity_low" in (tmp_path / "out.csv").read_text()
    missing = run("freeze-report", own_loss, "-c", tmp_path / "none.py", code=1)
    assert "none.py does not exist. Expected a Python file" in missing
    (tmp_path / "bad.py").write_text("1 / 0")
    bad = ["--overwrite", "-c", tmp_path / "bad.py"]
    assert "bad.py: ZeroDivisionError" in run(*score, *bad, code=1)


@pytest.mark.slow
def test_each_process_imports_the_code(own_loss, tmp_path):
    (tmp_path / "in.csv").write_text("text\n" + "Quiet.\nShelling killed ten.\n" * 40)
    options = ["--code", tmp_path / "own.py", "--batch-size", 16]
    for n in (1, 2):
        output = tmp_path / f"{n}.csv"
        run("score", own_loss, tmp_path / "in.csv", output, *options, "--n-process", n)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
