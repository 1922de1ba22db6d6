import io

import srsly
import torch
from torch import nn

from spacy_bertreg.layers.half_weights import round_weights, store_in_bfloat16
from spacy_bertreg.project.precision_check import find_transformers


def save(state):
    file_ = io.BytesIO()
    torch.save(state, file_)
    return file_.getvalue()


def test_stored_weights_take_half_and_load_as_rounded_ones():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(300, 64), nn.Linear(64, 64), nn.LayerNorm(64))
    model.register_buffer("positions", torch.arange(9)[None])
    before = save(model.state_dict())
    after = store_in_bfloat16(before)
    assert 0.5 < len(after) / len(before) < 0.55
    loaded = nn.Sequential(nn.Embedding(300, 64), nn.Linear(64, 64), nn.LayerNorm(64))
    loaded.register_buffer("positions", torch.zeros(1, 9, dtype=torch.int64))
    loaded.load_state_dict(torch.load(io.BytesIO(after)))
    exact = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    round_weights(model)
    for name, tensor in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == tensor.dtype
        torch.testing.assert_close(found, tensor, rtol=0, atol=0)
        assert torch.equal(tensor, exact[name]) == (name not in ("0.weight", "1.weight"))
        torch.testing.assert_close(tensor, exact[name], rtol=2**-8, atol=0)
    # Nothing is lost by a second time.
    assert store_in_bfloat16(save(loaded.state_dict())) == after


def test_a_pipeline_saves_half_if_asked_and_loads_it_in_float32(make_bert, make_examples):
    nlp = make_bert()
    nlp.initialize(lambda: make_examples(nlp, 4))
    (shim,) = find_transformers(nlp)
    full = srsly.msgpack_loads(shim.to_bytes())["state"]
    shim.saves_bfloat16 = True
    half = srsly.msgpack_loads(shim.to_bytes())["state"]
    assert len(half) < len(full)
    copy = make_bert().from_bytes(nlp.to_bytes())
    (loaded,) = find_transformers(copy)
    round_weights(shim._model)
    for name, parameter in loaded._model.named_parameters():
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, shim._model.get_parameter(name))
