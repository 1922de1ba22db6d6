"""Score a table of any length, and lose nothing."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from ..data.files import check_files
from ..data.tables.kinds import check_output_kind
from ..pipeline.regressor import check_choice
from .checkpoint import Checkpoint, Progress
from .chunks import Chunk, Reject
from .engines import Scored, score_here, score_in_processes
from .loading import fingerprint
from .predictor import Predictor, PredictorSettings, Scores
from .sinks import Sink, make_sink
from .source import Source, SourceSettings
from .summary import Summary, remarks

ENGINES = ("local", "ray")
# Rows of a chunk, at least: each chunk costs some time of its own.
MIN_ROWS = 512
# How often a job makes sure that what it has done is on disk.
SECONDS_BETWEEN_CHECKPOINTS = 5.0
PACKAGES = ("spacy-bertreg", "spacy", "torch")


# Gets the progress, and the share of the input that has been read.
OnProgress = Callable[[Progress, float], None]


def score_file(
    pipeline: str | Path,
    input_path: str | Path,
    output: str | Path,
    *,
    text: str = "text",
    id_column: str | None = None,
    encoding: str = "utf-8",
    n_process: int = 1,
    gpu_id: int = -1,
    batch_size: int | None = None,
    precision: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    engine: str = "local",
    code: str | Path | None = None,
    separator: str | None = None,
    quoting: str = "auto",
    decimal: str | None = None,
    sheet: str | None = None,
    on_progress: OnProgress | None = None,
) -> Summary:
    """Add a trained pipeline's predictions to a table. The output appears when it is complete. A
    job that was stopped goes on where it was when called again, and ends in the same bytes.

    pipeline (str | Path): Folder or package of the trained pipeline.
    input_path (str | Path): CSV, TSV or JSONL file, also with .gz, or Parquet, Excel, Stata or SPSS
        file.
    output (str | Path): File to write, of the first four kinds, in UTF-8: all columns, and for each
        target `{target}_predicted` and, of a calibrated regressor, `{target}_low` and
        `{target}_high`. Rows that can't be scored go to OUTPUT.errors.jsonl.
    text (str): Column of the texts; one that is empty gets the prediction for no evidence.
    id_column (str | None): Column that names a row, for OUTPUT.errors.jsonl.
    encoding (str): Of a CSV, TSV or JSONL input.
    n_process (int): Processes to score in, which share the cores; with Ray, workers.
    gpu_id (int): A GPU's number, or -1 for the CPU; with Ray, 0 for a GPU each worker.
    batch_size (int | None): Documents scored together; None for that of the pipeline.
    precision (str | None): "float32", "bfloat16" or "auto"; None for that of the pipeline.
    limit (int | None): Number of rows to score; None for all.
    strict (bool): Stop at a row that can't be scored.
    overwrite (bool): Replace an output, and forget what a stopped job has done.
    engine (str): "local", or "ray" for a cluster.
    code (str | Path | None): Python file to import first, with functions that the pipeline needs.
    separator (str | None), quoting (str), decimal (str | None), sheet (str | None): How the input
        is written, see `TableOptions`.
    on_progress (Callable | None): Called after each chunk.
    RETURNS (Summary): What came of it.
    RAISES (ValueError, FileNotFoundError, OSError): Wrong input, or a stopped job of other input,
        pipeline or settings; a full disk. What has been done is kept.
    """
    input_path, output = Path(input_path), Path(output)
    for name, value in (("n_process", n_process), ("batch_size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}. Expected 1 or more.")
    check_choice("engine", engine, ENGINES, "the job")
    kind = check_output_kind(output)
    checkpoint = Checkpoint(output)
    errors = output.with_name(f"{output.name}.errors.jsonl")
    start = time.monotonic()
    if not input_path.is_file():
        raise FileNotFoundError(f"{input_path} does not exist. Expected a table of texts.")
    check_files([output, errors], [input_path, pipeline, code])
    with checkpoint.alone():
        if overwrite:
            checkpoint.clear()
        elif not checkpoint.exists() and (output.exists() or not Reject.are_in(errors)):
            # Rejected rows of an earlier job may be replaced: its output has gone.
            taken = output if output.exists() else errors
            raise ValueError(f"{taken} is there already. Expected --overwrite, to replace it.")
        settings = PredictorSettings(
            str(pipeline), precision, gpu_id, batch_size, code=None if code is None else str(code)
        )
        # With Ray, the GPUs are the workers'; this process may have none.
        predictor = Predictor.load(replace(settings, gpu_id=-1) if engine == "ray" else settings)
        rows = -(-MIN_ROWS // predictor.batch_size) * predictor.batch_size
        source = Source(
            SourceSettings(
                str(input_path),
                text,
                id_column,
                encoding,
                rows if batch_size is None else batch_size,
                limit,
                tuple(predictor.covariates),
                tuple(predictor.columns),
                same_fields=kind in ("csv", "tsv"),
                separator=separator,
                quoting=quoting,
                decimal=decimal,
                sheet=sheet,
            )
        )
        before = _stamp(input_path)
        job = _describe(source, predictor, settings, n_process, engine)
        progress = checkpoint.load(job)
        resumed_after = progress.rows
        if not progress.is_whole:
            checkpoint.claim()
            sink = make_sink(checkpoint.folder, output, source, predictor.columns)
            run = _run(engine, predictor, settings, source, progress.chunks, n_process)
            job_run = _Job(job, checkpoint, sink, predictor.columns, progress, strict)
            job_run.run(run, on_progress, input_path.stat().st_size)
            if _stamp(input_path) != before:
                # No row can be trusted, not even if the input is put back as it was.
                checkpoint.clear()
                raise ValueError(
                    f"{input_path} was changed while it was read, so what was scored is deleted. "
                    "Expected it to stay as it is."
                )
            job_run.note_whole()
        _give_names(checkpoint, output, errors, progress)
    return Summary(
        progress.rows,
        progress.scored,
        progress.rejected,
        progress.empty,
        resumed_after,
        time.monotonic() - start,
        errors if progress.rejected else None,
        *remarks(source, progress),
    )


class _Job:
    """Writes what engines score, and notes how far it has come."""

    def __init__(
        self,
        job: dict[str, Any],
        checkpoint: Checkpoint,
        sink: Sink,
        columns: list[str],
        progress: Progress,
        strict: bool,
    ) -> None:
        self._job = job
        self._checkpoint = checkpoint
        self._sink = sink
        self._columns = columns
        self._progress = progress
        self._strict = strict

    def run(self, scored: Iterator[Scored], on_progress: OnProgress | None, size: int) -> None:
        """scored (Iterator[Scored]): Of an engine. on_progress (Callable | None): Called after each
        chunk. size (int): Of the input, in bytes."""
        progress = self._progress
        saved = time.monotonic()
        try:
            with self._checkpoint.errors.open("ab") as errors, closing(self._sink):
                errors.truncate(progress.errors_bytes)
                self._sink.restore(progress.rows_state)
                for chunk, scores in scored:
                    self._add(chunk, scores, errors)
                    if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                        self._save(errors)
                        saved = time.monotonic()
                    if on_progress is not None:
                        on_progress(progress, chunk.position / max(size, 1))
                self._save(errors)
                self._sink.finish()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise OSError(
                f"The disk is full: {error.strerror} ({self._checkpoint.folder}). What has been "
                "scored is kept; make room, and give the same command again."
            ) from error

    def note_whole(self) -> None:
        """Note that only names have to be given."""
        self._progress.is_whole = True
        self._checkpoint.save(self._job, self._progress)

    def _add(self, chunk: Chunk, scores: Scores, errors: BinaryIO) -> None:
        failed = scores.failed
        rejects = [
            *chunk.rejects,
            *(
                Reject(chunk.numbers[i], chunk.lines[i], chunk.names[i], reason, chunk.texts[i])
                for i, reason in failed.items()
            ),
        ]
        rejects.sort(key=lambda reject: reject.row)
        if rejects and self._strict:
            self._save(errors)
            first = rejects[0]
            where = "" if first.line is None else f" (line {first.line})"
            raise ValueError(f"Row {first.row}{where} can't be scored: {first.reason}.")
        kept = [i for i in range(len(chunk.texts)) if i not in failed]
        rows = chunk.rows
        if failed:
            rows = [rows[i] for i in kept] if isinstance(rows, list) else rows.take(kept)
        numbers = list(zip(*scores.rows, strict=True)) or [()] * len(self._columns)
        self._sink.write(rows, dict(zip(self._columns, numbers, strict=True)))
        errors.write("".join(f"{reject.to_json()}\n" for reject in rejects).encode())
        progress = self._progress
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
        self._progress.rows_state = self._sink.commit()
        errors.flush()
        os.fsync(errors.fileno())
        self._progress.errors_bytes = errors.tell()
        self._checkpoint.save(self._job, self._progress)


def _run(
    engine: str,
    predictor: Predictor,
    settings: PredictorSettings,
    source: Source,
    start: int,
    n_process: int,
) -> Iterator[Scored]:
    if engine == "ray":
        from .ray_engine import score_on_ray

        return score_on_ray(settings, source, start, n_process)
    if n_process > 1:
        return score_in_processes(settings, source.chunks(start), n_process)
    return score_here(predictor, source.chunks(start))


def _describe(
    source: Source, predictor: Predictor, settings: PredictorSettings, n_process: int, engine: str
) -> dict[str, Any]:
    """RETURNS (dict): All that the output's bytes depend on."""
    content = _sha256(source.path)
    code = None if settings.code is None else _sha256(Path(settings.code))
    own = asdict(source.settings)
    del own["path"]
    return {
        "the input's content (SHA-256)": content,
        "the pipeline's content (SHA-256)": fingerprint(predictor.folder),
        "the code's content (SHA-256)": code,
        **{f"{name} of the input": value for name, value in own.items()},
        "precision": settings.precision,
        "batch_size": predictor.batch_size,
        "gpu_id": settings.gpu_id,
        "n_process": n_process,
        "engine": engine,
        **{f"the version of {name}": version(name) for name in PACKAGES},
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file_:
        return hashlib.file_digest(file_, "sha256").hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _give_names(checkpoint: Checkpoint, output: Path, errors: Path, progress: Progress) -> None:
    """Give what is whole its name. May be done again if it was stopped in between."""
    rows = [checkpoint.folder / name for name in ("rows", "whole.parquet")]
    if checkpoint.errors.exists():
        if progress.rejected:
            checkpoint.errors.replace(errors)
        else:
            errors.unlink(missing_ok=True)
    for path in rows:
        if path.exists():
            path.replace(output)
    checkpoint.clear()
