"""Tables that are given to the demo: looking at their columns, and scoring them."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ..data.tables.kinds import WHOLE_KINDS, TableOptions, table_kind
from ..data.tables.layout import find_layout
from ..data.tables.read import read_table
from ..data.tables.records import Record, TextFile, json_records
from ..scoring.checkpoint import Checkpoint, Progress
from ..scoring.engines import PredictedChunk
from ..scoring.sinks import make_sink
from ..scoring.source import Source, SourceSettings
from ..scoring.summary import Summary, make_remarks
from ..scoring.writer import OnProgress, Writer
from .models import ROWS, DemoModels

# Usual names of a column of texts, the likeliest first.
TEXT_NAMES = (
    "text", "full_text", "texts", "tweet", "body", "content", "review", "comment", "message",
    "sentence", "document", "doc", "post", "article", "description", "headline", "title",
)  # fmt: skip
# Rows that are looked at to tell which column holds the texts.
LOOKED_AT = 50
# Rows that the page shows of a scored table, and characters of their texts.
SHOWN, SHOWN_CHARACTERS = 10, 200


@dataclass(frozen=True)
class Preview:
    """The first rows of a scored table: the beginning of each text, and its predictions."""

    texts: list[str]
    rows: list[list[float]]


def find_columns(
    path: Path, options: TableOptions, text_column: str | None
) -> tuple[list[str], str]:
    """Look at a table, or at the beginning of a CSV, TSV or JSONL file.

    path (Path): The table.
    options (TableOptions): How it is written.
    text_column (str | None): Usual name of the column of texts, if there is one.
    RETURNS (tuple[list[str], str]): Its columns, and that which seems to hold the texts.
    RAISES (ValueError, ImportError): It can't be read, or has no columns.
    """
    kind = table_kind(path)
    if kind in ("csv", "tsv"):
        layout = find_layout(path, kind, options)
        with TextFile(path, options.encoding) as file_:
            columns, rows = layout.columns, _first_rows(layout.records(file_))
    elif kind == "jsonl":
        with TextFile(path, options.encoding) as file_:
            rows = _first_rows(json_records(file_))
        columns = list(rows[0]) if rows else []
    else:
        table = read_table(path, options)
        columns, rows = list(map(str, table.columns)), table.head(LOOKED_AT).to_dict("records")
    if not columns:
        raise ValueError(f"Can't read {path}: no row could be read.")
    return columns, guess_text_column(columns, rows, text_column)


def _first_rows(records: Iterator[Record]) -> list[dict[str, Any]]:
    return [r.values for r in islice(records, LOOKED_AT) if isinstance(r.values, dict)]


def guess_text_column(
    columns: Sequence[str], rows: Sequence[dict[str, Any]], text_column: str | None = None
) -> str:
    """Guess which column holds the texts.

    columns (Sequence[str]): The columns, at least one.
    rows (Sequence[dict[str, Any]]): Some rows.
    text_column (str | None): Its usual name.
    RETURNS (str): The column of this name; else the first of a usual name; else that whose texts
        are the longest.
    """
    if text_column is not None and text_column in columns:
        return text_column
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    for name in TEXT_NAMES:
        if name in by_name:
            return by_name[name]
    lengths = {
        column: sum(len(row[column]) for row in rows if isinstance(row.get(column), str))
        for column in columns
    }
    return max(columns, key=lengths.__getitem__)


def open_table(path: Path, text: str, options: TableOptions, models: DemoModels) -> Source:
    """Open a table to score.

    path (Path): The table.
    text (str): Column of the texts.
    options (TableOptions): How it is written.
    models (DemoModels): What will score it.
    RETURNS (Source): The table.
    RAISES (ValueError, ImportError): It can't be read, or lacks a column.
    """
    return Source(
        SourceSettings(
            str(path),
            options,
            text,
            None,
            rows=ROWS,
            limit=None,
            covariates=tuple(models.covariates),
            added=tuple(models.columns),
            same_fields=table_kind(output_path(path)) in ("csv", "tsv"),
        )
    )


def output_path(path: Path) -> Path:
    """Name the scored table: of the same kind, or CSV where that kind is only read."""
    if table_kind(path) in WHOLE_KINDS:
        return path.with_suffix(".csv").with_stem(f"{path.stem}.scored")
    stem, dot, ending = path.name.removesuffix(".gz").rpartition(".")
    gzipped = ".gz" if path.name.endswith(".gz") else ""
    return path.with_name(f"{stem}.scored{dot}{ending}{gzipped}")


def score_table(
    source: Source, output: Path, models: DemoModels, on_progress: OnProgress
) -> tuple[Summary, Preview]:
    """Score a table as `score_file` does, with pipelines that are loaded.

    source (Source): From `open_table`.
    output (Path): File to write, in a folder of its own.
    models (DemoModels): The pipelines.
    on_progress (Callable): Called after each chunk; what it raises ends the job.
    RETURNS (tuple[Summary, Preview]): Numbers of rows and what to say about them, and the first
        rows.
    RAISES (ValueError, OSError): The table can't be read to its end, or the disk is full.
    """
    start = time.monotonic()
    preview = Preview([], [])

    def predict() -> Iterator[PredictedChunk]:
        for chunk in source.chunks():
            predicted = models.score(chunk.texts, chunk.covariates)
            if not preview.rows:
                texts = [t for i, t in enumerate(chunk.texts) if i not in predicted.failed]
                preview.texts.extend(text[:SHOWN_CHARACTERS] for text in texts[:SHOWN])
                preview.rows.extend(predicted.rows[:SHOWN])
            yield chunk, predicted

    errors = output.with_name(f"{output.name}.errors.jsonl")
    checkpoint, progress = Checkpoint(output), Progress()
    checkpoint.create()
    sink = make_sink(checkpoint.folder, output, source, models.columns)
    writer = Writer({}, checkpoint, progress, sink, strict=False)
    writer.write(predict(), source.path.stat().st_size, on_progress)
    checkpoint.publish(progress, errors)
    summary = Summary(
        progress.rows,
        progress.scored,
        progress.rejected,
        progress.empty,
        0,
        time.monotonic() - start,
        errors if progress.rejected else None,
        *make_remarks(source, progress),
    )
    return summary, preview
