"""The transformer in OpenVINO, against torch with the same weights."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import spacy
import torch
from conftest import train

from spacy_bertreg.layers import backends, openvino_encoder, window_encoder
from spacy_bertreg.layers.backends import check_backend, uses_openvino
from spacy_bertreg.training.optimizer import AdamW_v1

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="needs OpenVINO")
BACKEND = "components.transformer.model.backend"
TEXTS = ["", "Shelling killed ten soldiers.", "Calm.", "calm month " * 200, "A strike " * 15]


def predict(nlp):
    return np.array([doc.cats["severity"] for doc in nlp.pipe(TEXTS)])


def shim_of(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


@pytest.fixture
def trained(make_bert, make_examples, tmp_path):
    """Folder of a pipeline, and its examples."""
    nlp = make_bert()
    examples = make_examples(nlp, 16)
    nlp.initialize(lambda: examples)
    train(nlp, examples, AdamW_v1(warmup_steps=0), 2)
    nlp.to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline", examples


def test_a_wrong_backend_is_named(make_bert):
    with pytest.raises(ValueError, match=r"backend\s+at root: 'onnx' is not .*'torch', 'openvino'"):
        make_bert(backend="onnx")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"backend is 'openvino'.*'spacy-bertreg\[openvino\]'"):
        check_backend("openvino")
    assert check_backend("auto") == "auto"
    assert not uses_openvino("auto", "cpu")


def test_auto_takes_openvino_where_it_gains(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    for processor, gains in (("AVX512", True), ("AVX2", False), ("SVE256", False)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda found=processor: found)
        assert uses_openvino("auto", "cpu") == gains
        assert not uses_openvino("auto", "cuda")
        assert not uses_openvino("torch", "cpu")
        assert uses_openvino("openvino", "cpu")
    with pytest.raises(ValueError, match="backend is 'openvino' .* on the device 'cuda'"):
        uses_openvino("openvino", "cuda")


@needs_openvino
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_predictions_are_torchs(trained, monkeypatch, precision, tolerance):
    path, _ = trained
    torchs = spacy.load(path)
    own = spacy.load(
        path, config={BACKEND: "openvino", "components.transformer.model.precision": precision}
    )
    scale = torchs.get_pipe("text_regressor").scale.std[0]
    monkeypatch.setattr(shim_of(own), "predict", None)
    np.testing.assert_allclose(predict(own), predict(torchs), atol=tolerance * scale, rtol=0)
    # All word-piece vectors, too, which parts of other shapes must not overwrite.
    docs = [list(nlp.pipe(TEXTS)) for nlp in (torchs, own)]
    for expected, found in zip(*docs, strict=True):
        pair = (expected._.trf_data, found._.trf_data)
        first, second = (data.model_output.get("last_hidden_state", np.zeros(0)) for data in pair)
        np.testing.assert_allclose(second, first, atol=100 * tolerance * scale)


@needs_openvino
def test_parts_that_run_at_the_same_time_keep_their_order(trained, monkeypatch):
    monkeypatch.setitem(window_encoder.PIECES_AT_ONCE, "cpu", 8)
    texts = [f"{number} soldiers " + "fell " * (number % 9) for number in range(60)]
    torchs, own = (spacy.load(trained[0], config={BACKEND: name}) for name in ("torch", "openvino"))
    expected, found = ([doc.cats["severity"] for doc in nlp.pipe(texts)] for nlp in (torchs, own))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_openvino
def test_torch_on_one_thread_leaves_other_threads_alone():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with openvino_encoder.torch_on_one_thread(), ThreadPoolExecutor(1) as other:
            assert torch.get_num_threads() == 1
            assert other.submit(torch.get_num_threads).result() == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@needs_openvino
def test_changed_weights_are_read_anew(trained):
    path, examples = trained
    own = spacy.load(path, config={BACKEND: "openvino"})
    shim, before = shim_of(own), predict(own)
    made = []
    compile_ = openvino_encoder._compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino_encoder, "_compile", lambda *a: made.append(1) or compile_(*a))
        np.testing.assert_array_equal(predict(own), before)
        assert made == []
        train(own, examples, AdamW_v1(warmup_steps=0), 3)
        after = predict(own)
        assert made == [1]
        shim.backend = "torch"
        np.testing.assert_allclose(after, predict(own), atol=1e-4)
        shim.backend = "openvino"
        # The head has learned, too.
        transformer = own.get_pipe("transformer").model
        doc = own.make_doc("Calm.")
        vector = transformer.predict([doc]).doc_data[0].get_vector("mean")
        averages = {
            f"pytorch_{shim.id}_{name}": tensor.numpy() * 0.5
            for name, tensor in shim._model.state_dict().items()
            if tensor.is_floating_point()
        }
        with shim.use_params(averages):
            other = transformer.predict([doc]).doc_data[0].get_vector("mean")
            assert np.abs(other - vector).max() > 1e-3
        np.testing.assert_allclose(predict(own), after, atol=1e-5)
        own.from_disk(path)
        np.testing.assert_allclose(predict(own), before, atol=1e-5)
        assert made == [1] * 4


@needs_openvino
def test_what_openvino_cannot_run(trained, monkeypatch):
    path, _ = trained
    monkeypatch.setattr(openvino_encoder, "TOLERANCE", {None: -1.0})
    with pytest.raises(ValueError, match="OpenVINO can't run this transformer: its outputs differ"):
        spacy.load(path, config={BACKEND: "openvino"})("Calm.")
    expected = predict(spacy.load(path))
    monkeypatch.setattr("spacy_bertreg.layers.window_encoder.uses_openvino", lambda *args: True)
    nlp = spacy.load(path, config={BACKEND: "auto"})
    with pytest.warns(UserWarning, match=r"outputs differ(.|\n)*It runs in torch"):
        first = predict(nlp)
    # Once, and with torch's predictions.
    np.testing.assert_array_equal(predict(nlp), first)
    np.testing.assert_allclose(first, expected, atol=1e-5)


DISCARDED = """
import gc, os, signal, sys
import spacy
gc.disable()
nlp = spacy.load(sys.argv[1], config={"components.transformer.model.backend": "openvino"})
stream = nlp.pipe(["Calm."] * 100, batch_size=2)
next(stream)
# A pipeline that is no longer used, and not yet cleared away.
nlp.itself = nlp
del nlp, stream
child = os.fork()
if not child:
    signal.alarm(60)
    gc.collect()
    if sys.argv[2] == "exit":
        sys.exit()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
FORKS = """
import json, os, sys
import spacy
nlp = spacy.load(sys.argv[1], config={"components.transformer.model.backend": "openvino"})
texts = json.loads(sys.argv[2])
here = [doc.cats["severity"] for doc in nlp.pipe(texts)]
# Forks that inherit what this process has compiled.
there = [doc.cats["severity"] for doc in nlp.pipe(texts, n_process=2, batch_size=3)]
print(json.dumps([here, there]))
"""

SENDS = """
import json, sys
from openvino_telemetry.utils.sender import TelemetrySender
sent = []
TelemetrySender.send = lambda self, *message: sent.append(message)
if sys.argv[1] == "imported before":
    import openvino
n_before = len(sent)
from transformers import BertConfig, BertModel
from spacy_bertreg.layers.openvino_encoder import OpenVinoEncoder
sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
bert = BertModel(BertConfig(vocab_size=9, intermediate_size=16, **sizes))
names = ["input_ids", "attention_mask"]
OpenVinoEncoder().prepare(bert.eval(), names, None, required=True)
print(json.dumps([n_before, len(sent)]))
"""


def run(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
        check=True,
    ).stdout.splitlines()[-1]


@needs_openvino
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forks_compile_their_own(trained):
    here, there = json.loads(run(FORKS, trained[0], json.dumps(TEXTS)))
    np.testing.assert_allclose(there, here, atol=1e-4)


@needs_openvino
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("end", ["exit", "at once"])
def test_forks_do_not_take_apart_what_their_parent_compiled(trained, end):
    """It would wait for threads that are not there, or crash."""
    assert run(DISCARDED, trained[0], end) == "0"


@needs_openvino
def test_nothing_is_reported(tmp_path):
    """Nor written to the user's home, where OpenVINO's telemetry keeps an identity."""
    ask = {"HOME": str(tmp_path), "CI": "", "TF_BUILD": "", "JENKINS_URL": ""}
    assert json.loads(run(SENDS, "imported by us", **ask)) == [0, 0]
    assert not (tmp_path / "intel").exists()
    # An import that is not ours reports itself, and ours adds nothing to that.
    n_before, n_after = json.loads(run(SENDS, "imported before", **ask))
    assert n_before > 0
    assert (tmp_path / "intel").exists()
    assert n_after == n_before
