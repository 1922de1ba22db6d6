"""Outputs that can't be written, or would be written over an input, are refused before any work."""

import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.test_set import read_test_set


@pytest.fixture
def dictionary(make_examples, tmp_path):
    nlp = spacy.blank("en")
    examples = make_examples(nlp, 100)
    component = nlp.add_pipe("dictionary_regressor")
    component.initialize(lambda: examples, nlp=nlp, learn="elastic_net")
    nlp.to_disk(tmp_path / "dictionary")
    (tmp_path / "file").write_text("mine")
    return tmp_path / "dictionary"


def run(*arguments):
    result = CliRunner().invoke(app, ["bertreg", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


def test_no_command_writes_over_its_input(dictionary, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    config = dictionary / "config.cfg"
    for command in (["lexicon", dictionary], ["explain", dictionary, "A massacre"]):
        for output, message in (
            (config, "config.cfg is the input, too"),
            (dictionary, "dictionary is a folder. Expected a file"),
            (tmp_path / "file" / "new", "file is a file. Expected a folder"),
        ):
            code, said = run(*command, "--output", output)
            assert (code, message in said) == (1, True), said
    both = ["--output", tmp_path / "a.svg", "--plot", tmp_path / "a.svg"]
    code, said = run("lexicon", dictionary, *both)
    assert (code, "a.svg is named for two outputs" in said) == (1, True)
    code, said = run("lexicon", dictionary, "--plot", tmp_path / "a.gif")
    assert (code, "Expected a name in .png, .svg or .pdf" in said) == (1, True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_documents_without_id_are_found_as_compare_names_them(tmp_path):
    vocab = spacy.blank("xx").vocab
    docs = [Doc(vocab, words=[word]) for word in ("first", "second")]
    DocBin(docs=docs).to_disk(tmp_path / "test.spacy")
    test_set = read_test_set(tmp_path / "test.spacy")
    texts = {name: text.strip() for name, text in zip(test_set.ids, test_set.texts, strict=True)}
    assert texts == {"1": "first", "2": "second"}
