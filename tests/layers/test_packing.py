"""Short windows in shared rows: nothing is lost, and outputs and gradients stay the same."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
)

from spacy_bertreg.layers import window_encoder
from spacy_bertreg.layers.packing import PIECES_AT_ONCE, can_pack, pack, packed_inputs
from spacy_bertreg.layers.windows import Window, padding_position

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}
LENGTHS = [[5], [3, 60, 7, 7, 12, 30, 9], [64] * 20, list(range(2, 64)), [20] * 300]


def make_windows(lengths):
    rng = np.random.default_rng(0)
    none = np.zeros(0, dtype=np.int64)
    ids = [rng.integers(2, 50, size=length) for length in lengths]
    return [Window(own, np.zeros_like(own), none, none, none, 0) for own in ids]


@pytest.mark.parametrize("lengths", LENGTHS)
def test_each_window_has_a_place_of_its_own(lengths):
    windows = make_windows(lengths)
    found = []
    for part in pack(windows, 64):
        assert max(lengths) <= 64 >= part.width
        n_pieces = sum(lengths[number] for number in part.windows)
        assert n_pieces <= PIECES_AT_ONCE
        assert part.n_rows * part.width < 1.3 * n_pieces + part.width
        taken = np.zeros((part.n_rows, part.width), dtype=int)
        for number, row, start in zip(part.windows, part.rows, part.starts, strict=True):
            assert start + lengths[number] <= part.width
            taken[row, start : start + lengths[number]] += 1
        assert taken.max() == 1
        assert taken.any(axis=1).all()
        found += part.windows
    assert sorted(found) == list(range(len(lengths)))


def test_there_is_little_padding():
    lengths = np.random.default_rng(0).integers(8, 40, size=(50, 16)).tolist()
    parts = [part for batch in lengths for part in pack(make_windows(batch), 512)]
    assert sum(part.n_rows * part.width for part in parts) < 1.2 * np.sum(lengths)


@pytest.mark.parametrize(
    ("make", "config"), [(BertModel, BertConfig), (RobertaModel, RobertaConfig)]
)
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@torch.no_grad()
def test_outputs_are_those_of_windows_read_one_by_one(make, config, attention):
    torch.manual_seed(0)
    model = make(config(**SHAPE, attn_implementation=attention)).eval()
    assert can_pack(model)
    windows = make_windows([3, 60, 7, 7, 12, 30, 9])
    pad_id, n_shared = model.config.pad_token_id, 0
    for part in pack(windows, 64):
        n_shared += len(part.windows) - part.n_rows
        arrays = packed_inputs(windows, part, pad_id, padding_position(model))
        inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
        hidden = model(**inputs).last_hidden_state
        for number, row, start in zip(part.windows, part.rows, part.starts, strict=True):
            alone = model(torch.from_numpy(windows[number].ids)[None]).last_hidden_state[0]
            own = hidden[row, start : start + len(alone)]
            torch.testing.assert_close(own, alone, atol=1e-5, rtol=1e-5)
    assert n_shared


def test_other_transformers_are_not_given_packed_windows():
    distil = DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    assert not can_pack(DistilBertModel(distil))
    relative = BertConfig(**SHAPE, position_embedding_type="relative_key")
    assert not can_pack(BertModel(relative))
    assert not can_pack(SimpleNamespace(config=BertConfig(**SHAPE), device=torch.device("meta")))


def gradients(make_bert, make_examples, precision):
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    nlp = make_bert(precision=precision, transformer_config=dropouts)
    examples = make_examples(nlp, 12)
    torch.manual_seed(0)
    nlp.initialize(lambda: examples)
    head = nlp.get_pipe("text_regressor").model
    for node in head.walk():
        if node.has_param("W"):
            node.set_param("W", np.full_like(node.get_param("W"), 0.1))
    nlp.update(examples, sgd=False, drop=0.0)
    named = nlp.get_pipe("transformer").model.transformer.named_parameters()
    return {name: p.grad for name, p in named if p.grad is not None}


def test_gradients_are_the_same_in_parts_and_close_in_bfloat16(
    make_bert, make_examples, monkeypatch
):
    packed = gradients(make_bert, make_examples, "float32")
    low = gradients(make_bert, make_examples, "bfloat16")
    monkeypatch.setattr(window_encoder, "can_pack", lambda transformer: False)
    parts = gradients(make_bert, make_examples, "float32")
    assert packed.keys() == parts.keys() == low.keys()
    for name, gradient in packed.items():
        norm = gradient.norm()
        assert (parts[name] - gradient).norm() < 1e-4 * norm + 1e-6, name
        assert (low[name] - gradient).norm() < 0.05 * norm + 1e-3, name
