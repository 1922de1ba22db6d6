"""A job that was stopped loses nothing, and ends in the same bytes."""

import functools
import json
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path

import pytest
from forks import run_in_fork

from spacy_bertreg.scoring import checkpoint, score, writer
from spacy_bertreg.scoring.score import score_file

TEXTS = ["Shelling killed ten.", "Quiet.", "", "Talks went on;\nnobody died.", "A calm month."]


def write(path: Path, n: int) -> None:
    rows = [f'{i},"{TEXTS[i % len(TEXTS)]} {i}"' for i in range(n)]
    # Some that can't be scored, so that both files have to be the same.
    rows[7::50] = [f"{row},one too many" for row in rows[7::50]]
    path.write_text("\n".join(["id,text", *rows]) + "\n")


class Killed(BaseException):
    pass


@pytest.mark.parametrize("kind", ["csv", "jsonl.gz", "parquet"])
def test_stopped_anywhere_the_bytes_are_the_same(pipeline, tmp_path, monkeypatch, kind):
    """Whenever something is made sure to be on disk, or gets its name."""
    write(tmp_path / "in.csv", 60)
    options = {"batch_size": 16, "id_column": "id"}
    # It takes longer than all the rest.
    monkeypatch.setattr(score, "load_predictor", functools.cache(score.load_predictor))
    calm = tmp_path / "calm" / f"out.{kind}"
    score_file(pipeline, tmp_path / "in.csv", calm, **options)
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    resumed = set()
    fsync, replace = os.fsync, Path.replace
    for after in range(1, 200):
        left = after

        def step() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        def counted_fsync(number: int) -> None:
            step()
            fsync(number)

        def counted_replace(self: Path, target: Path) -> Path:
            step()
            return replace(self, target)

        target = tmp_path / str(after) / f"out.{kind}"
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", counted_fsync)
            patch.setattr(Path, "replace", counted_replace)
            try:
                score_file(pipeline, tmp_path / "in.csv", target, **options)
                break
            except Killed:
                pass
        summary = score_file(pipeline, tmp_path / "in.csv", target, **options)
        resumed.add(summary.resumed_after)
        assert summary.rows == 60
        assert summary.rejected == 2
        for path in calm.parent.iterdir():
            assert (target.parent / path.name).read_bytes() == path.read_bytes()
        assert len(list(target.parent.iterdir())) == 2
    assert after > 10
    assert resumed == {0, 16, 32, 48, 60}


def job(pipeline: Path, folder: Path, output: str) -> None:
    os.chdir(folder)
    writer.SECONDS_BETWEEN_CHECKPOINTS = 0.05
    score_file(pipeline, "in.csv", output, id_column="id", batch_size=64)


@pytest.fixture
def start(pipeline, tmp_path):
    """Starts a job in a fork: it has the packages imported already."""
    processes = multiprocessing.get_context("fork")
    started = []

    def start(output: str) -> multiprocessing.process.BaseProcess:
        process = processes.Process(target=job, args=(pipeline, tmp_path, output))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def is_done(process: multiprocessing.process.BaseProcess) -> bool:
    process.join()
    return process.exitcode == 0


def written(state: Path) -> int:
    """Return when the checkpoint was written, or 0."""
    try:
        return state.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_killed_at_twenty_random_moments_the_bytes_are_the_same(start, tmp_path):
    write(tmp_path / "in.csv", 30_000)
    assert is_done(start("calm.csv"))
    state = tmp_path / "out.csv.partial" / "checkpoint.json"
    moments = random.Random(0)  # noqa: S311
    killed = 0
    for _ in range(60):
        process, before = start("out.csv"), written(state)
        # Until it has begun to write, or goes on.
        while process.is_alive() and written(state) == before:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.4))
        process.kill()
        killed += not is_done(process)
        if killed == 20:
            break
        if not state.parent.exists():  # it was done
            (tmp_path / "out.csv").unlink(missing_ok=True)
    assert killed == 20
    if state.parent.exists():
        assert is_done(start("out.csv"))
    for name in ("csv", "csv.errors.jsonl"):
        assert (tmp_path / f"out.{name}").read_bytes() == (tmp_path / f"calm.{name}").read_bytes()
    assert not state.parent.exists()


@pytest.mark.slow
def test_a_second_process_on_one_output_refuses(start, pipeline, tmp_path):
    write(tmp_path / "in.csv", 30_000)
    process = start("out.csv")
    while process.is_alive() and not written(tmp_path / "out.csv.partial" / "checkpoint.json"):
        time.sleep(0.01)
    with pytest.raises(ValueError, match="Another job is writing .*out.csv"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", overwrite=True)
    process.kill()
    assert not is_done(process)
    # Whoever is killed holds no lock.
    options = {"id_column": "id", "batch_size": 64}
    summary = score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert summary.rows == 30_000
    assert summary.resumed_after > 0


LIMITED = """
import resource, sys
from spacy_bertreg.scoring import writer
from spacy_bertreg.scoring.score import score_file
writer.SECONDS_BETWEEN_CHECKPOINTS = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
try:
    print(score_file(*sys.argv[2:5], batch_size=16).rows)
except OSError as error:
    print("OSError:", error)
"""


def test_a_full_disk_leaves_a_message_and_what_was_done(pipeline, tmp_path):
    write(tmp_path / "in.csv", 500)
    score_file(pipeline, tmp_path / "in.csv", tmp_path / "calm.csv", batch_size=16)
    size = (tmp_path / "calm.csv").stat().st_size
    (tmp_path / "limited.py").write_text(LIMITED)

    def run(limit: int) -> str:
        words = ["limited.py", str(limit), str(pipeline), "in.csv", "out.csv"]
        result = run_in_fork([sys.executable, *words], cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    message = run(size // 2)
    assert "OSError: The disk is full: File too large (out.csv.partial)" in message
    assert "give the same command again" in message
    assert not (tmp_path / "out.csv").exists()
    state = json.loads((tmp_path / "out.csv.partial" / "checkpoint.json").read_text())
    assert 0 < state["progress"]["rows"] < 500
    assert run(10**9).strip() == "500"
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "calm.csv").read_bytes()


def test_two_jobs_on_one_output_refuse(pipeline, tmp_path):
    write(tmp_path / "in.csv", 20)
    seen = []

    def second(*progress: object) -> None:
        with pytest.raises(ValueError, match="Another job is writing .*out.csv"):
            score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv")
        seen.append(progress)

    score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", on_progress=second)
    assert seen


@pytest.fixture
def stopped(pipeline, tmp_path, monkeypatch):
    """A job that was stopped after some rows."""
    write(tmp_path / "in.csv", 200)
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def stop(progress: checkpoint.Progress, share: float) -> None:
        if progress.rows == 96:
            raise Killed

    with pytest.raises(Killed):
        score_file(
            pipeline, tmp_path / "in.csv", tmp_path / "out.csv", batch_size=16, on_progress=stop
        )
    return tmp_path


def test_other_input_pipeline_or_settings_are_not_mixed(stopped, pipeline):
    source, target = stopped / "in.csv", stopped / "out.csv"

    def refuses(match: str, **options: object) -> None:
        with pytest.raises(ValueError, match=match):
            score_file(pipeline, source, target, **{"batch_size": 16, **options})
        assert not target.exists()

    refuses("stopped after 96 rows.* batch_size was 16, and is 32", batch_size=32)
    refuses("limit of the input was None, and is 150", limit=150)
    refuses("n_process was 1, and is 2", n_process=2)
    (stopped / "code.py").write_text("")
    refuses("the code's content .* was None, and is 'e3b0c", code=stopped / "code.py")
    content = source.read_text()
    source.write_text(content.replace("Quiet", "Noisy", 1))
    refuses("the input's content .* was ")
    source.write_text(content)
    config = pipeline / "meta.json"
    meta = config.read_text()
    config.write_text(meta.replace("spaCy", "spacy") + " ")
    refuses("the pipeline's content")
    config.write_text(meta)
    state = stopped / "out.csv.partial" / "checkpoint.json"
    whole = state.read_text()
    state.write_text(whole[:50])
    refuses("Can't read .*checkpoint.json.*--overwrite")
    state.write_text(whole)
    assert score_file(pipeline, source, target, batch_size=16).resumed_after == 96


def test_overwrite_begins_anew(stopped, pipeline):
    source, target = stopped / "in.csv", stopped / "out.csv"
    assert score_file(pipeline, source, target, batch_size=32, overwrite=True).resumed_after == 0


def test_what_others_put_there_stays(stopped, pipeline):
    source, target = stopped / "in.csv", stopped / "out.csv"
    partial = stopped / "out.csv.partial"
    (partial / "notes.txt").write_text("mine")
    score_file(pipeline, source, target, batch_size=16)
    assert [path.name for path in partial.iterdir()] == ["notes.txt"]
    content = target.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="out.csv.partial is not from a stopped job"):
            score_file(pipeline, source, target, overwrite=overwrite)
    (partial / "rows").write_text("mine, too")
    with pytest.raises(ValueError, match="out.csv.partial is not from a stopped job"):
        score_file(pipeline, source, target, overwrite=True)
    assert (partial / "rows").read_text() == "mine, too"
    assert target.read_bytes() == content


def test_parts_of_others_stay(pipeline, tmp_path, monkeypatch):
    write(tmp_path / "in.csv", 64)
    monkeypatch.setattr(writer, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)

    def stop(progress: checkpoint.Progress, share: float) -> None:
        raise Killed

    options = {"batch_size": 16}
    with pytest.raises(Killed):
        score_file(
            pipeline, tmp_path / "in.csv", tmp_path / "a.parquet", on_progress=stop, **options
        )
    parts = tmp_path / "a.parquet.partial" / "parts"
    for name in ("notes.txt", "mine.parquet"):
        (parts / name).write_text("mine")
    score_file(pipeline, tmp_path / "in.csv", tmp_path / "a.parquet", **options)
    found = sorted(p.name for p in parts.parent.rglob("*"))
    assert found == ["mine.parquet", "notes.txt", "parts"]


@pytest.mark.parametrize("name", ["out.csv", "out.csv.errors.jsonl"])
def test_outputs_that_are_something_else(pipeline, tmp_path, name):
    write(tmp_path / "in.csv", 5)
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name} is a folder. Expected a file"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", overwrite=True)
    (tmp_path / name).rmdir()
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name} is there already. Expected --overwrite"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / name).read_text() == "mine"


def test_input_that_changes_while_it_is_read_is_noticed(pipeline, tmp_path):
    write(tmp_path / "in.csv", 100)

    def change(progress: checkpoint.Progress, share: float) -> None:
        with (tmp_path / "in.csv").open("a") as file_:
            file_.write("1,one more\n")

    options = {"batch_size": 16, "on_progress": change}
    content = (tmp_path / "in.csv").read_text()
    with pytest.raises(ValueError, match="in.csv was changed while it was read"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert not (tmp_path / "out.csv").exists()
    # As it was, it is not taken for what was read.
    (tmp_path / "in.csv").write_text(content)
    summary = score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", batch_size=16)
    assert (summary.rows, summary.resumed_after) == (100, 0)
