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
    tables = result.output.partition("Wrote")[0]
    assert max(map(len, tables.splitlines())) <= 100
    assert "In more than one split" not in result.output


def test_convert_warns_of_groups_in_several_splits(tmp_path):
    split = ("--time", "month", "--dev-from", "2021-06", "--test-from", "2022-01")
    options = ("--target", "severity", "--group", "region", "--encoding", "utf-8")
    result = run("convert", SAMPLE, tmp_path, *options, *split)
    assert result.exit_code == 0, result.output
    assert "In more than one split: 25 groups (column 'region')" in result.output
    assert sorted(path.stem for path in tmp_path.glob("*.spacy")) == ["dev", "test", "train"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["convert", SAMPLE, "out", "--target", "stars"], "has no column 'stars'"),
        (
            ["convert", SAMPLE, "out", "--target", "severity", "--split-column", "region"],
            "row 1, column 'region'",
        ),
        (["convert", "none.csv", "out", "--target", "y"], "none.csv does not exist"),
        (["compare", "none.spacy", "model"], "none.spacy does not exist"),
    ],
)
def test_errors_are_one_message(args, message):
    result = run(*args)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
