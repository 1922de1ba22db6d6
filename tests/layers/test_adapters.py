"""Adapters in small random models of several architectures."""

import pytest
import torch
import transformers

from spacy_bertreg.layers.adapters import add_adapters, merged_when_saved
from spacy_bertreg.training.freezing import UNUSED
from spacy_bertreg.training.lora import Lora
from spacy_bertreg.training.model_blocks import find_blocks

SMALL = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
DISTIL = {"vocab_size": 30, "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 16}
DEBERTA = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
MODERN = {f"{name}_token_id": 0 for name in ("pad", "eos", "bos", "cls", "sep")}
# Settings, and the layers that get adapters by default.
ARCHITECTURES = {
    "Bert": (SMALL, {"query", "value"}),
    "Roberta": (SMALL, {"query", "value"}),
    "Camembert": (SMALL, {"query", "value"}),
    "Electra": ({**SMALL, "embedding_size": 4}, {"query", "value"}),
    "DistilBert": (DISTIL, {"q_lin", "v_lin"}),
    "MPNet": (SMALL, {"q", "v"}),
    "Deberta": ({**SMALL, **DEBERTA}, {"in_proj"}),
    "DebertaV2": ({**SMALL, **DEBERTA}, {"query_proj", "value_proj"}),
    "ModernBert": ({**SMALL, **MODERN, "reference_compile": False}, {"Wqkv"}),
    "GPT2": ({"vocab_size": 30, "n_embd": 8, "n_layer": 2, "n_head": 2}, {"c_attn"}),
}
PIECES = torch.arange(1, 9)[None]


def make_model(name):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**ARCHITECTURES[name][0])
    return transformers.AutoModel.from_config(config).eval()


def run(model):
    with torch.no_grad():
        return model(input_ids=PIECES).last_hidden_state


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_merged_weights_compute_what_adapters_do(name):
    model = make_model(name)
    before, plain = run(model), dict(model.state_dict())
    adapters = add_adapters(model, Lora(rank=2), find_blocks(model))
    # B is 0 at first.
    assert torch.equal(run(model), before)
    assert {weight.split(".")[-2] for weight in adapters.values()} == ARCHITECTURES[name][1]
    parameters = dict(model.named_parameters())
    # Each takes part in the output.
    assert {find_blocks(model)[adapter] for adapter in adapters} == {0, 1}
    for adapter in adapters:
        torch.nn.init.normal_(parameters[adapter], std=0.3)
    expected = run(model)
    assert (expected - before).abs().max() > 1e-3
    with merged_when_saved(model, adapters):
        merged = model.state_dict()
    assert torch.equal(run(model), expected)
    assert set(merged) == set(plain)
    assert not any("lora" in key or "base_layer" in key for key in merged._metadata)
    changed = {name for name, tensor in plain.items() if not torch.equal(tensor, merged[name])}
    assert changed == set(adapters.values())
    fresh = make_model(name)
    fresh.load_state_dict(merged)
    torch.testing.assert_close(run(fresh), expected, atol=1e-5, rtol=1e-5)


def test_targets_are_ends_of_names_and_leave_out_what_is_not_used():
    model = make_model("Bert")
    targets = ("dense", "1.attention.self.key")
    adapters = add_adapters(model, Lora(targets=targets), find_blocks(model))
    weights = set(adapters.values())
    assert "encoder.layer.0.intermediate.dense.weight" in weights
    assert "encoder.layer.1.attention.self.key.weight" in weights
    assert len(weights) == 7
    assert find_blocks(model)["pooler.dense.weight"] == UNUSED


def test_an_unknown_target_lists_near_names():
    model = make_model("Bert")
    message = r"targets has 'qery' in \[components.*lora\], .* Near names: query"
    with pytest.raises(ValueError, match=message):
        add_adapters(model, Lora(targets=("value", "qery")), find_blocks(model))
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_an_architecture_without_a_default():
    model = make_model("DistilBert")
    model.config.model_type = "newbert"
    message = r"no default for a 'newbert'. Expected some of its linear layers: q_lin, k_lin, v_lin"
    with pytest.raises(ValueError, match=message):
        add_adapters(model, Lora(), find_blocks(model))
