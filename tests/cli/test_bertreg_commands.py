import subprocess
import sys

import pytest
from conftest import SAMPLE
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands


def run(*args: object):
    return CliRunner().invoke(app, ["bertreg", *map(str, args)])


def test_commands_are_found_by_spacy():
    help_text = subprocess.run(
        [sys.executable, "-m", "spacy", "bertreg", "--help"], capture_output=True, text=True
    ).stdout
    assert "convert" in help_text
    assert "compare" in help_text


def test_convert_shows_a_summary(tmp_path):
    result = run("convert", SAMPLE, tmp_path, "--target", "severity", "--group", "region")
    assert result.exit_code == 0, result.output
    assert ["train", "severity", "272"] in [line.split()[:3] for line in result.output.splitlines()]
    assert (tmp_path / "train.spacy").is_file()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["convert", SAMPLE, "out", "--target", "stars"], "has no column 'stars'"),
        (["convert", "none.csv", "out", "--target", "y"], "none.csv does not exist"),
        (["compare", "none.spacy", "model"], "none.spacy does not exist"),
    ],
)
def test_errors_are_one_message(args, message):
    result = run(*args)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
