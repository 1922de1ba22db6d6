"""Train many models, and keep the result of each on disk, so that a run that was killed goes on.

FOLDER/settings.json says what the run is. FOLDER/NAME.json is the result of a training that is
done, and FOLDER/NAME.model its pipeline, if that is to be kept. FOLDER/NAME holds a training that
is under way: its documents and pipelines, which are deleted when the result is there. A pipeline
that other trainings read is kept until these are done.
"""

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .jobs import Job, train_all

SETTINGS = "settings.json"


def train_resumably(
    jobs: Sequence[Job],
    finish: Callable[[Job, Path], Any],
    folder: Path,
    settings: Mapping[str, Any],
    *,
    known: Mapping[str, Any] | None = None,
    keep_models: bool = False,
    gpu_id: int = -1,
    code: Path | None = None,
    engine: str = "local",
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train models silently, and keep a result of each.

    jobs (Sequence[Job]): The trainings, with different names. One that needs the pipeline of
        another, as `kept_model` names it, comes behind that.
    finish (Callable): Gets a job and its model-best, and returns what JSON can hold.
    folder (Path): Folder of the results: new, empty, or of a run that was killed.
    settings (Mapping[str, Any]): All that the results depend on.
    known (Mapping[str, Any] | None): Results by the jobs' names that are there already. A training
        whose pipeline is needed, and is not there, is done again.
    keep_models (bool): Whether each model-best is kept, as `kept_model` names it, until `clear`.
        Trainings that an earlier run finished without keeping theirs are done again.
    gpu_id (int), code (Path | None), engine (str): See `train_all`.
    on_progress (Callable | None): Gets a line about each training when it begins.
    RETURNS (dict[str, Any]): By the jobs' names, what `finish` returned, as read from JSON.
    RAISES (ValueError): A training failed, or the folder holds other files or a run with other
        settings.
    """
    _begin(folder, settings, jobs)
    done = dict(known or {}) | {
        job.name: _read_json(folder / f"{job.name}.json")
        for job in jobs
        if (folder / f"{job.name}.json").is_file()
        and (not keep_models or kept_model(folder, job.name).is_dir())
    }
    # Those that are needed by what they need, too, as these come first.
    for job in reversed(jobs):
        for name in job.needs if job.name not in done else ():
            if not kept_model(folder, name).is_dir():
                done.pop(name, None)
    needed = {name for job in jobs if job.name not in done for name in job.needs}
    tell = on_progress or (lambda line: None)
    if done:
        tell(f"continuing after {len(done)} of {len(jobs)} trainings")

    title = ""

    def announce() -> Iterator[Job | None]:
        nonlocal title
        waiting = [(n, job) for n, job in enumerate(jobs, start=1) if job.name not in done]
        while waiting:
            ready = next((pair for pair in waiting if done.keys() >= set(pair[1].needs)), None)
            if ready is None:
                yield None
                continue
            waiting.remove(ready)
            number, job = ready
            title = f"training {number} of {len(jobs)}: {job.title or job.name}"
            tell(title)
            # As one without its model: the result must be that of the model that is kept.
            (folder / f"{job.name}.json").unlink(missing_ok=True)
            shutil.rmtree(kept_model(folder, job.name), ignore_errors=True)
            yield job

    trainings = train_all(announce(), folder, gpu_id=gpu_id, code=code, engine=engine, silent=True)
    try:
        for job, trained in trainings:
            result = finish(job, trained / "model-best")
            if keep_models or job.name in needed:
                (trained / "model-best").rename(kept_model(folder, job.name))
            _write_json(folder / f"{job.name}.json", result)
            done[job.name] = _read_json(folder / f"{job.name}.json")
            shutil.rmtree(trained)
            if not keep_models:
                still = {name for other in jobs if other.name not in done for name in other.needs}
                for name in set(job.needs) - still:
                    _delete_model(folder, name)
            # Pipelines refer to themselves: without this, several would be in memory.
            gc.collect()
    except Exception as error:  # spaCy's, torch's, and of the user's own functions
        if not any((folder / f"{job.name}.json").is_file() for job in jobs):
            clear(folder)
        where = title if engine == "local" else "A training"
        raise ValueError(
            f"{where} failed: {error}\n{len(done)} of {len(jobs)} trainings are done, and kept."
        ) from error
    return done


def kept_model(folder: Path, name: str) -> Path:
    """Name the folder of a pipeline that `train_resumably` keeps for a job."""
    return folder / f"{name}.model"


def _delete_model(folder: Path, name: str) -> None:
    """Delete a kept pipeline; if we are killed, no half of one looks like a pipeline."""
    shutil.rmtree(folder / name, ignore_errors=True)
    kept_model(folder, name).rename(folder / name)
    shutil.rmtree(folder / name)


def is_ours(folder: Path) -> bool:
    """Tell whether a run has begun in a folder."""
    return (folder / SETTINGS).is_file()


def holds_run(folder: Path, settings: Mapping[str, Any]) -> bool:
    """Tell whether a run with these settings has begun in a folder."""
    return is_ours(folder) and not describe_changes(_read_settings(folder)["settings"], settings)


def clear(folder: Path) -> None:
    """Delete what a run has left in a folder, and the folder if nothing else is in it."""
    if is_ours(folder):
        for name in _read_settings(folder)["jobs"]:
            (folder / f"{name}.json").unlink(missing_ok=True)
            (folder / f"{name}.json.new").unlink(missing_ok=True)
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.rmtree(kept_model(folder, name), ignore_errors=True)
        (folder / SETTINGS).unlink()
    (folder / f"{SETTINGS}.new").unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _begin(folder: Path, settings: Mapping[str, Any], jobs: Sequence[Job]) -> None:
    """Write the run's settings, or check that the folder's run has the same."""
    if not is_ours(folder):
        found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if found - {f"{SETTINGS}.new"}:
            raise ValueError(
                f"{folder} holds other files: it has no {SETTINGS}, which a stopped run leaves. "
                "Expected a new or empty folder."
            )
        folder.mkdir(parents=True, exist_ok=True)
        names = [job.name for job in jobs]
        _write_json(folder / SETTINGS, {"settings": settings, "jobs": names})
        return
    before = _read_settings(folder)
    changes = describe_changes(before["settings"], settings)
    if changes and not any((folder / f"{name}.json").is_file() for name in before["jobs"]):
        # Nothing is lost.
        clear(folder)
        _begin(folder, settings, jobs)
    elif changes:
        raise ValueError(
            f"{folder} is from a stopped run with other settings: {changes}. Expected the same "
            "settings, to continue it, or --overwrite, to start again."
        )


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say which settings differ. RETURNS (str): Empty if none does."""
    now = json.loads(json.dumps(now))
    differing = [name for name in {**now, **before} if now.get(name) != before.get(name)]
    return "; ".join(
        f"{name} was {before.get(name)!r}, and is {now.get(name)!r}" for name in differing
    )


def _read_settings(folder: Path) -> dict[str, Any]:
    found = _read_json(folder / SETTINGS)
    try:
        names = found["jobs"]
        if not isinstance(found["settings"], dict) or any(
            Path(name).name != name or name in ("", "..") for name in names
        ):
            raise ValueError("it names files that are not in this folder")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / SETTINGS} is not what a run writes: {error!r}.") from error
    return found


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Can't read {path}: {error}. --overwrite starts the run again."
        ) from error


def _write_json(path: Path, content: Any) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file_:
        json.dump(content, file_)
        file_.flush()
        os.fsync(file_.fileno())
    new.replace(path)
