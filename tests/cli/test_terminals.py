"""Commands end well whatever a terminal can show, and say more about errors if asked."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, SAMPLE
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.test_set import read_test_set
from spacy_bertreg.data.convert import convert

BERTREG = [sys.executable, "-m", "spacy", "bertreg"]


@pytest.fixture
def inputs(tmp_path):
    """Arguments of `compare`: a test set, and a file of predictions with an umlaut in its name."""
    convert(SAMPLE, tmp_path, targets=["severity"], id_column="id")
    test = read_test_set(tmp_path / "test.spacy")
    rows = [f"{i},{y},{y + 0.1}" for i, y in zip(test.ids, test.gold["severity"], strict=True)]
    path = tmp_path / "Häffner.csv"
    path.write_text("\n".join(["id,target,prediction", *rows]))
    return [str(tmp_path / "test.spacy"), str(path), "--resamples", "100"]


def run(*command, **environment):
    usual = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LC_", "LANG"))}
    return subprocess.run(list(map(str, command)), capture_output=True, env=usual | environment)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_what_a_terminal_lacks_fails_no_job(inputs, tmp_path, environment):
    result = run(*BERTREG, "compare", *inputs, "--output", tmp_path / "out", **environment)
    assert result.returncode == 0, result.stderr
    assert b"ffner predicts severity best" in b" ".join(result.stdout.split())
    assert result.stderr == b""
    assert len(list((tmp_path / "out").iterdir())) == 8


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_fails_no_job(inputs, tmp_path, unbuffered):
    command = [*BERTREG, "compare", *inputs, "--output", str(tmp_path / "out")]
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    job = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment)
    os.close(write)
    assert (job.returncode, job.stderr) == (0, b"")
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_a_script_prints_what_it_can(tmp_path):
    script = ROOT / "scripts" / "make_tiny_bert.py"
    missing = run(
        *(sys.executable, script, tmp_path / "Häfńer.csv", tmp_path / "out"),
        PYTHONIOENCODING="ascii",
    )
    assert missing.returncode == 1
    assert b"H?f?er.csv" in missing.stderr


def bertreg(*arguments, **environment):
    result = CliRunner().invoke(app, ["bertreg", *map(str, arguments)], env=environment)
    return result.exit_code, " ".join(result.output.split()), result.exception


def test_a_traceback_is_shown_if_asked_for():
    command = ["compare", "none.spacy", "model"]
    code, output, _ = bertreg(*command)
    assert (code, "none.spacy does not exist" in output) == (1, True)
    # The message is this package's own, and says what was expected.
    assert "--traceback" not in output
    for found in (
        bertreg("--traceback", *command),
        bertreg(*command, SPACY_BERTREG_TRACEBACK="1"),
    ):
        assert isinstance(found[2], FileNotFoundError)
    # Only as long as it is asked for.
    assert isinstance(bertreg(*command)[2], SystemExit)


def test_errors_of_others_name_the_switch(inputs):
    code, output, _ = bertreg("compare", inputs[0], "nowhere")
    assert code == 1
    assert "Can't find model 'nowhere'" in output
    assert output.endswith("Where it was raised: bertreg --traceback, or SPACY_BERTREG_TRACEBACK=1")


@pytest.mark.parametrize("source", ["test.spacy", "predictions.csv"])
def test_inputs_are_not_written_over(inputs, tmp_path, source):
    predictions = tmp_path / "predictions.csv"
    predictions.write_bytes((tmp_path / "Häffner.csv").read_bytes())
    before = predictions.read_bytes()
    output = tmp_path if source == "predictions.csv" else tmp_path / source
    code, output, _ = bertreg("compare", inputs[0], predictions, "--output", output)
    assert code == 1
    found = "predictions.csv is the input, too" if source in str(predictions) else "is a file"
    assert found in output
    assert predictions.read_bytes() == before
    config = tmp_path / "config.cfg"
    config.write_text("[nlp]")
    code, output, _ = bertreg("freeze-report", config, "--json", config)
    assert (code, "config.cfg is the input, too" in output) == (1, True)
    code, output, _ = bertreg("freeze-report", config, "--json", tmp_path)
    assert (code, "is a folder. Expected a file" in output) == (1, True)
    assert config.read_text() == "[nlp]"
