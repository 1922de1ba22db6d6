import re

import pytest
import torch
import transformers

from spacy_bertreg.training.freezing import check_freeze, count_blocks, frozen_names
from spacy_bertreg.training.model_blocks import find_blocks

SMALL = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}
DISTIL = {"vocab_size": 30, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 16}
DEBERTA = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "conv_kernel_size": 3}
MODERN = {f"{name}_token_id": 0 for name in ("pad", "eos", "bos", "cls", "sep")}
ARCHITECTURES = {
    "bert": ("Bert", SMALL),
    "roberta": ("Roberta", SMALL),
    "distilbert": ("DistilBert", DISTIL),
    "electra": ("Electra", {**SMALL, "embedding_size": 4}),
    "deberta-v2": ("DebertaV2", {**SMALL, **DEBERTA, "norm_rel_ebd": "layer_norm"}),
    "mpnet": ("MPNet", SMALL),
    "modernbert": ("ModernBert", {**SMALL, **MODERN}),
    "gpt2": ("GPT2", {"vocab_size": 30, "n_embd": 8, "n_layer": 3, "n_head": 2}),
    "roberta-prelayernorm": ("RobertaPreLayerNorm", SMALL),
}
# Two of its biases are parameters by themselves.
DEBERTA_V1 = ("Deberta", {**SMALL, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]})
ALBERT = ("Albert", {**SMALL, "embedding_size": 4})


def make_model(prefix: str, settings: dict) -> torch.nn.Module:
    config = getattr(transformers, f"{prefix}Config")(**settings)
    return transformers.AutoModel.from_config(config)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def blocks(request) -> dict:
    return find_blocks(make_model(*ARCHITECTURES[request.param]))


def test_every_parameter_has_its_block(blocks):
    assert count_blocks(blocks) == 3
    assert set(blocks.values()) - {"unused", "top"} == {"embeddings", 0, 1, 2}
    sizes = {block: list(blocks.values()).count(block) for block in (1, 2)}
    assert sizes[1] == sizes[2] == sum(bool(re.search(r"(layers?|h)\.1\.", n)) for n in blocks)
    for name, block in blocks.items():
        assert (block == "unused") == name.startswith("pooler")
        assert (block == "top") == name.startswith(("final_norm", "ln_f", "LayerNorm"))
        in_a_block = re.search(r"(layers?|h)\.\d", name) or ".conv." in name
        assert isinstance(block, int) == bool(in_a_block)


def test_finding_blocks_leaves_the_model_as_it_is():
    model = make_model("Bert", SMALL).train()
    model.embeddings.requires_grad_(False)
    flags = {name: p.requires_grad for name, p in model.named_parameters()}
    state = torch.get_rng_state()
    find_blocks(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert {name: p.requires_grad for name, p in model.named_parameters()} == flags
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_what_is_used_is_what_gets_a_gradient(blocks, request):
    model = make_model(*ARCHITECTURES[request.node.callspec.params["blocks"]]).eval()
    hidden = model(input_ids=torch.arange(1, 9)[None]).last_hidden_state
    hidden.sum().backward()
    with_gradient = {name for name, p in model.named_parameters() if p.grad is not None}
    assert with_gradient == {name for name, block in blocks.items() if block != "unused"}


def test_blocks_of_a_decoder_come_above_those_of_its_encoder():
    settings = {"vocab_size": 30, "d_model": 8, "encoder_layers": 2, "decoder_layers": 2}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    blocks = find_blocks(make_model("MBart", {**settings, **heads, **sizes}))
    assert blocks["encoder.layers.1.fc1.weight"] == 1
    assert blocks["decoder.layers.0.fc1.weight"] == 2
    # One lies between the two, the other above both.
    assert blocks["encoder.layer_norm.weight"] == "embeddings"
    assert blocks["decoder.layer_norm.weight"] == "top"


def test_a_model_that_reads_no_word_pieces_is_refused():
    with pytest.raises(ValueError, match="Linear can't read word pieces alone"):
        find_blocks(torch.nn.Linear(2, 2))


def test_a_model_that_can_not_tell_padding_from_words_is_refused():
    model = make_model("FNet", {**SMALL, "tpu_short_seq_length": 20})
    with pytest.raises(ValueError, match="FNetModel can't read .* argument 'attention_mask'"):
        find_blocks(model)


def test_keywords(blocks):
    assert frozen_names("none", blocks) == set()
    assert frozen_names("all", blocks) == set(blocks)
    embeddings = frozen_names("embeddings", blocks)
    assert embeddings == {name for name, block in blocks.items() if block == "embeddings"}
    assert any("embeddings.weight" in name or name == "wte.weight" for name in embeddings)


def test_numbers_freeze_from_below(blocks):
    frozen = [frozen_names(n, blocks) for n in range(4)]
    assert frozen[0] == frozen_names("embeddings", blocks)
    for n in range(1, 4):
        added = frozen[n] - frozen[n - 1]
        assert frozen[n] > frozen[n - 1]
        assert {blocks[name] for name in added} == {n - 1}
    assert {blocks[name] for name in set(blocks) - frozen[3]} <= {"unused", "top"}
    with pytest.raises(ValueError, match="freeze is 4 .* the model has 3 blocks .* from 0 to 3"):
        frozen_names(4, blocks)


def test_globs(blocks):
    assert frozen_names(["*"], blocks) == set(blocks)
    assert frozen_names(["*.1.*"], blocks) == {n for n in blocks if ".1." in n}
    first = next(iter(blocks))
    assert frozen_names([first, "*norm*.weight"], {**blocks, "norm.weight": "top"}) == {
        n for n in [*blocks, "norm.weight"] if n == first or re.search(r"norm.*\.weight$", n)
    }


@pytest.mark.parametrize("settings", [*ARCHITECTURES.values(), DEBERTA_V1])
def test_all_but_the_biases(settings):
    """BitFit (Ben Zaken et al. 2022), as docs/freezing.md has it."""
    blocks = find_blocks(make_model(*settings))
    learning = set(blocks) - frozen_names(["*.weight"], blocks)
    assert learning == {name for name in blocks if name.endswith("bias")}
    # ModernBERT's layers have none.
    assert bool(learning) == (settings[0] != "ModernBert")


def test_a_glob_without_a_match_lists_near_names(blocks):
    first = next(iter(blocks))
    with pytest.raises(ValueError, match=f"'{first[:-2]}' .*{first}"):
        frozen_names(["*", first[:-2]], blocks)


def test_albert_shares_its_blocks():
    blocks = find_blocks(make_model(*ALBERT))
    assert "blocks (shared)" in blocks.values()
    assert frozen_names("embeddings", blocks) == {
        n for n in blocks if n.startswith("embeddings") or "embedding_hidden_mapping_in" in n
    }
    with pytest.raises(ValueError, match="freeze is 1 .* share their parameters"):
        frozen_names(1, blocks)


@pytest.mark.parametrize("freeze", ["none", "all", "embeddings", 0, 12, ["*"], ["a", "b.*"]])
def test_allowed_values(freeze):
    assert check_freeze(freeze) == freeze


@pytest.mark.parametrize("freeze", ["al", "3", "", -1, True, 1.5, [], [1], None, {"a": 1}])
def test_other_values_are_refused(freeze):
    with pytest.raises(ValueError, match=r"freeze is .* in \[components.transformer.model\]"):
        check_freeze(freeze)


@pytest.mark.parametrize("keyword", ["none", "all", "embeddings"])
def test_keywords_among_globs_contradict_them(keyword):
    with pytest.raises(ValueError, match=f"lists '{keyword}' among globs"):
        check_freeze(["encoder.*", keyword])
