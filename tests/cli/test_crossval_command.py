"""`bertreg crossval` on the command line."""

import pytest
from conftest import ROOT
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.cli.crossval import parse_configs
from spacy_bertreg.data.convert import convert

DICTIONARY = ROOT / "configs" / "dictionary.cfg"
LEARN = "--initialize.components.dictionary_regressor.learn"


def run(*words):
    result = CliRunner().invoke(app, ["bertreg", "crossval", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_command(tmp_path):
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, tmp_path, targets=["severity"], shares=(1, 0, 0), max_docs=100)
    words = [tmp_path / "train.spacy", f"ridge={DICTIONARY}", "--output", tmp_path / "out"]
    words += ["--folds", 2, "--ridge.paths.lexicon", ROOT / "corpus" / "terms.csv", LEARN, "null"]
    code, said = run(*words)
    assert code == 0, said
    assert "training 2 of 2: ridge, repeat 1, fold 2" in said
    assert "ridge severity" in said
    assert "Wrote predictions.csv and crossval.json" in said
    code, said = run(*words, "--ridge.training.droop.x", 1)
    assert (code, "has no section [training.droop]" in said) == (1, True)
    code, said = run(tmp_path / "train.spacy", "--output", tmp_path / "none")
    assert (code, "No model is named" in said) == (1, True)
    assert not (tmp_path / "none").exists()


def test_models_have_names():
    found = parse_configs([f"a={DICTIONARY}", str(DICTIONARY)])
    assert found == {"a": DICTIONARY, "dictionary": DICTIONARY}
    with pytest.raises(ValueError, match="Two models are called 'a'"):
        parse_configs(["a=b.cfg", "a=c.cfg"])
