"""Score a table of any length, and lose nothing."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..comparison.crossval_files import crossval_files
from ..data.files import check_files, hash_file
from ..data.tables.kinds import TableOptions, check_output_kind
from ..pipeline.regressor import check_choice
from .checkpoint import Checkpoint
from .chunks import is_rejects_file
from .engines import PredictedChunk, predict_in_processes, predict_serially
from .fold_predictor import AnyPredictor, load_predictor
from .predictor import PredictorSettings
from .sinks import make_sink
from .source import Source, SourceSettings
from .summary import Summary, make_remarks
from .writer import OnProgress, Writer

ENGINES = ("local", "ray")
# Rows of a chunk, at least: each chunk costs some time of its own.
MIN_ROWS = 512
# Packages whose versions the predictions depend on.
PACKAGES = ("spacy-bertreg", "spacy", "torch")


def score_file(
    pipeline: str | Path,
    input_path: str | Path,
    output: str | Path,
    *,
    model: str | None = None,
    level: float | None = None,
    text: str = "text",
    id_column: str | None = None,
    encoding: str = "utf-8",
    n_process: int = 1,
    gpu_id: int = -1,
    batch_size: int | None = None,
    precision: str | None = None,
    backend: str | None = None,
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
    job that was stopped goes on where it was when called again, and ends in the same bytes (see
    `checkpoint`).

    pipeline (str | Path): Folder or package of the trained pipeline; or a folder that
        `crossval --keep-models` wrote, for the mean of the predictions of its first repeat's models
        and CV+ intervals. All these models are in memory.
    input_path (str | Path): CSV, TSV or JSONL file, also with .gz, or Parquet, Excel, Stata or SPSS
        file.
    output (str | Path): File to write, of the first four kinds, in UTF-8: all columns, and for each
        target `{target}_predicted` and, of a calibrated regressor, `{target}_low` and
        `{target}_high`. Rows that can't be scored go to OUTPUT.errors.jsonl.
    model (str | None): Which model of a cross-validation; None if it has one.
    level (float | None): Of the CV+ intervals, between 0 and 1; None for 0.9. The intervals of a
        pipeline have the level that `calibrate` gave them.
    text (str): Column of the texts; one that is empty gets the prediction for no evidence.
    id_column (str | None): Column that names a row, for OUTPUT.errors.jsonl.
    encoding (str): Encoding of a CSV, TSV or JSONL input.
    n_process (int): Processes to score in, which share the cores; with Ray, workers.
    gpu_id (int): A GPU's number, or -1 for the CPU; with Ray, 0 for a GPU each worker.
    batch_size (int | None): Documents scored together; None for that of the pipeline.
    precision (str | None): "float32", "bfloat16" or "auto"; None for that of the pipeline.
    backend (str | None): "torch", "openvino" or "auto"; None for that of the pipeline.
    limit (int | None): Number of rows to score; None for all.
    strict (bool): Stop at a row that can't be scored.
    overwrite (bool): Replace an output, and forget what a stopped job has done.
    engine (str): "local", or "ray" for a cluster.
    code (str | Path | None): Python file to import first, with functions that the pipeline needs.
    separator (str | None), quoting (str), decimal (str | None), sheet (str | None): How the input
        is written, see `TableOptions`.
    on_progress (Callable | None): Called after each chunk.
    RETURNS (Summary): Numbers of rows, and what to say about them.
    RAISES (ValueError, FileNotFoundError, OSError): Wrong input, or a stopped job of other input,
        pipeline or settings; a full disk. What has been done is kept.
    """
    start = time.monotonic()
    input_path, output = Path(input_path), Path(output)
    for name, value in (("n_process", n_process), ("batch_size", batch_size), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}. Expected 1 or more.")
    check_choice("engine", engine, ENGINES, "the job")
    kind = check_output_kind(output)
    errors = output.with_name(f"{output.name}.errors.jsonl")
    if not input_path.is_file():
        raise FileNotFoundError(f"{input_path} does not exist. Expected a table of texts.")
    check_files([output, errors], [input_path, pipeline, code, *crossval_files([pipeline])])
    checkpoint = Checkpoint(output)
    with checkpoint.lock():
        if overwrite:
            checkpoint.clear()
        elif not checkpoint.exists() and (output.exists() or not is_rejects_file(errors)):
            # Rejected rows of an earlier job may be replaced: its output has gone.
            taken = output if output.exists() else errors
            raise ValueError(f"{taken} is there already. Expected --overwrite, to replace it.")
        settings = PredictorSettings(
            str(pipeline),
            precision,
            gpu_id,
            batch_size,
            code=None if code is None else str(code),
            backend=backend,
            model=model,
            level=level,
        )
        # With Ray, the GPUs are the workers'; this process may have none.
        predictor = load_predictor(replace(settings, gpu_id=-1) if engine == "ray" else settings)
        full_batches = -(-MIN_ROWS // predictor.batch_size) * predictor.batch_size
        source = Source(
            SourceSettings(
                str(input_path),
                TableOptions(encoding, separator, quoting, decimal, sheet),
                text,
                id_column,
                rows=full_batches if batch_size is None else batch_size,
                limit=limit,
                covariates=tuple(predictor.covariates),
                added=tuple(predictor.columns),
                same_fields=kind in ("csv", "tsv"),
            )
        )
        before = _size_and_time(input_path)
        job = _describe_job(source, predictor, settings, n_process, engine)
        progress = checkpoint.load(job)
        resumed_after = progress.rows
        if not progress.is_complete:
            checkpoint.create()
            sink = make_sink(checkpoint.folder, output, source, predictor.columns)
            writer = Writer(job, checkpoint, progress, sink, strict)
            chunks = _predict(source, progress.chunks, predictor, settings, n_process, engine)
            writer.write(chunks, input_path.stat().st_size, on_progress)
            if _size_and_time(input_path) != before:
                # No row can be trusted, not even if the input is put back as it was.
                checkpoint.clear()
                raise ValueError(
                    f"{input_path} was changed while it was read, so what was scored is deleted. "
                    "Expected it to stay as it is."
                )
            progress.is_complete = True
            checkpoint.save(job, progress)
        checkpoint.publish(progress, errors)
    return Summary(
        progress.rows,
        progress.scored,
        progress.rejected,
        progress.empty,
        resumed_after,
        time.monotonic() - start,
        errors if progress.rejected else None,
        *make_remarks(source, progress),
    )


def _predict(
    source: Source,
    start: int,
    predictor: AnyPredictor,
    settings: PredictorSettings,
    n_process: int,
    engine: str,
) -> Iterator[PredictedChunk]:
    """Predict for the chunks from number `start` on."""
    if engine == "ray":
        from .ray_engine import predict_on_ray

        return predict_on_ray(settings, source, start, n_process)
    if n_process > 1:
        return predict_in_processes(settings, source.chunks(start), n_process)
    return predict_serially(predictor, source.chunks(start))


def _describe_job(
    source: Source,
    predictor: AnyPredictor,
    settings: PredictorSettings,
    n_process: int,
    engine: str,
) -> dict[str, Any]:
    """Say all that the output's bytes depend on."""
    source_settings = asdict(source.settings)
    del source_settings["path"]
    source_settings |= source_settings.pop("options")
    return {
        "the input's content (SHA-256)": hash_file(source.path),
        "the pipeline's content (SHA-256)": predictor.hash_content(),
        "model": predictor.model,
        "level": predictor.level,
        "the code's content (SHA-256)": settings.code and hash_file(Path(settings.code)),
        **{f"{name} of the input": value for name, value in source_settings.items()},
        "precision": settings.precision,
        "backend": settings.backend,
        "batch_size": predictor.batch_size,
        "gpu_id": settings.gpu_id,
        "n_process": n_process,
        "engine": engine,
        **{f"the version of {name}": version(name) for name in PACKAGES},
        "the version of openvino": version("openvino") if find_spec("openvino") else None,
    }


def _size_and_time(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns
