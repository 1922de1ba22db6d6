import warnings

import numpy as np
import pytest
import spacy
import torch
from conftest import train
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from spacy_bertreg.layers import window_encoder
from spacy_bertreg.layers import windows as windows_module
from spacy_bertreg.optimizer import AdamW_v1
from spacy_bertreg.precision import is_bfloat16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"precision": "half"},
            r"precision\s+at root: 'half' is not .*'float32', 'bfloat16', 'auto'",
        ),
        ({"precision": "auto", "mixed_precision": True}, "mixed_precision is true and precision"),
    ],
)
def test_wrong_precision(make_bert, settings, message):
    with pytest.raises(ValueError, match=message):
        make_bert(**settings)


def test_auto_is_what_the_hardware_has(monkeypatch):
    for there in (True, False):
        found = {"avx512_bf16": there, "amx_bf16": False, "avx512_f": True}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert is_bfloat16("auto", "cpu") == there
        assert is_bfloat16("bfloat16", "cpu")
        assert not is_bfloat16("float32", "cpu")
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not is_bfloat16("auto", "cpu")
    assert not is_bfloat16("auto", "mps")


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
