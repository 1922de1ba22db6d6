"""LoRA in a pipeline: what learns, and what is saved."""

import pickle
import sys

import pytest
import spacy
import torch
from conftest import ROOT, train
from spacy.cli._util import app
from thinc.api import Adam, ArgsKwargs
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.training.freeze_report import freeze_report
from spacy_bertreg.training.lora import name_without_adapters
from spacy_bertreg.training.optimizer import AdamW_v1
from spacy_bertreg.training.unfreezing import gradual_unfreezing_v1

LORA = {"rank": 4, "alpha": 8, "targets": None, "dropout": 0.0}
# Of rank 4, on query and value of two blocks, 64 wide.
N_ADAPTERS = 2 * 2 * 4 * (64 + 64)
TARGETS = {
    f"encoder.layer.{block}.attention.self.{layer}.weight"
    for block in (0, 1)
    for layer in ("query", "value")
}
TEXTS = [
    "Shelling killed ten soldiers.",
    "A calm month.",
    "",
    "Shelling killed ten soldiers. " * 60,
]
OPTIMIZERS = {
    "Adam": lambda: Adam(0.01, L2=0.1, L2_is_weight_decay=True, grad_clip=1.0),
    "AdamW": lambda: AdamW_v1(0.01, 0.01, total_steps=100, warmup_steps=0, weight_decay=0.1),
}


def shim(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


def weights(nlp):
    return {name: tensor.clone() for name, tensor in shim(nlp)._model.named_parameters()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def predictions(nlp):
    return [doc.cats["severity"] for doc in nlp.pipe(TEXTS)]


@pytest.fixture
def make_lora(make_bert, make_examples):
    """A pipeline with adapters, initialized, and its examples."""

    def make(**options):
        spacy.util.fix_random_seed(0)
        nlp = make_bert(freeze="all", lora=LORA, **options)
        examples = make_examples(nlp, 8)
        nlp.initialize(lambda: examples)
        return nlp, examples

    return make


@pytest.fixture
def saved(make_lora, tmp_path):
    """A trained one, in memory and on disk."""
    nlp, examples = make_lora()
    train(nlp, examples, OPTIMIZERS["AdamW"](), steps=3)
    nlp.to_disk(tmp_path / "model")
    return nlp, tmp_path / "model"


@pytest.fixture
def no_peft(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)


def test_adapters_have_a_dropout_of_their_own(make_bert, make_examples):
    nlp = make_bert(freeze="all", dropout=False, lora={**LORA, "dropout": 0.5})
    nlp.initialize(lambda: make_examples(nlp, 4))
    for name, parameter in shim(nlp)._model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.ones_(parameter)
    part = ArgsKwargs(args=(), kwargs={"input_ids": torch.arange(5, 25)[None]})
    outputs = [shim(nlp).begin_update_in_parts([part])[0][0] for _ in range(2)]
    assert not outputs[0].equal(outputs[1])
    assert not any(m.training for m in shim(nlp)._model.modules() if hasattr(m, "LayerNorm"))
    expected = shim(nlp).predict(part).last_hidden_state
    assert expected.equal(shim(nlp).predict(part).last_hidden_state)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_adapters_learn_and_nothing_else(make_lora, optimizer, precision):
    nlp, examples = make_lora(precision=precision)
    before = weights(nlp)
    train(nlp, examples, OPTIMIZERS[optimizer](), steps=3)
    assert changed(before, weights(nlp)) == shim(nlp).adapters.keys()
    assert set(shim(nlp).adapters.values()) == TARGETS
    # The encoder is not constant, so nothing may be kept.
    assert shim(nlp).cache.n_bytes == 0


def test_scoring_what_was_saved_takes_no_peft(saved, no_peft):
    nlp, path = saved
    weights_file = (path / "transformer" / "model").read_bytes()
    assert b"lora_" not in weights_file
    assert b"base_layer" not in weights_file
    loaded = spacy.load(path)
    assert predictions(loaded) == pytest.approx(predictions(nlp), abs=1e-5)
    base = {name_without_adapters(name): tensor for name, tensor in weights(nlp).items()}
    after = weights(loaded)
    assert changed(after, base) == TARGETS


def test_saving_does_not_disturb_the_training(make_lora, tmp_path):
    ends = []
    for saves in (False, True):
        nlp, examples = make_lora()
        optimizer = OPTIMIZERS["AdamW"]()
        for _ in range(3):
            train(nlp, examples, optimizer, steps=1)
            if saves:
                with nlp.use_params(optimizer.averages):
                    nlp.to_disk(tmp_path)
                    nlp.to_bytes()
        ends.append(weights(nlp))
    assert not changed(*ends)


def test_the_seed_alone_says_what_adapters_begin_with(make_lora, make_bert, make_examples):
    first, second = weights(make_lora()[0]), weights(make_lora()[0])
    assert not changed(first, second)
    spacy.util.fix_random_seed(1)
    other = make_bert(freeze="all", lora=LORA)
    other.initialize(lambda: make_examples(other, 8))
    assert {n for n in shim(other).adapters if "lora_A" in n} <= changed(first, weights(other))


def test_training_further_adds_new_adapters_to_merged_weights(saved, make_examples, tmp_path):
    nlp, path = saved
    loaded = spacy.load(path)
    merged, expected = weights(loaded), predictions(nlp)
    loaded.resume_training()
    train(loaded, make_examples(loaded, 8), OPTIMIZERS["AdamW"](), steps=2)
    after = weights(loaded)
    base = {name_without_adapters(name): tensor for name, tensor in after.items()}
    assert not changed(merged, base)
    assert predictions(loaded) != pytest.approx(expected, abs=1e-5)
    loaded.to_disk(tmp_path / "second")
    report = freeze_report(tmp_path / "second")
    assert report.freeze == ["all"]
    assert [adapters["parameters"] for adapters in report.lora] == [N_ADAPTERS, N_ADAPTERS]
    assert report.blocks["trainable"].sum() == 2 * N_ADAPTERS + 65
    assert spacy.load(tmp_path / "second").meta["freeze_report"] == report.to_dict()


def test_training_further_without_adapters(saved, make_examples):
    settings = {"components": {"transformer": {"model": {"freeze": "none", "lora": None}}}}
    loaded = spacy.load(saved[1], config=settings)
    before = weights(loaded)
    train(loaded, make_examples(loaded, 8), loaded.resume_training(), steps=1)
    assert changed(before, weights(loaded)) > TARGETS
    with pytest.raises(ValueError, match="freeze is 'none' beside lora"):
        spacy.load(saved[1], config={"components.transformer.model.freeze": "none"})


def test_training_without_peft_names_the_extra(saved, make_bert, make_examples, no_peft):
    message = r"needs peft: pip install 'spacy-bertreg\[peft\]'. Scoring does not"
    nlp = make_bert(freeze="all", lora=LORA)
    with pytest.raises(ImportError, match=message):
        nlp.initialize(lambda: make_examples(nlp, 4))
    loaded = spacy.load(saved[1])
    with pytest.raises(ImportError, match=message):
        loaded.update(make_examples(loaded, 4))


def test_report_and_verify(make_lora, saved):
    planned = make_lora()[0].meta["freeze_report"]
    assert not planned["is_trained"]
    assert planned["trainable"] == N_ADAPTERS + 65
    nlp, path = saved
    report = freeze_report(path, verify=True)
    blocks = report.blocks.set_index("block")
    assert blocks.loc["LoRA adapters", "trainable"] == N_ADAPTERS
    assert blocks.loc[["embeddings", "block 1", "block 2"], "trainable"].sum() == 0
    assert f"{N_ADAPTERS + 65:,} of" in report.summary()
    assert "LoRA adapters of rank 4 are merged into 4 tensors" in report.summary()
    changes = report.changes
    assert set(changes.loc[changes["changed"], "tensor"]) == TARGETS
    assert nlp.meta["freeze_report"] == {**report.to_dict(), "changes": None}
    result = CliRunner().invoke(app, ["bertreg", "freeze-report", str(path), "--verify"])
    expected = "4 of the 39 tensors changed, 4 of them because LoRA adapters were merged into them"
    assert expected in " ".join(result.output.split())


def test_a_config_with_overrides(tiny_bert, tmp_path):
    settings = {"freeze": "all", "lora": '{"rank": 2, "targets": ["key"]}'}
    words = [w for key, v in settings.items() for w in (f"--components.transformer.model.{key}", v)]
    config, output = str(ROOT / "configs" / "bert.cfg"), tmp_path / "report.json"
    command = ["bertreg", "freeze-report", config, "--paths.transformer", tiny_bert, *words]
    result = CliRunner().invoke(app, [*command, "--json", str(output)])
    assert result.exit_code == 0, result.output
    assert '"rank": 2' in output.read_text(encoding="utf-8")


def test_config_round_trip(make_lora):
    nlp, _ = make_lora()
    again = spacy.blank("en").from_config(spacy.util.Config().from_str(nlp.config.to_str()))
    assert again.config["components"] == nlp.config["components"]
    assert again.config["components"]["transformer"]["model"]["lora"] == LORA
    assert shim(again).lora == shim(nlp).lora


def test_adapters_join_block_by_block(make_lora):
    nlp, examples = make_lora()
    before_update = gradual_unfreezing_v1(steps_per_block=1)
    seen = []
    for step in range(4):
        before_update(nlp, {"step": step, "epoch": 0})
        before = weights(nlp)
        train(nlp, examples, OPTIMIZERS["Adam"](), steps=1)
        seen.append({shim(nlp).blocks[name] for name in changed(before, weights(nlp))})
    assert seen == [set(), {1}, {0, 1}, {0, 1}]


def test_a_loaded_pipeline_unfreezes_too(saved, make_examples):
    loaded = spacy.load(saved[1])
    gradual_unfreezing_v1(steps_per_block=2)(loaded, {"step": 2, "epoch": 0})
    train(loaded, make_examples(loaded, 8), OPTIMIZERS["Adam"](), steps=1)
    learning = {n for n, p in shim(loaded)._model.named_parameters() if p.requires_grad}
    assert {shim(loaded).blocks[name] for name in learning} == {1}


def test_copies_for_other_processes(saved):
    model = saved[0].get_pipe("transformer").model
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301
    docs = [saved[0].make_doc(TEXTS[0])]
    outputs = [m.predict(docs).doc_data[0].get_vector("mean") for m in (model, copy)]
    assert (outputs[0] == outputs[1]).all()


def test_dropout_runs_where_adapters_are(make_lora):
    nlp, examples = make_lora()
    train(nlp, examples, OPTIMIZERS["AdamW"](), steps=1)
    modules = dict(shim(nlp)._model.named_modules())
    nlp.get_pipe("transformer").model.begin_update([examples[0].reference])
    assert modules["encoder.layer.0.attention.self.dropout"].training
    assert not modules["encoder.layer.0.output.dropout"].training
    assert not modules["embeddings.dropout"].training
