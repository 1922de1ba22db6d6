import warnings
from collections import Counter
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import pytest
import spacy
import torch
from conftest import train
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from spacy_bertreg.layers import window_encoder
from spacy_bertreg.layers import windows as windows_module
from spacy_bertreg.training.optimizer import AdamW_v1
from spacy_bertreg.training.precision import resolve_precision


def test_wrong_precision(make_bert):
    allowed = "'float32', 'bfloat16', 'float16', 'int8', 'auto'"
    message = rf"precision\s+at root: 'half' is not .*{allowed}"
    with pytest.raises(ValueError, match=message):
        make_bert(precision="half")


def test_float16_needs_a_gpu(make_bert, make_examples):
    assert resolve_precision("float16", "cuda") is torch.float16
    nlp = make_bert(precision="float16")
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    assert shim._grad_scaler._enabled
    message = r"precision is 'float16' .* needs a GPU, but the transformer is on the device 'cpu'"
    with pytest.raises(ValueError, match=message):
        nlp("Calm.")
    with pytest.raises(ValueError, match=message):
        train(nlp, examples, AdamW_v1(), 1)


def test_auto_is_what_the_hardware_has(monkeypatch):
    for there in (True, False):
        found = {"avx512_bf16": there, "amx_bf16": False, "avx512_f": True}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert resolve_precision("auto", "cpu") == (torch.bfloat16 if there else None)
        assert resolve_precision("bfloat16", "cpu") is torch.bfloat16
        assert resolve_precision("float32", "cpu") is None
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert resolve_precision("auto", "cpu") is None
    assert resolve_precision("auto", "mps") is None


def test_scores_differ_little_and_the_setting_is_saved(make_bert, make_examples, tmp_path):
    nlp = make_bert(precision="float32")
    examples = make_examples(nlp, 16)
    nlp.initialize(lambda: examples)
    train(nlp, examples, AdamW_v1(), 3)
    nlp.to_disk(tmp_path / "float32")
    low = spacy.load(
        tmp_path / "float32", config={"components.transformer.model.precision": "bfloat16"}
    )
    low.to_disk(tmp_path / "bfloat16")
    again = spacy.load(tmp_path / "bfloat16")
    assert again.config["components"]["transformer"]["model"]["precision"] == "bfloat16"
    texts = [eg.text for eg in examples]
    exact, first, second = (
        np.array([doc.cats["severity"] for doc in pipeline.pipe(texts)])
        for pipeline in (nlp, low, again)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != exact).any()
    std = nlp.get_pipe("text_regressor").scale.std[0]
    np.testing.assert_allclose(first, exact, atol=0.05 * std)


@pytest.mark.parametrize("limit", [57, None])
def test_bfloat16_pads_no_further_than_the_model_is_known_to_read(
    make_bert, make_examples, monkeypatch, limit
):
    nlp = make_bert(precision="bfloat16")
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    model = nlp.get_pipe("transformer").model
    model.tokenizer.model_max_length = limit or VERY_LARGE_INTEGER
    model.transformer.config.max_position_embeddings = limit
    lengths = []

    def model_inputs(windows, n_pieces, pad_id):
        lengths.append((max(map(len, windows)), n_pieces))
        return windows_module.model_inputs(windows, n_pieces, pad_id)

    monkeypatch.setattr(window_encoder, "model_inputs", model_inputs)
    long, short = "calm " * 90, "calm " * 41
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = [nlp(text).cats["severity"] for text in (long, short)]
    assert np.isfinite(scores).all()
    (n_long, padded_long), (n_short, padded_short) = lengths
    assert n_long == padded_long == (limit or 92)
    assert n_short < n_long
    # To a multiple of 16, which the long one shows to be allowed, or not at all.
    assert padded_short == (48 if limit else n_short)


def test_weights_stay_in_float32_when_they_learn_in_bfloat16(make_bert, make_examples):
    nlp = make_bert(precision="bfloat16")
    examples = make_examples(nlp, 16)
    nlp.initialize(lambda: examples)
    transformer = nlp.get_pipe("transformer").model.transformer
    before = {name: p.detach().clone() for name, p in transformer.named_parameters()}
    train(nlp, examples, AdamW_v1(warmup_steps=0), 3)
    after = dict(transformer.named_parameters())
    assert {p.dtype for p in after.values()} == {torch.float32}
    assert any(not torch.equal(before[name], p) for name, p in after.items())
    assert all(torch.isfinite(p).all() for p in after.values())


class CountingConversions(TorchDispatchMode):
    """Counts how often each tensor is converted to bfloat16, by where it lies in memory."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16:
            self.counts[args[0].data_ptr()] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("freeze", ["none", 1, ["*.attention.*"], "all"])
def test_each_weight_is_converted_once_for_all_parts(make_bert, make_examples, monkeypatch, freeze):
    nlp = make_bert(freeze=freeze, precision="bfloat16")
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    weights = dict(shim._model.named_parameters())
    flags = {name: p.requires_grad for name, p in weights.items()}
    n_parts = []
    monkeypatch.setitem(window_encoder.PIECES_AT_ONCE, "cpu", 64)
    predict = shim.predict
    monkeypatch.setattr(shim, "predict", lambda inputs: n_parts.append(1) or predict(inputs))
    docs = [nlp.make_doc("calm " * n) for n in (5, 20, 40, 80, 90)]
    with CountingConversions() as conversions:
        vectors = nlp.get_pipe("transformer").model.predict(docs).doc_data[0].get_vector("mean")
    assert len(n_parts) >= 4
    found = {name: conversions.counts[p.data_ptr()] for name, p in weights.items()}
    matrices = {n for n, p in weights.items() if p.ndim == 2 and n.startswith("encoder.")}
    assert {found[name] for name in matrices} == {1}
    assert set(found.values()) <= {0, 1}
    assert {name: p.requires_grad for name, p in weights.items()} == flags
    # And they are the vectors of weights that are converted each time.
    monkeypatch.setattr(window_encoder.torch, "is_autocast_enabled", lambda device: False)
    again = nlp.get_pipe("transformer").model.predict(docs).doc_data[0].get_vector("mean")
    np.testing.assert_array_equal(again, vectors)


def test_what_is_frozen_is_as_before_when_reading_fails(make_bert, make_examples, monkeypatch):
    nlp = make_bert(freeze=1, precision="bfloat16")
    nlp.initialize(lambda: make_examples(nlp, 4))
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    flags = {name: p.requires_grad for name, p in shim._model.named_parameters()}
    seen = []

    def fail(inputs):
        seen.append(all(p.requires_grad for p in shim._model.parameters()))
        raise MemoryError

    monkeypatch.setattr(shim, "predict", fail)
    with pytest.raises(MemoryError):
        nlp("Calm.")
    assert seen == [True]
    assert {name: p.requires_grad for name, p in shim._model.named_parameters()} == flags


def test_two_threads_that_read_at_once_leave_frozen_what_was(make_bert, make_examples):
    nlp = make_bert(freeze=1, precision="bfloat16")
    nlp.initialize(lambda: make_examples(nlp, 4))
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    flags = {name: p.requires_grad for name, p in shim._model.named_parameters()}
    once = window_encoder._frozen_weights_converted_once
    with shim.autocast(), ExitStack() as second, once(shim):
        second.enter_context(once(shim))
    assert {name: p.requires_grad for name, p in shim._model.named_parameters()} == flags


def test_few_shapes_are_for_cpus():
    for device, expected in (("cpu", True), ("cuda", False), ("mps", False)):
        shim = SimpleNamespace(device=SimpleNamespace(type=device), precision="bfloat16")
        assert window_encoder._needs_few_shapes(shim) == expected
