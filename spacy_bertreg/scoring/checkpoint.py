"""What a job leaves behind until it is whole, and by which it goes on."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .sinks import PART

# What it holds, beside `parts`; last what says whose folder it is.
FILES = ("rows", "whole.parquet", "errors.jsonl", "checkpoint.json", "checkpoint.new")


@dataclass
class Progress:
    """How far a job has come.

    chunks, rows, scored, rejected, empty (int): Numbers so far; `rows` is the sum of the next two,
        and `empty` those of the scored whose text is empty or white space.
    lines (int): Of a CSV or TSV file, that the rows take.
    controls (int): Texts with control characters, as of Windows' quotation marks in latin-1.
    rows_state (int | None): Of the sink. errors_bytes (int): Of the file of rejected rows.
    is_whole (bool): Whether all has been written, and only names have to be given.
    """

    chunks: int = 0
    rows: int = 0
    scored: int = 0
    rejected: int = 0
    empty: int = 0
    lines: int = 0
    controls: int = 0
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
        self._new = self.folder / "checkpoint.new"

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

    def claim(self) -> None:
        """Make the folder, and in it, before anything else, what says whose it is."""
        self.folder.mkdir(exist_ok=True)
        if not self._state.is_file():
            self._new.touch()

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
        with self._new.open("w", encoding="utf-8") as file_:
            json.dump({"job": job, "progress": asdict(progress)}, file_, indent=2)
            file_.flush()
            os.fsync(file_.fileno())
        self._new.replace(self._state)

    def exists(self) -> bool:
        """RETURNS (bool): Whether a job was stopped here.
        RAISES (ValueError): What is there is not of a job."""
        if not self.folder.exists():
            return False
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else {""}
        # A job makes one of these before all else.
        if names and names.isdisjoint({self._state.name, self._new.name}):
            raise ValueError(
                f"{self.folder} is not what a stopped job leaves behind: it has no "
                f"{self._state.name}. Expected no such folder, to keep what is not whole; move it, "
                "or name another output."
            )
        return True

    def clear(self) -> None:
        """Delete what jobs write, and the folder if nothing else is in it.
        RAISES (ValueError): What is there is not of a job."""
        if not self.exists():
            return
        if self._state.is_file():
            # If we are killed in between: it says whose folder it is, and promises no rows.
            self._state.replace(self._new)
        parts = self.folder / "parts"
        for path in parts.iterdir() if parts.is_dir() else ():
            if re.fullmatch(PART, path.name):
                path.unlink()
        with suppress(OSError):
            parts.rmdir()
        for name in FILES:
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
