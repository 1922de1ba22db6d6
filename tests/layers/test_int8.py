"""int8 by measured ranges: rounding, and what becomes of them when weights change."""

import numpy as np
import pytest
import torch
from conftest import train
from transformers import BertConfig, BertModel

from spacy_bertreg.layers import backends, int8
from spacy_bertreg.layers.backends import check_backend, uses_openvino
from spacy_bertreg.layers.half_weights import round_weights
from spacy_bertreg.layers.int8 import Int8Ranges, hash_weights
from spacy_bertreg.training import precision
from spacy_bertreg.training.precision import resolve_precision

PRECISION = "components.transformer.model.precision"
NAMES = ("input_ids", "attention_mask")


@pytest.fixture
def bert():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=50, intermediate_size=64, initializer_range=0.3, **sizes)
    return BertModel(config, add_pooling_layer=False).eval()


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    ids = [rng.integers(1, 50, size=(1, length)) for length in range(4, 34)]
    return [{"input_ids": row, "attention_mask": np.ones_like(row)} for row in ids]


def run(bert, batches):
    with torch.no_grad():
        outputs = [bert(**{n: torch.from_numpy(a) for n, a in b.items()}) for b in batches]
    return torch.cat([output.last_hidden_state[0] for output in outputs])


def test_rounding_is_close(bert, batches):
    ranges = Int8Ranges.measure(bert, batches)
    assert len(ranges.layers) == 12
    first = "encoder.layer.0.attention.self."
    # Queries, keys and values read the same.
    assert ranges.layers[f"{first}query"] is ranges.layers[f"{first}value"]
    rounding = ranges.apply(bert)
    exact, rounded = run(bert, batches), run(rounding, batches)
    share = ((rounded - exact).var() / exact.var()).item()
    assert 0 < share < 0.01
    # Embeddings are shared, and the transformer is as it was.
    assert rounding.embeddings.word_embeddings.weight is bert.embeddings.word_embeddings.weight
    torch.testing.assert_close(run(bert, batches), exact, rtol=0, atol=0)


def test_one_layer_by_hand():
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -0.2505]]))
        layer.bias.fill_(1.0)
    layer_range = int8.LayerRange(-1.0, 4.1, np.float32([1, 2]), np.float32([20, 0.4]))
    rounding = int8._RoundingLinear(layer, layer_range)
    # Times the factors: 0.5 and -0.501. Of 127 steps to 0.501, 0.5 is nearest to the last.
    rounded_weight = torch.tensor([0.501, -0.501])
    torch.testing.assert_close(int8._round_rows(rounding.weight)[0], rounded_weight)
    # The first channel's mean times the error of its weight.
    torch.testing.assert_close(rounding.bias, torch.tensor([1.0 - 20 * 0.001]))
    # Divided by the factors, and rounded to 255 steps of 0.02 from -1.0 to 4.1; what is out of
    # range comes to its end.
    inputs = torch.tensor([[0.513, -0.43], [9.0, -9.0]])
    rounded = torch.tensor([[0.52, -0.22], [4.1, -1.0]])
    torch.testing.assert_close(rounding(inputs)[:, 0], rounded @ rounded_weight + 0.98)


def test_smoothing_helps_against_a_large_channel(bert, batches, monkeypatch):
    with torch.no_grad():
        # As trained BERTs have them: one channel of large activations, which counts little.
        for block in bert.encoder.layer:
            block.attention.output.LayerNorm.weight[3] = 60.0
            block.intermediate.dense.weight[:, 3] /= 60.0
    exact = run(bert, batches)
    errors = {}
    for shares in (int8.SMOOTHING, (0.0,)):
        monkeypatch.setattr(int8, "SMOOTHING", shares)
        monkeypatch.setattr(int8, "MAX_ERROR", 1.0)
        rounded = run(Int8Ranges.measure(bert, batches).apply(bert), batches)
        errors[shares] = (rounded - exact).pow(2).mean().item()
    smoothed, plain = errors.values()
    assert smoothed < 0.5 * plain


def _one_large(hidden):
    factors = torch.ones(hidden.shape[1], 1)
    factors[2] = 1000.0
    return factors


def test_layers_that_lose_much_stay_in_float(bert, batches, monkeypatch):
    all_layers = Int8Ranges.measure(bert, batches).layers
    # One word piece with large activations makes the steps of all others coarse.
    layer = bert.encoder.layer[1].intermediate
    usual = layer.forward
    monkeypatch.setattr(layer, "forward", lambda hidden: usual(hidden) * _one_large(hidden))
    some = Int8Ranges.measure(bert, batches).layers
    assert set(all_layers) - set(some) == {"encoder.layer.1.output.dense"}
    monkeypatch.setattr(int8, "MAX_ERROR", 0.0)
    with pytest.raises(ValueError, match="No linear layer of this BertModel .* of 12, each has"):
        Int8Ranges.measure(bert, batches)


def test_ranges_belong_to_weights(bert, batches):
    ranges = Int8Ranges.from_dict(Int8Ranges.measure(bert, batches).to_dict())
    before = hash_weights(bert)
    # Stored in half of their size, weights are the same.
    round_weights(bert)
    assert hash_weights(bert) == before
    assert ranges.fits(bert)
    with torch.no_grad():
        bert.encoder.layer[1].output.dense.weight[0, 0] += 0.1
    assert not ranges.fits(bert)
    with pytest.raises(ValueError, match="weights have changed since it was quantized. Expected"):
        ranges.apply(bert)


def test_what_int8_takes(monkeypatch):
    assert uses_openvino("torch", "cpu", "int8")
    assert resolve_precision("int8", "cpu") is None
    with pytest.raises(ValueError, match="precision is 'int8' .* on the device 'cuda'. Expected"):
        resolve_precision("int8", "cuda")
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"precision is 'int8'.*'spacy-bertreg\[int8\]'.*float32"):
        check_backend("torch", "int8")


@pytest.mark.parametrize(("is_fast", "expected"), [(True, torch.bfloat16), (False, None)])
def test_what_is_not_in_int8_is_as_fast_as_the_processor_can(
    make_bert, make_examples, monkeypatch, is_fast, expected
):
    pytest.importorskip("openvino")
    nlp = make_bert(precision="int8")
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    monkeypatch.setattr(precision, "_has_fast_bfloat16", lambda device: is_fast)
    monkeypatch.setattr(shim, "get_int8_ranges", lambda: Int8Ranges("", {}))
    seen = []
    monkeypatch.setattr(shim.openvino, "prepare", lambda *args, **kwargs: seen.append(args[2]))
    nlp("Calm.")
    assert seen == [expected]


def test_a_transformer_that_is_not_quantized(make_bert, make_examples):
    pytest.importorskip("openvino")
    nlp = make_bert(precision="int8")
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    with pytest.raises(ValueError, match="was not quantized. Expected a pipeline that"):
        nlp("Calm.")
    with pytest.raises(ValueError, match="in which a transformer can't learn. Expected 'float32'"):
        train(nlp, examples, nlp.create_optimizer(), 1)
