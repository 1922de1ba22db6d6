"""Scored in one process, in several, or on Ray: the same rows, and the same bytes."""

import json
import logging
import os
import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from conftest import train

from spacy_bertreg.scoring.score import score_file


@pytest.fixture(scope="module")
def ray_on_this_machine():
    ray = pytest.importorskip("ray")
    # Else workers have a low priority, and stand still beside other tests.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(num_cpus=2, include_dashboard=False, **options)
    yield
    ray.shutdown()


@pytest.fixture
def many(table, tmp_path):
    rows = pd.concat([table] * 4, ignore_index=True)
    rows.to_csv(tmp_path / "in.csv", index=False)
    with (tmp_path / "in.csv").open("a") as file_:
        file_.write("one,too,many,fields\n")
    return tmp_path / "in.csv"


def test_several_processes(pipeline, many, tmp_path):
    options = {"batch_size": 16, "id_column": "id"}
    one = score_file(pipeline, many, tmp_path / "one.csv", **options)
    two = score_file(pipeline, many, tmp_path / "two.csv", n_process=2, **options)
    assert (one.rows, one.scored, one.rejected) == (two.rows, two.scored, two.rejected)
    assert one.rejected == 1
    for ending in ("csv", "csv.errors.jsonl"):
        a, b = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
        assert a == b


def test_a_transformer_in_several_processes(make_bert, make_examples, many, tmp_path):
    """Whose threads are fewer, so that its numbers may be rounded otherwise. Two run
    OpenVINO, where it is installed."""
    nlp = make_bert()
    examples = make_examples(nlp, 16)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    nlp.to_disk(tmp_path / "bert")
    for n, backend in ((1, "torch"), (2, "openvino" if find_spec("openvino") else "torch")):
        options = {"batch_size": 64, "n_process": n, "precision": "float32", "backend": backend}
        score_file(tmp_path / "bert", many, tmp_path / f"{n}.csv", **options)
    one, two = (pd.read_csv(tmp_path / f"{n}.csv")["severity_predicted"] for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-4)
    texts = pd.read_csv(many, on_bad_lines="skip")["text"][:50].fillna("")
    expected = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    np.testing.assert_allclose(one[:50], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_the_same(ray_on_this_machine, pipeline, covariate_pipeline, many, tmp_path):
    options = {"batch_size": 16, "id_column": "id"}
    given = pd.read_csv(many, on_bad_lines="skip").assign(deaths=range(200))
    given.loc[5, "deaths"] = None
    given.to_parquet(tmp_path / "given.parquet")
    for engine in ("local", "ray"):
        settings = {"engine": engine, **options}
        score_file(pipeline, many, tmp_path / f"{engine}.csv", n_process=2, **settings)
        score_file(
            covariate_pipeline,
            tmp_path / "given.parquet",
            tmp_path / f"{engine}.parquet",
            **settings,
        )
    for ending in ("csv", "csv.errors.jsonl", "parquet"):
        a, b = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("local", "ray"))
        assert a == b


def test_without_ray_an_error_names_the_extra(pipeline, many, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "spacy_bertreg.scoring.ray_engine", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[ray\]'"):
        score_file(pipeline, many, tmp_path / "out.csv", engine="ray")
    with pytest.raises(ValueError, match="engine is 'dask' in the job. Expected one of 'local'"):
        score_file(pipeline, many, tmp_path / "out.csv", engine="dask")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("engine", "n"), [("local", 100_000), ("ray", 50_000)])
def test_very_many_documents(pipeline, tmp_path, request, engine, n):
    """In memory that does not grow, and none is lost."""
    if engine == "ray":
        request.getfixturevalue("ray_on_this_machine")
    psutil = pytest.importorskip("psutil")
    rng = np.random.default_rng(0)
    # New words all the time, which spaCy would keep.
    numbers = rng.integers(0, 10**9, size=n).astype(str)
    texts = [f"Shelling killed w{number} near x{number}." for number in numbers]
    table = pd.DataFrame({"id": range(n), "text": texts})
    table.to_csv(tmp_path / "in.csv", index=False)
    content = (tmp_path / "in.csv").read_text().splitlines()
    content[1000::1000] = [f"{line},more" for line in content[1000::1000]]
    (tmp_path / "in.csv").write_text("\n".join(content) + "\n")
    seen: list[tuple[int, float]] = []

    def watch(progress, share) -> None:
        seen.append((progress.rows, psutil.Process().memory_info().rss / 1e6))

    options = {"engine": engine, "on_progress": watch, "batch_size": 1000}
    summary = score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert (summary.rows, summary.scored, summary.rejected) == (n, n - n // 1000, n // 1000)
    found = pd.read_csv(tmp_path / "out.csv")
    lines = summary.errors.read_text().splitlines()
    rejected = [json.loads(line)["row"] - 1 for line in lines]
    assert sorted([*found["id"], *rejected]) == list(range(n))
    early = max(mb for rows, mb in seen if rows <= n // 4)
    late = max(mb for rows, mb in seen)
    assert late - early < 50, seen
