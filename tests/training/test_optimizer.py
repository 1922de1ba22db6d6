import math

import numpy as np
import pytest
import spacy
import torch
from conftest import train

from spacy_bertreg.training.optimizer import AdamW_v1

SETTINGS = {"encoder_rate": 0.1, "head_rate": 1.0, "total_steps": 10, "warmup_steps": 4}


def test_registered():
    assert spacy.registry.optimizers.get("spacy-bertreg.AdamW.v1") is AdamW_v1


@pytest.mark.parametrize("warmup", [0, 4])
def test_rates_rise_and_fall_linearly(warmup):
    optimizer = AdamW_v1(**{**SETTINGS, "warmup_steps": warmup})
    rates = []
    for _ in range(12):
        rates.append((optimizer.learn_rate, optimizer.block_rate(2, 3)))
        optimizer.step_schedules()
    rising = [step / 4 for step in range(warmup)]
    expected = [*rising, *((10 - step) / (10 - warmup) for step in range(warmup, 10)), 0, 0]
    np.testing.assert_allclose([head for head, _ in rates], expected, atol=1e-12)
    np.testing.assert_allclose([top for _, top in rates], 0.1 * np.array(expected), atol=1e-12)


def test_layer_wise_decay():
    optimizer = AdamW_v1(**{**SETTINGS, "warmup_steps": 0}, layer_decay=0.5)
    blocks = ["embeddings", 0, 1, 2, "pooler"]
    rates = [optimizer.block_rate(block, 3) for block in blocks]
    assert rates == pytest.approx([0.1 / 8, 0.1 / 4, 0.1 / 2, 0.1, 0.1])


def test_a_step_is_as_large_as_its_rate():
    # Adam's first step moves each weight by its rate, whatever the gradient.
    optimizer = AdamW_v1(
        0.1, 1.0, total_steps=10, warmup_steps=0, layer_decay=0.5, weight_decay=0, grad_clip=0
    )
    parameters = {name: torch.nn.Parameter(torch.zeros(2, 2)) for name in ("low", "top")}
    for parameter in parameters.values():
        parameter.grad = torch.full((2, 2), 7.0)
    optimizer.step_encoder(1, parameters, {"low": 0, "top": 1}, 2)
    assert parameters["low"].detach().numpy() == pytest.approx(-0.05)
    assert parameters["top"].detach().numpy() == pytest.approx(-0.1)
    weights, _ = optimizer((2, "W"), np.zeros((2, 2), dtype="f"), np.full((2, 2), 7, dtype="f"))
    assert weights == pytest.approx(-1.0, rel=1e-5)


def test_biases_and_layer_norms_do_not_decay():
    optimizer = AdamW_v1(0.1, 1.0, total_steps=10, warmup_steps=0, weight_decay=0.5)
    matrix, vector = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,)))
    for parameter in (matrix, vector):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step_encoder(1, {"w": matrix, "b": vector}, {"w": 0, "b": 0}, 1)
    assert matrix.detach().numpy() == pytest.approx(1 - 0.1 * 0.5)
    assert (vector == 1).all()
    for shape, expected in (((2, 2), 0.5), ((2,), 1.0)):
        weights, gradient = np.ones(shape, dtype="f"), np.zeros(shape, dtype="f")
        assert optimizer((2, str(shape)), weights, gradient)[0] == pytest.approx(expected)
    assert optimizer.L2 == 0.5


def test_the_encoders_gradient_is_clipped_as_a_whole():
    optimizer = AdamW_v1(0.1, 1.0, total_steps=10, warmup_steps=0, grad_clip=1.0)
    parameters = {name: torch.nn.Parameter(torch.zeros(1, 1)) for name in "ab"}
    parameters["a"].grad, parameters["b"].grad = torch.tensor([[3.0]]), torch.tensor([[4.0]])
    optimizer.step_encoder(1, parameters, {"a": 0, "b": 0}, 1)
    assert parameters["a"].grad.item() == pytest.approx(0.6, rel=1e-4)
    assert parameters["b"].grad.item() == pytest.approx(0.8, rel=1e-4)


def test_same_steps_as_torch():
    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(4, 3))
    theirs = torch.nn.Parameter(ours.detach().clone())
    optimizer = AdamW_v1(0.1, 1.0, total_steps=100, warmup_steps=0, grad_clip=0, weight_decay=0.3)
    reference = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.3)
    for step in range(5):
        gradient = torch.randn(4, 3)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.step_encoder(1, {"w": ours}, {"w": 0}, 1)
        reference.param_groups[0]["lr"] = 0.1 * (1 - step / 100)
        reference.step()
        optimizer.step_schedules()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_rate", -1.0),
        ("head_rate", 0.0),
        ("total_steps", -1),
        ("warmup_steps", 11),
        ("layer_decay", 0.0),
        ("layer_decay", 1.1),
        ("weight_decay", -0.1),
        ("grad_clip", -1.0),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"{name} is {value!r} in \[training.optimizer\]"):
        AdamW_v1(**{**SETTINGS, name: value})


def test_trains_a_stock_transformer_too(tiny_bert, make_examples):
    nlp = spacy.blank("en")
    stock = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": tiny_bert}
    nlp.add_pipe("transformer", config={"model": stock})
    nlp.add_pipe("text_regressor")
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    optimizer = AdamW_v1(0.001, 0.001, total_steps=1000, warmup_steps=0)
    first = train(nlp, examples, optimizer, steps=1)
    assert train(nlp, examples, optimizer, steps=40) < first / 2
    assert math.isfinite(nlp("A text.").cats["severity"])


@pytest.mark.parametrize("total_steps", [None, 0, "${training.max_steps}"])
def test_rates_stay_where_the_number_of_steps_is_not_known(total_steps):
    optimizer = AdamW_v1(0.1, 1.0, total_steps=total_steps, warmup_steps=4)
    rates = []
    for _ in range(1000):
        rates.append(optimizer.learn_rate)
        optimizer.step_schedules()
    assert rates[:5] == [0, 0.25, 0.5, 0.75, 1.0]
    assert min(rates[4:]) == pytest.approx(1.0)


def test_total_steps_that_are_no_number():
    with pytest.raises(ValueError, match="total_steps is 'many' in"):
        AdamW_v1(total_steps="many")


def test_other_weights_are_trained_too(make_bert, make_examples):
    nlp = make_bert()
    examples = make_examples(nlp, 8)
    optimizer = AdamW_v1(0.01, 0.01, total_steps=100, warmup_steps=0)
    nlp.initialize(lambda: examples)
    train(nlp, examples, optimizer, steps=2)
    nlp.get_pipe("transformer").from_bytes(nlp.get_pipe("transformer").to_bytes())
    encoder = nlp.get_pipe("transformer").model.transformer
    before = encoder.encoder.layer[0].output.dense.weight.clone()
    train(nlp, examples, optimizer, steps=1)
    after = encoder.encoder.layer[0].output.dense.weight
    assert not torch.equal(before, after)


@pytest.mark.parametrize("grad_clip", [0.0, 1.0])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_left_out(bad, grad_clip):
    optimizer = AdamW_v1(0.1, 1.0, warmup_steps=0, grad_clip=grad_clip)
    parameters = {name: torch.nn.Parameter(torch.ones(2, 2)) for name in ("a", "b")}
    parameters["a"].grad = torch.full((2, 2), bad)
    parameters["b"].grad = torch.ones(2, 2)
    with pytest.warns(UserWarning, match="A gradient is not finite, so this step is left out"):
        optimizer.step_encoder(1, parameters, {"a": 0, "b": 0}, 1)
    assert all(torch.equal(p.detach(), torch.ones(2, 2)) for p in parameters.values())
    weights, gradient = np.ones((2, 2), dtype="f"), np.full((2, 2), bad, dtype="f")
    after, left = optimizer((2, "W"), weights, gradient)
    assert (after == 1).all()
    # What is left is added to the next step's.
    assert (left == 0).all()
    for parameter in parameters.values():
        parameter.grad = torch.ones(2, 2)
    optimizer.step_encoder(1, parameters, {"a": 0, "b": 0}, 1)
    assert all((p < 1).all() for p in parameters.values())
