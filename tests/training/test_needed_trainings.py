"""Trainings that read the pipelines of others: the order, what is kept, and what is done again."""

import json
import shutil
from pathlib import Path

import pytest

from spacy_bertreg.training import resume
from spacy_bertreg.training.jobs import Job
from spacy_bertreg.training.resume import clear, kept_model, train_resumably

SETTINGS = {"k": 1}
# One that needs one that needs one, and another that needs the first.
NEEDS = {"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}
JOBS = [Job(name, Path("x.cfg"), 0, needs=needs) for name, needs in NEEDS.items()]


def train(job, root):
    """Write a pipeline that holds those that it has read."""
    shutil.rmtree(root / job.name, ignore_errors=True)
    read = [(kept_model(root, name) / "text").read_text() for name in job.needs]
    (root / job.name / "model-best").mkdir(parents=True)
    (root / job.name / "model-best" / "text").write_text(f"{job.name}({''.join(read)})")
    return job, root / job.name


def local(jobs, root, **settings):
    for job in jobs:
        yield train(job, root)


def side_by_side(jobs, root, **settings):
    """As on Ray: take two as soon as there is room, and be done with the last first."""
    jobs, running = iter(jobs), []
    while True:
        while len(running) < 2 and (job := next(jobs, None)) is not None:
            running.append(train(job, root))
        if not running:
            return
        yield running.pop()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Train, and say what was trained and which pipelines were there when each was finished."""

    def run(jobs=JOBS, engine=local, stop_at=None, **settings):
        trained, kept = [], []

        def finish(job, pipeline):
            if job.name == stop_at:
                raise KeyboardInterrupt
            trained.append(job.name)
            kept.append(sorted(path.stem for path in tmp_path.glob("*.model")))
            return (pipeline / "text").read_text()

        with monkeypatch.context() as patch:
            patch.setattr(resume, "train_all", engine)
            try:
                results = train_resumably(jobs, finish, tmp_path, SETTINGS, **settings)
            except KeyboardInterrupt:
                return trained
        assert results == {"a": "a()", "b": "b(a())", "c": "c(b(a()))", "d": "d(a())"}
        return trained, kept

    return run


def test_a_pipeline_is_kept_until_nothing_needs_it(run, tmp_path):
    trained, kept = run()
    assert trained == ["a", "b", "c", "d"]
    assert kept == [[], ["a"], ["a", "b"], ["a"]]
    assert not list(tmp_path.glob("*.model"))
    assert json.loads((tmp_path / "c.json").read_text()) == "c(b(a()))"


def test_all_are_kept_on_wish(run, tmp_path):
    run(keep_models=True)
    assert sorted(path.stem for path in tmp_path.glob("*.model")) == ["a", "b", "c", "d"]


def test_side_by_side_each_waits_for_what_it_needs(run, tmp_path):
    trained, _ = run(engine=side_by_side)
    assert trained == ["a", "d", "b", "c"]
    assert not list(tmp_path.glob("*.model"))


def test_a_stopped_run_reads_what_is_there(run, tmp_path):
    assert run(stop_at="c") == ["a", "b"]
    assert sorted(path.stem for path in tmp_path.glob("*.model")) == ["a", "b"]
    assert run()[0] == ["c", "d"]


def test_what_is_needed_and_not_there_is_trained_again(run, tmp_path):
    assert run(stop_at="c") == ["a", "b"]
    for name in ("a", "b"):
        kept_model(tmp_path, name).rename(tmp_path / name)
    assert run()[0] == ["a", "b", "c", "d"]
    # Of results that are known, only those that are needed.
    clear(tmp_path)
    known = {"a": "a()", "b": "b(a())", "c": "c(b(a()))"}
    assert run(known=known)[0] == ["a", "d"]
    clear(tmp_path)
    assert run(known={**known, "d": "d(a())"})[0] == []


def test_a_half_deleted_pipeline_is_none(run, tmp_path, monkeypatch):
    """Killed while a pipeline is deleted that is to be kept when the run goes on."""
    remove = shutil.rmtree

    def kill(path, **settings):
        if (Path(path) / "text").exists() and (tmp_path / "c.json").exists():
            (Path(path) / "text").unlink()
            raise KeyboardInterrupt
        remove(path, **settings)

    monkeypatch.setattr(shutil, "rmtree", kill)
    assert run() == ["a", "b", "c"]
    monkeypatch.undo()
    trained, _ = run(keep_models=True)
    assert trained == ["b", "c", "d"]
    assert (kept_model(tmp_path, "b") / "text").read_text() == "b(a())"
