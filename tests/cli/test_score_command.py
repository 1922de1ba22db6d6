import json
import os
import subprocess
import sys

import pytest
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.cli import score as score_module


def run(*args: object):
    return CliRunner().invoke(app, ["bertreg", "score", *map(str, args)])


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "my texts.csv").write_text("id,words\n1,Quiet.\n2,\n3,x,y\n4,Calm.\n")
    return tmp_path / "my texts.csv"


def test_the_last_line_and_the_exit_code_tell_of_rejected_rows(pipeline, rows, tmp_path):
    output = tmp_path / "my scores.csv"
    result = run(pipeline, rows, output, "--text", "words", "--id", "id")
    assert result.exit_code == 3, result.output
    assert result.output.splitlines()[-1] == "4 rows = 3 scored + 1 rejected"
    assert "1 texts are empty: they have the prediction for no evidence" in result.output
    (reject,) = (tmp_path / "my scores.csv.errors.jsonl").read_text().splitlines()
    assert json.loads(reject)["line"] == 4
    result = run(pipeline, rows, output, "--text", "words", "--overwrite", "--limit", 2)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "2 rows = 2 scored + 0 rejected"
    assert not (tmp_path / "my scores.csv.errors.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "none"], "has no column 'none'. It has: id, words"),
        (["--text", "words", "--strict"], "Row 3 (line 4) can't be scored: has 3 fields, not 2"),
        (["--text", "words", "--engine", "none"], "engine is 'none'"),
        (["--text", "words", "--precision", "auto"], "has no component 'transformer'"),
    ],
)
def test_errors_are_one_message(pipeline, rows, tmp_path, options, message):
    result = run(pipeline, rows, tmp_path / "out.csv", *options)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.csv").exists()


def test_stopping_says_how_to_go_on(pipeline, rows, tmp_path, monkeypatch):
    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spacy_bertreg.scoring.score.score_file", stop)
    result = run(pipeline, rows, tmp_path / "out.csv")
    assert result.exit_code == 130
    assert "The same command goes on from here" in result.output


def test_plain_lines_in_a_log(pipeline, tmp_path, monkeypatch, capsys):
    from spacy_bertreg.scoring.checkpoint import Progress

    monkeypatch.setattr(score_module, "SECONDS_BETWEEN_LINES", 0.0)
    lines = score_module._LogLines()
    lines(Progress(rows=100), 0.25)
    lines(Progress(rows=200), 0.5)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("200 rows (50%), ")
    assert last.endswith(" min left")


def test_a_bar_on_a_terminal(pipeline, rows, tmp_path):
    pty, termios = (pytest.importorskip(name) for name in ("pty", "termios"))  # not on Windows
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    command = [sys.executable, "-m", "spacy", "bertreg", "score", str(pipeline), str(rows)]
    options = ["--text", "words", "--batch-size", "1"]
    job = subprocess.run(
        [*command, str(tmp_path / "out.csv"), *options], stderr=slave, stdout=subprocess.DEVNULL
    )
    os.close(slave)
    shown = os.read(master, 10_000).decode()
    os.close(master)
    assert job.returncode == 3
    assert "4 rows" in shown
    assert "100%" in shown
