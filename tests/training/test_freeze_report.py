import json

import pytest
import spacy
from conftest import ROOT, train
from spacy.cli._util import app
from thinc.api import Adam
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.training.freeze_report import freeze_report


@pytest.fixture
def trained(make_bert, make_examples, tmp_path, request):
    nlp = make_bert(freeze=request.param)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    train(nlp, examples, Adam(0.01), steps=2)
    nlp.to_disk(tmp_path / "model")
    return nlp, tmp_path / "model"


@pytest.mark.parametrize("trained", ["none", "embeddings", 1, "all"], indirect=True)
def test_counts_agree_with_the_model(trained):
    nlp, path = trained
    report = freeze_report(path)
    parameters = list(nlp.get_pipe("transformer").model.transformer.parameters())
    blocks = report.blocks.set_index("block")
    assert list(blocks.index) == [
        "embeddings",
        "block 1",
        "block 2",
        "not used",
        "head (text_regressor)",
    ]
    assert blocks["parameters"].sum() == sum(p.numel() for p in parameters) + 65
    expected = sum(p.numel() for p in parameters if p.requires_grad) + 65
    assert blocks["trainable"].sum() == expected
    assert f"{expected:,} of" in report.summary()


@pytest.mark.parametrize("trained", [1], indirect=True)
def test_verify_names_what_changed(trained):
    changes = freeze_report(trained[1], verify=True).changes
    changed = changes[changes["changed"]]
    assert len(changed) == 16
    assert changed["tensor"].str.startswith("encoder.layer.1.").all()
    assert (changed["largest"] > 0).all()
    assert (changes[~changes["changed"]][["largest", "relative"]] == 0).all(axis=None)


@pytest.mark.parametrize("trained", [["*.weight"]], indirect=True, ids=["bitfit"])
def test_verify_of_bitfit(trained):
    report = freeze_report(trained[1], verify=True)
    changes = report.changes
    changed = set(changes.loc[changes["changed"], "tensor"])
    assert changed == {n for n in changes["tensor"] if n.endswith(".bias") and "pooler" not in n}
    # Of the embeddings' norm, and of two blocks: five linear layers and two norms of width 64, and
    # a linear layer of width 128.
    n_biases = 64 + 2 * (7 * 64 + 128)
    assert report.blocks["trainable"].sum() == n_biases + 65


@pytest.mark.parametrize("trained", ["all"], indirect=True)
def test_verify_of_a_frozen_transformer(trained):
    assert not freeze_report(trained[1], verify=True).changes["changed"].any()
    result = CliRunner().invoke(app, ["bertreg", "freeze-report", str(trained[1]), "--verify"])
    assert result.exit_code == 0, result.output
    assert "None of the 39 tensors of the transformer changed" in " ".join(result.output.split())


@pytest.mark.parametrize("trained", [1], indirect=True)
def test_the_pipeline_carries_the_report(trained, tmp_path):
    meta = spacy.load(trained[1]).meta["freeze_report"]
    assert meta["freeze"] == 1
    assert meta["trainable"] == int(freeze_report(trained[1]).blocks["trainable"].sum())


def test_training_prints_what_learns(make_bert, make_examples, capsys):
    nlp = make_bert(freeze="all")
    nlp.initialize(lambda: make_examples(nlp, 4))
    assert "freeze = 'all': 65 of" in capsys.readouterr().out


def test_a_config_with_overrides(tiny_bert, tmp_path):
    config = str(ROOT / "configs" / "bert.cfg")
    settings = ["--paths.transformer", tiny_bert, "--components.transformer.model.freeze", "2"]
    output = tmp_path / "report.json"
    command = ["bertreg", "freeze-report", config, *settings, "--json", str(output)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    report = json.loads(output.read_text())
    assert report["freeze"] == 2
    shares = {row["block"]: row["share"] for row in report["blocks"]}
    assert shares["block 2"] == 0
    assert shares["not used"] == 0
    assert shares["head (text_regressor)"] == 1


@pytest.mark.parametrize("trained", ["none"], indirect=True)
def test_errors(trained, tmp_path):
    with pytest.raises(ValueError, match=r"bert.cfg is a config: only a trained pipeline"):
        freeze_report(ROOT / "configs" / "bert.cfg", verify=True)
    with pytest.raises(FileNotFoundError, match=r"none.cfg does not exist"):
        freeze_report(tmp_path / "none.cfg")
    with pytest.raises(ValueError, match=r"Can't load the base weights './nowhere'"):
        freeze_report(trained[1], verify=True, base="./nowhere")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="The pipeline has no transformer"):
        freeze_report(tmp_path / "blank")
