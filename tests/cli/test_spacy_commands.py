"""spaCy's own commands serve these pipelines as any others."""

import pytest
import spacy
import srsly
from conftest import ROOT, SAMPLE
from spacy.cli._util import app
from spacy.cli.evaluate import evaluate
from spacy.cli.train import train
from typer.testing import CliRunner

from spacy_bertreg.data.convert import convert


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    convert(SAMPLE, folder, targets=["severity"], group="region")
    return folder


@pytest.fixture
def overrides(corpus, tiny_bert):
    paths = {"paths.train": str(corpus / "train.spacy"), "paths.dev": str(corpus / "dev.spacy")}
    return {
        "dictionary": {**paths, "paths.lexicon": str(ROOT / "corpus" / "terms.csv")},
        "bert": {
            **paths,
            "paths.transformer": tiny_bert,
            "training.max_steps": 4,
            "training.eval_frequency": 2,
            "training.optimizer.warmup_steps": 1,
        },
    }


@pytest.mark.parametrize("name", ["dictionary", "bert"])
def test_train_and_evaluate(name, overrides, corpus, tmp_path):
    train(ROOT / "configs" / f"{name}.cfg", tmp_path / "model", overrides=overrides[name])
    best = tmp_path / "model" / "model-best"
    scores = evaluate(str(best), corpus / "test.spacy", output=tmp_path / "metrics.json")
    assert scores["reg_per_target"]["severity"]["n"] == 80
    assert set(scores) >= {"reg_r2", "reg_mse", "reg_rmse", "reg_mae", "reg_pearson"}
    saved = srsly.read_json(tmp_path / "metrics.json")
    assert saved["reg_r2"] == pytest.approx(scores["reg_r2"])
    meta = srsly.read_json(best / "meta.json")
    assert meta["performance"]["reg_r2"] is not None
    assert list(meta["labels"].values())[-1] == ["severity"]


def test_sourced_components_are_assembled(overrides, tmp_path):
    train(ROOT / "configs" / "bert.cfg", tmp_path / "model", overrides=overrides["bert"])
    best = str(tmp_path / "model" / "model-best")
    trained = spacy.load(best)
    nlp = spacy.blank("en")
    for name in ("transformer", "text_regressor"):
        nlp.add_pipe(name, source=trained)
    expected = trained("Shelling killed ten.").cats
    assert nlp("Shelling killed ten.").cats == expected
    config = tmp_path / "assemble.cfg"
    config.write_text(
        f"""
[nlp]
lang = "en"
pipeline = ["transformer", "text_regressor"]

[components]

[components.transformer]
source = "{best}"

[components.text_regressor]
source = "{best}"
""",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["assemble", str(config), str(tmp_path / "assembled")])
    assert result.exit_code == 0, result.output
    assert spacy.load(tmp_path / "assembled")("Shelling killed ten.").cats == expected
