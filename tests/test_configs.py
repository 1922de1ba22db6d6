"""The shipped configs are filled, and pass spaCy's own checks as they are."""

import pytest
import spacy
from conftest import ROOT, SAMPLE
from spacy.cli._util import app
from typer.testing import CliRunner

from spacy_bertreg.data.convert import convert

CONFIGS = {
    "bert": ["transformer", "text_regressor"],
    "tok2vec": ["text_regressor"],
    "dictionary": [],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    convert(SAMPLE, folder, targets=["severity"], id_column="id", group="region")
    return folder


@pytest.fixture
def settings(corpus, tiny_bert):
    paths = {"train": corpus / "train.spacy", "dev": corpus / "dev.spacy"}
    words = [word for name, path in paths.items() for word in (f"--paths.{name}", str(path))]
    return {
        "bert": [*words, "--paths.transformer", tiny_bert],
        "tok2vec": words,
        "dictionary": [*words, "--paths.lexicon", str(ROOT / "corpus" / "terms.csv")],
    }


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_are_filled(name):
    path = ROOT / "configs" / f"{name}.cfg"
    config = spacy.util.load_config(path, interpolate=False)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True, validate=False)
    filled = nlp.config
    # spaCy adds this one, which belongs to no training here.
    filled.pop("pretraining"), config.pop("pretraining")
    assert filled == config


@pytest.mark.parametrize("name", CONFIGS)
def test_debug_config_and_data(name, settings):
    path = ROOT / "configs" / f"{name}.cfg"
    assert "Config is valid" in run("debug", "config", path, *settings[name])
    assert "checks passed" in run("debug", "data", path, *settings[name])


@pytest.mark.parametrize(
    ("name", "component"), [(name, part) for name, parts in CONFIGS.items() for part in parts]
)
def test_debug_model(name, component, settings):
    path = ROOT / "configs" / f"{name}.cfg"
    output = run("debug", "model", path, component, *settings[name])
    assert "model looks good" in output
    assert "dummy data" not in output
