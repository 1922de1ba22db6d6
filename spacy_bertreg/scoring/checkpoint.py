"""What a job leaves behind until it is whole, and by which it goes on."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


@dataclass
class Progress:
    """How far a job has come.

    chunks, rows, scored, rejected, empty (int): Numbers so far; `rows` is the sum of the next two,
        and `empty` those of the scored whose text is empty or white space.
    rows_state (int | None): Of the sink. errors_bytes (int): Of the file of rejected rows.
    is_whole (bool): Whether all has been written, and only names have to be given.
    """

    chunks: int = 0
    rows: int = 0
    scored: int = 0
    rejected: int = 0
    empty: int = 0
    rows_state: int | None = None
    errors_bytes: int = 0
    is_whole: bool = False


class Checkpoint:
    """The folder OUTPUT.partial.

    folder (Path): It. errors (Path): File of the rejected rows.
    """

    def __init__(self, output: Path) -> None:
        """output (Path): The job's output."""
        self._output = output
        self.folder = output.with_name(f"{output.name}.partial")
        self.errors = self.folder / "errors.jsonl"
        self._state = self.folder / "checkpoint.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """RAISES (ValueError): Another job writes to the same output."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which is deleted in the end; the system unlocks it if we are killed.
        path = self._output.with_name(f".{self._output.name}.lock")
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"Another job is writing {self._output}. Expected one at a time; wait for it, or "
                "name another output."
            ) from error
        try:
            yield
        finally:
            lock.release()
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def load(self, job: Mapping[str, Any]) -> Progress:
        """job (Mapping): What the job is. RETURNS (Progress): How far it had come.
        RAISES (ValueError): What is there is of another job, or damaged."""
        if not self._state.is_file():
            return Progress()
        try:
            data = json.loads(self._state.read_text(encoding="utf-8"))
            before, progress = data["job"], Progress(**data["progress"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Can't read {self._state}: {error}. With --overwrite the job begins anew."
            ) from error
        now = json.loads(json.dumps(job))
        differing = [name for name in {**now, **before} if now.get(name) != before.get(name)]
        if differing:
            changes = "; ".join(
                f"{name} was {before.get(name)!r}, and is {now.get(name)!r}" for name in differing
            )
            raise ValueError(
                f"{self.folder} is of a job that was stopped after {progress.rows:,} rows, and "
                f"this one is not the same: {changes}. Expected the same, to go on with it, or "
                "--overwrite, to begin anew."
            )
        return progress

    def save(self, job: Mapping[str, Any], progress: Progress) -> None:
        """job (Mapping): What the job is. progress (Progress): How far it has come; what it counts
        is on disk."""
        new = self._state.with_name("checkpoint.new")
        with new.open("w", encoding="utf-8") as file_:
            json.dump({"job": job, "progress": asdict(progress)}, file_, indent=2)
            file_.flush()
            os.fsync(file_.fileno())
        new.replace(self._state)

    def clear(self) -> None:
        """Delete what is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
