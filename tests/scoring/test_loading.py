"""Pipelines with something wrong: an error that says which file, and no code is run."""

import contextlib
import os
import pickle
import shutil

import pytest

from spacy_bertreg.layers import backends
from spacy_bertreg.scoring.loading import load_pipeline
from spacy_bertreg.scoring.score import score_file


class Malicious:
    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def bert(make_bert, make_examples, tmp_path):
    """A pipeline with a transformer, on disk."""
    nlp = make_bert()
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "bert")
    return tmp_path / "bert"


def test_truncated_weights_are_named(bert):
    for name in ("transformer", "text_regressor"):
        path = bert / name / "model"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=f"{name}/model is truncated or damaged"):
            load_pipeline(bert)
        path.write_bytes(whole)
    load_pipeline(bert)


def test_every_missing_file_is_named(bert):
    for path in sorted(bert.rglob("*")):
        # Of an empty vocabulary, spaCy needs none of these.
        if path.is_dir() or path.parent.name == "vocab":
            continue
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ValueError, match=f"{path.name} is missing"):
            load_pipeline(bert)
        path.write_bytes(content)
    shutil.rmtree(bert / "transformer")
    with pytest.raises(ValueError, match="transformer is missing"):
        load_pipeline(bert)


def test_a_config_of_another_pipeline_is_named(bert, pipeline):
    shutil.copy(pipeline / "config.cfg", bert / "config.cfg")
    with pytest.raises(ValueError, match="text_regressor does not fit config.cfg"):
        load_pipeline(bert)


def test_damaged_texts_are_named(pipeline):
    for name in ("config.cfg", "meta.json"):
        content = (pipeline / name).read_text()
        (pipeline / name).write_text(content[: len(content) // 2] + "\n[")
        with pytest.raises(ValueError, match=name):
            load_pipeline(pipeline)
        (pipeline / name).write_text(content)


def test_a_backend_is_checked(bert, pipeline, monkeypatch):
    with pytest.raises(ValueError, match=r"backend -> .*'onnx' is not|backend.*'onnx' is not"):
        load_pipeline(bert, backend="onnx")
    with pytest.raises(ValueError, match="backend is 'auto', but .* Expected no backend"):
        load_pipeline(pipeline, backend="auto")
    # One that was saved before there were backends.
    config = bert / "config.cfg"
    config.write_text(config.read_text().replace('backend = "torch"\n', ""))
    loaded = load_pipeline(bert, "bfloat16", "auto").config["components"]["transformer"]["model"]
    assert (loaded["precision"], loaded["backend"]) == ("bfloat16", "auto")
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"backend is 'openvino'.*'spacy-bertreg\[openvino\]'"):
        load_pipeline(bert, backend="openvino")


def test_there_is_no_such_pipeline():
    with pytest.raises(ValueError, match="There is no pipeline 'en_none'. Expected the folder"):
        load_pipeline("en_none")


@pytest.mark.parametrize("where", ["bert", "pipeline", "dictionary"])
def test_loading_never_unpickles(request, where, tmp_path):
    """A pickle in the place of each file, and inside each binary one."""
    folder = request.getfixturevalue(where)
    mark = tmp_path / "executed"
    payload = pickle.dumps(Malicious(mark))
    pickle.loads(payload)  # noqa: S301 - it does what it says
    assert mark.exists()
    mark.unlink()
    for path in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
        content = path.read_bytes()
        for planted in (payload, payload + content):
            path.write_bytes(planted)
            with contextlib.suppress(ValueError):
                load_pipeline(folder)
            assert not mark.exists(), path
        path.write_bytes(content)


@pytest.fixture
def dictionary(make_examples, tmp_path):
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 100)
    nlp.get_pipe("dictionary_regressor").initialize(lambda: examples, nlp=nlp, learn="elastic_net")
    nlp.to_disk(tmp_path / "dictionary")
    return tmp_path / "dictionary"


def test_weights_that_are_a_pickle_are_not_read(bert, tmp_path):
    """torch's own format is a zip file with a pickle in it."""
    import srsly
    import torch

    mark = tmp_path / "executed"
    torch.save(Malicious(mark), tmp_path / "weights.pt")
    path = bert / "transformer" / "model"
    message = srsly.msgpack_loads(path.read_bytes())
    shims = [shim for node in message["shims"] for shim in node]
    (place,) = [i for i, shim in enumerate(message["shims"]) if shim]
    shim = srsly.msgpack_loads(shims[0])
    shim["state"] = (tmp_path / "weights.pt").read_bytes()
    message["shims"][place][0] = srsly.msgpack_dumps(shim)
    path.write_bytes(srsly.msgpack_dumps(message))
    with pytest.raises(ValueError, match="transformer does not fit config.cfg, or is damaged"):
        load_pipeline(bert)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["in.csv", "in.csv.gz", "in.jsonl", "in.parquet"])
def test_tables_and_checkpoints_are_not_unpickled(pipeline, tmp_path, name):
    mark = tmp_path / "executed"
    payload = pickle.dumps(Malicious(mark))
    (tmp_path / name).write_bytes(payload)
    with contextlib.suppress(ValueError):
        score_file(pipeline, tmp_path / name, tmp_path / "out.csv")
    (tmp_path / "good.csv").write_text("text\nQuiet.\n")
    (tmp_path / "new.csv.partial").mkdir()
    for file_ in ("checkpoint.json", "rows", "errors.jsonl"):
        (tmp_path / "new.csv.partial" / file_).write_bytes(payload)
    with pytest.raises(ValueError, match="Can't read .*checkpoint.json"):
        score_file(pipeline, tmp_path / "good.csv", tmp_path / "new.csv")
    assert not mark.exists()
