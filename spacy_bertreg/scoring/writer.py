"""Writing the predictions of a job, so that it can go on from its last checkpoint."""

import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from .checkpoint import Checkpoint, Progress
from .chunks import Chunk, Reject
from .engines import PredictedChunk
from .predictor import PredictedRows
from .sinks import Sink

SECONDS_BETWEEN_CHECKPOINTS = 5.0

# Gets the progress, and the share of the input that has been read.
OnProgress = Callable[[Progress, float], None]


@dataclass(frozen=True)
class Writer:
    """Writes predicted chunks, and saves checkpoints.

    job (Mapping): All that the output depends on.
    checkpoint (Checkpoint): Where to save how far the job has come.
    progress (Progress): How far it has come, kept up to date.
    sink (Sink): Where the rows go.
    strict (bool): Whether to stop at a row that can't be scored.
    """

    job: Mapping[str, Any]
    checkpoint: Checkpoint
    progress: Progress
    sink: Sink
    strict: bool

    def write(
        self, chunks: Iterable[PredictedChunk], size: int, on_progress: OnProgress | None
    ) -> None:
        """Write what is left of a job.

        chunks (Iterable[PredictedChunk]): The chunks after those that `progress` counts.
        size (int): Size of the input, in bytes.
        on_progress (Callable | None): Called after each chunk.
        RAISES (OSError): The disk is full.
        """
        saved = time.monotonic()
        try:
            with self.checkpoint.errors.open("ab") as errors, closing(self.sink):
                errors.truncate(self.progress.errors_size)
                self.sink.restore(self.progress.committed)
                for chunk, predicted in chunks:
                    self._write_chunk(chunk, predicted, errors)
                    if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                        self._save(errors)
                        saved = time.monotonic()
                    if on_progress is not None:
                        on_progress(self.progress, chunk.position / max(size, 1))
                self._save(errors)
                self.sink.finish()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise OSError(
                f"The disk is full: {error.strerror} ({self.checkpoint.folder}). What has been "
                "scored is kept; make room, and give the same command again."
            ) from error

    def _write_chunk(self, chunk: Chunk, predicted: PredictedRows, errors: BinaryIO) -> None:
        failed = predicted.failed
        rejects = chunk.rejects + [
            Reject(chunk.numbers[i], chunk.lines[i], chunk.names[i], reason, chunk.texts[i])
            for i, reason in failed.items()
        ]
        rejects.sort(key=lambda reject: reject.row)
        if rejects and self.strict:
            self._save(errors)
            first = rejects[0]
            where = "" if first.line is None else f" (line {first.line})"
            raise ValueError(f"Row {first.row}{where} can't be scored: {first.reason}.")
        kept = [i for i in range(len(chunk.texts)) if i not in failed]
        rows = chunk.rows
        if failed:
            rows = [rows[i] for i in kept] if isinstance(rows, list) else rows.take(kept)
        self.sink.write(rows, predicted.rows)
        errors.write("".join(f"{reject.to_json()}\n" for reject in rejects).encode())
        progress = self.progress
        progress.chunks += 1
        progress.rows += chunk.n_rows
        progress.scored += len(kept)
        progress.rejected += len(rejects)
        progress.lines += chunk.n_lines
        progress.controls += chunk.n_controls
        progress.empty += sum(not chunk.texts[i].strip() for i in kept)
        if progress.rows != progress.scored + progress.rejected:
            raise RuntimeError(f"Rows don't add up: {progress}.")

    def _save(self, errors: BinaryIO) -> None:
        self.progress.committed = self.sink.commit()
        errors.flush()
        os.fsync(errors.fileno())
        self.progress.errors_size = errors.tell()
        self.checkpoint.save(self.job, self.progress)
