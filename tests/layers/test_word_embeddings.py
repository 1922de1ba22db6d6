import pytest
import torch
from conftest import train
from torch import nn

from spacy_bertreg.layers.word_embeddings import WordGradient
from spacy_bertreg.training.optimizer import AdamW_v1


class Words(nn.Module):
    """Looks up word pieces, and others of its own if told so."""

    def __init__(self, others: list[int] | None = None, **settings: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(50, 4, **settings)
        self.others = others

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.words(torch.tensor([self.others]) if self.others else ids).sin().sum()


IDS = [torch.tensor([[3, 7, 7, 0]]), torch.tensor([[49, 3], [1, 0]])]


def expected_gradient(model: Words) -> torch.Tensor:
    model.zero_grad()
    sum(model(ids) for ids in IDS).backward()
    gradient, model.words.weight.grad = model.words.weight.grad, None
    return gradient


@pytest.mark.parametrize("settings", [{}, {"padding_idx": 0}])
def test_the_gradient_is_autograds(settings):
    model, own = Words(**settings), WordGradient()
    expected = expected_gradient(model)
    for _ in range(3):  # the last two in memory that was used before
        with own.collected(model, IDS) as add_gradient:
            value = sum(model(ids) for ids in IDS)
        assert value == sum(model(ids) for ids in IDS)
        value.backward()
        assert model.words.weight.grad is None
        add_gradient()
        torch.testing.assert_close(model.words.weight.grad, expected)
        own.clear(model)
        assert model.words.weight.grad is None


def test_gradients_of_two_batches_add_up():
    model, own = Words(), WordGradient()
    expected = expected_gradient(model)
    for ids in IDS:
        with own.collected(model, [ids]) as add_gradient:
            value = model(ids)
        value.backward()
        add_gradient()
    torch.testing.assert_close(model.words.weight.grad, expected)


def test_what_the_model_looks_up_of_its_own_is_left_to_autograd():
    model, own = Words(), WordGradient()
    for others in ([5, 6], None, [5, 6]):
        model.others = others
        expected = expected_gradient(model)
        with own.collected(model, IDS) as add_gradient:
            value = sum(model(ids) for ids in IDS)
        value.backward()
        add_gradient()
        torch.testing.assert_close(model.words.weight.grad, expected)
        own.clear(model)


@pytest.mark.parametrize("factor", [0.5, torch.nan, torch.inf])
def test_memory_is_used_again_only_as_zeros(factor):
    """Clipping multiplies the whole gradient, by NaN if the norm is not finite."""
    model, own = Words(), WordGradient()
    expected = expected_gradient(model)
    for ids in (IDS, IDS[:1], IDS):
        with own.collected(model, ids) as add_gradient:
            value = sum(model(each) for each in ids)
        value.backward()
        add_gradient()
        gradient = model.words.weight.grad.clone()
        model.words.weight.grad.mul_(factor)
        own.clear(model)
        assert own._spare is None or not own._spare.any()
    torch.testing.assert_close(gradient, expected)


def test_a_frozen_embedding_gets_no_gradient():
    model, own = Words(), WordGradient()
    model.words.weight.requires_grad_(False)
    with own.collected(model, IDS) as add_gradient:
        assert not model(IDS[0]).requires_grad
    add_gradient()
    own.clear(model)
    assert model.words.weight.grad is None


def test_another_transformer_gets_a_gradient_of_its_own_size(make_bert, make_examples):
    """As when a pipeline that was trained is loaded with other weights."""
    nlp = make_bert()
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    optimizer = AdamW_v1()
    train(nlp, examples, optimizer, steps=1)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    assert shim._word_gradient._spare is not None
    shim.from_bytes(shim.to_bytes())
    assert shim._word_gradient._spare is None
    train(nlp, examples, optimizer, steps=1)
