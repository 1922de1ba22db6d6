"""Plain attention computes what torch's fused kernel does."""

import pytest
import torch
from conftest import train
from torch.nn.functional import scaled_dot_product_attention

from spacy_bertreg.layers import plain_attention
from spacy_bertreg.layers.plain_attention import LONGEST, PlainAttention

SHAPE = 2, 3, 20, 8
KEPT = torch.rand(2, 1, 20, 20, generator=torch.Generator().manual_seed(1)) > 0.3
MASKS = {
    "none": None,
    "bool": KEPT,
    "float": torch.zeros(KEPT.shape).masked_fill(~KEPT, torch.finfo(torch.float32).min),
}


def attend(**settings):
    """Outputs and gradients."""
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(SHAPE, generator=generator).requires_grad_() for _ in range(3)]
    output = scaled_dot_product_attention(*inputs, **settings)
    return output, *torch.autograd.grad(output.square().sum(), inputs)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("scale", [None, 0.5])
def test_equals_the_fused_kernel(mask, scale):
    settings = {"attn_mask": MASKS[mask], "scale": scale}
    expected = attend(**settings)
    with PlainAttention():
        found = attend(**settings)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_a_row_in_which_all_is_masked_is_finite():
    mask = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    with PlainAttention():
        assert all(tensor.isfinite().all() for tensor in attend(attn_mask=mask))


def test_dropout():
    torch.manual_seed(0)
    with PlainAttention():
        assert not attend(dropout_p=0.5)[0].equal(attend(dropout_p=0.5)[0])
        assert attend(dropout_p=0.0)[0].equal(attend(dropout_p=0.0)[0])


@pytest.mark.parametrize(("n", "causal"), [(LONGEST + 1, False), (20, True)])
def test_the_kernel_does_what_takes_much_memory(n, causal):
    inputs = torch.randn(1, 1, n, 8)
    expected = scaled_dot_product_attention(inputs, inputs, inputs, is_causal=causal)
    with PlainAttention():
        found = scaled_dot_product_attention(inputs, inputs, inputs, is_causal=causal)
    assert found.equal(expected)


@pytest.mark.parametrize(("precision", "used"), [("float32", False), ("bfloat16", True)])
def test_training_in_bfloat16_uses_it(make_bert, make_examples, monkeypatch, precision, used):
    calls = []
    own = plain_attention._attend
    monkeypatch.setattr(plain_attention, "_attend", lambda *a, **k: calls.append(1) or own(*a, **k))
    nlp = make_bert(precision=precision, dropout=False)
    examples = make_examples(nlp, 8)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=1)
    assert bool(calls) == used
    calls.clear()
    # Scoring does not.
    nlp("Shelling killed ten soldiers.")
    assert not calls
