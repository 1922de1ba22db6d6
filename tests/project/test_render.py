"""One template for this package's project and for those that `bertreg init` writes."""

import pytest
import spacy
import weasel.util.commands
import write_project
from conftest import ROOT

from spacy_bertreg.project import options
from spacy_bertreg.project.options import COLUMN_OPTIONS, SPLIT_OPTIONS, command_words
from spacy_bertreg.project.render import CONFIGS, render_config


def test_configs_are_those_of_the_repository():
    names = sorted(path.name for path in CONFIGS.glob("*.cfg"))
    assert names == sorted(path.name for path in (ROOT / "configs").glob("*.cfg"))
    for name in names:
        assert (CONFIGS / name).read_bytes() == (ROOT / "configs" / name).read_bytes()


def test_the_project_of_the_repository():
    assert (ROOT / "project.yml").read_text(encoding="utf-8") == write_project.project()


def test_lines_of_a_config():
    settings = {"lang": '"de"', "transform": '"log1p"', "bounds": '{"a": [0, 1]}'}
    for name in ("bert", "dictionary", "tok2vec"):
        text = render_config(name, settings)
        config = spacy.util.load_config_from_str(text)
        assert config["nlp"]["lang"] == "de"
        (regressor,) = (p for p in config["components"].values() if "transform" in p)
        assert regressor["transform"] == "log1p"
        assert regressor["bounds"] == {"a": [0, 1]}
        assert text.count("#") == render_config(name, {}).count("#")


def test_words_of_a_command():
    arguments = {
        "text": "a text",
        "targets": ["x", "y"],
        "covariates": (),
        "group": None,
        "drop_empty": True,
        "max_docs": 300,
        "shares": (0.6, 0.2, 0.2),
    }
    words = "--text 'a text' --target x --target y --drop-empty --max-docs 300"
    assert command_words(arguments, COLUMN_OPTIONS) == words
    assert command_words(arguments, SPLIT_OPTIONS) == "--split 0.6 0.2 0.2"


WORDS = ["--text", "report", "--target", "Größe", "--transformer", "C:/models/bert", "50%", "a&b"]


@pytest.mark.parametrize("is_windows", [False, True])
def test_projects_take_words_apart_as_they_were(monkeypatch, is_windows):
    monkeypatch.setattr(options, "is_windows", is_windows)
    monkeypatch.setattr(weasel.util.commands, "is_windows", is_windows)
    assert weasel.util.commands.split_command(options.join_words(WORDS)) == WORDS


@pytest.mark.parametrize("word", ["a text", "it's", 'a "b"', ""])
def test_words_that_windows_would_leave_in_quotation_marks(monkeypatch, word):
    monkeypatch.setattr(weasel.util.commands, "is_windows", False)
    assert weasel.util.commands.split_command(options.join_words([word])) == [word]
    monkeypatch.setattr(weasel.util.commands, "is_windows", True)
    assert weasel.util.commands.split_command(options.join_words([word])) != [word]
    monkeypatch.setattr(options, "is_windows", True)
    with pytest.raises(ValueError, match="On Windows.* without spaces and quotation marks"):
        options.join_words([word])


def test_every_option_of_convert_is_known():
    from inspect import signature

    from spacy_bertreg.data.convert import convert

    arguments = set(signature(convert).parameters) - {"path", "output"}
    assert arguments == set(COLUMN_OPTIONS) | set(SPLIT_OPTIONS)
