"""How a stopped job goes on: its checkpoint, in the folder OUTPUT.partial.

While a job runs, what it writes is in files of that folder. Every few seconds it makes sure that
these are on disk, and then saves in `checkpoint.json` what the job is and how far it has come, as
`Progress`. If it is killed, the same command finds the folder and goes on: `load` checks that
input, pipeline and settings are the same, what was written after the checkpoint is cut off
(`restore` in `sinks`), and the first chunk to score is the one after `Progress.chunks`. In the end,
`publish` moves the files to where they belong and deletes the folder.
"""

import json
import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.files import locked
from .sinks import PART

# All files but the parts of a Parquet file. Last the one that shows whose folder it is.
FILES = ("rows", "whole.parquet", "errors.jsonl", "checkpoint.json", "checkpoint.new")


@dataclass
class Progress:
    """How far a job has come.

    chunks (int): Chunks done.
    rows (int): Rows done, the sum of `scored` and `rejected`.
    scored (int): Rows with predictions.
    rejected (int): Rows that can't be scored.
    empty (int): Scored rows whose text is empty or white space.
    lines (int): Lines of a CSV or TSV file that the rows take.
    controls (int): Texts with control characters, as of Windows' quotation marks in latin-1.
    committed (int | None): What the sink's `commit` returned; None before the first.
    errors_size (int): Size of the file of rejected rows, in bytes.
    is_complete (bool): Whether all is written, so that only `publish` is left to do.
    """

    chunks: int = 0
    rows: int = 0
    scored: int = 0
    rejected: int = 0
    empty: int = 0
    lines: int = 0
    controls: int = 0
    committed: int | None = None
    errors_size: int = 0
    is_complete: bool = False


class Checkpoint:
    """The folder OUTPUT.partial.

    output (Path): The job's output.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.folder = output.with_name(f"{output.name}.partial")
        self.errors = self.folder / "errors.jsonl"
        self._saved = self.folder / "checkpoint.json"
        self._new = self.folder / "checkpoint.new"

    def lock(self) -> AbstractContextManager[None]:
        """Keep other jobs from writing the same output, see `locked`."""
        return locked(self._output)

    def exists(self) -> bool:
        """Tell whether a job was stopped here.

        RAISES (ValueError): The folder is there, but no job has made it.
        """
        if not self.folder.exists():
            return False
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else {""}
        # `create` makes one of these before all else.
        if names and names.isdisjoint({self._saved.name, self._new.name}):
            raise ValueError(
                f"{self.folder} is not from a stopped job: it has no {self._saved.name}. "
                "Expected no such folder: move it, or name another output."
            )
        return True

    def create(self) -> None:
        """Make the folder, and in it, before anything else, the file by which `exists` knows it."""
        self.folder.mkdir(exist_ok=True)
        if not self._saved.is_file():
            self._new.touch()

    def load(self, job: Mapping[str, Any]) -> Progress:
        """Read how far a job had come.

        job (Mapping): All that its output depends on.
        RETURNS (Progress): As saved last; zeros for a new job.
        RAISES (ValueError): The checkpoint is of another job, or damaged.
        """
        if not self._saved.is_file():
            return Progress()
        try:
            data = json.loads(self._saved.read_text(encoding="utf-8"))
            before, progress = data["job"], Progress(**data["progress"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Can't read {self._saved}: {error}. --overwrite starts the job again."
            ) from error
        now = json.loads(json.dumps(job))
        differing = [name for name in {**now, **before} if now.get(name) != before.get(name)]
        if differing:
            changes = "; ".join(
                f"{name} was {before.get(name)!r}, and is {now.get(name)!r}" for name in differing
            )
            raise ValueError(
                f"{self.folder} is from a job that was stopped after {progress.rows:,} rows, and "
                f"had other settings: {changes}. Expected the same settings, to continue it, or "
                "--overwrite, to start again."
            )
        return progress

    def save(self, job: Mapping[str, Any], progress: Progress) -> None:
        """Save how far a job has come; all that `progress` counts must be on disk."""
        with self._new.open("w", encoding="utf-8") as file_:
            json.dump({"job": job, "progress": asdict(progress)}, file_, indent=2)
            file_.flush()
            os.fsync(file_.fileno())
        self._new.replace(self._saved)

    def publish(self, progress: Progress, errors: Path) -> None:
        """Move the complete files to where they belong, and delete the folder. Called again, it
        goes on from where it was stopped.

        progress (Progress): Of the complete job.
        errors (Path): Where the rejected rows belong, if there are any.
        """
        if self.errors.exists():
            if progress.rejected:
                self.errors.replace(errors)
            else:
                errors.unlink(missing_ok=True)
        for name in ("rows", "whole.parquet"):
            if (self.folder / name).exists():
                (self.folder / name).replace(self._output)
        self.clear()

    def clear(self) -> None:
        """Delete the files of jobs, and the folder if nothing else is in it.

        RAISES (ValueError): The folder is there, but no job has made it.
        """
        if not self.exists():
            return
        if self._saved.is_file():
            # If we are killed in between: it shows whose folder it is, and promises no rows.
            self._saved.replace(self._new)
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
