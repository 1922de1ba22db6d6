"""Reading a table in chunks, so that no more than one is in memory.

Where a chunk ends depends on the table alone. So a job that was stopped and goes on scores the same
texts together, and its numbers are the same to the last bit.
"""

import base64
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.tables.columns import CONTROL, has_lone_surrogate
from ..data.tables.decimals import parse_number
from ..data.tables.kinds import WHOLE_KINDS, TableOptions, table_kind
from ..data.tables.layout import Layout, find_layout
from ..data.tables.read import read_table, with_labels
from ..data.tables.records import Record, TextFile, json_records
from .chunks import Chunk, Reject

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# A chunk also ends when its rows have as many characters: a text may have ten million.
MAX_CHARACTERS = 2**24


@dataclass(frozen=True)
class SourceSettings:
    """What to read, and how. Beside arguments of `score_file`:

    rows (int): Rows of a chunk.
    covariates (tuple[str, ...]): Columns of covariates.
    added (tuple[str, ...]): Columns that the output will have, too.
    same_fields (bool): Whether all rows of JSONL must have the fields of the first, as a CSV file
        can't hold others.
    """

    path: str
    options: TableOptions
    text: str
    id_column: str | None
    rows: int
    limit: int | None
    covariates: tuple[str, ...]
    added: tuple[str, ...]
    same_fields: bool


class Source:
    """A table to read.

    kind (str): Its kind, see `table_kind`.
    columns (list[str]): Its columns; of JSONL, the fields of the first row that has any.
    schema (Schema | None): Types of a Parquet file's columns.
    frame (DataFrame | None): An Excel, Stata or SPSS file, all of it; columns but covariates have
        the labels of values in place of their codes.
    notes (tuple[str, ...]): What was detected.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """Look at the table, and read its columns.

        settings (SourceSettings): What to read.
        RAISES (ValueError, FileNotFoundError, ImportError): It can't be read, or lacks a column.
        """
        self.settings = settings
        self.path = Path(settings.path)
        self.kind = table_kind(self.path)
        self.schema: pa.Schema | None = None
        self.frame: pd.DataFrame | None = None
        self.notes: tuple[str, ...] = ()
        self._layout: Layout | None = None
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist. Expected a table of texts.")
        if self.kind == "parquet":
            self.schema = _open_parquet(self.path).schema_arrow
            self.columns = list(self.schema.names)
            self._check_text_type(self.schema)
        elif self.kind in WHOLE_KINDS:
            self.frame = self._read_frame()
            self.columns = list(map(str, self.frame.columns))
        elif self.kind == "jsonl":
            with TextFile(self.path, settings.options.encoding) as file_:
                rows = (record.values for record in json_records(file_))
                self.columns = list(next((row for row in rows if row is not None), {}))
        else:
            self._layout = find_layout(self.path, self.kind, settings.options)
            self.columns, self.notes = self._layout.columns, self._layout.notes
        wanted = [settings.text, settings.id_column, *settings.covariates]
        for name in wanted if self.kind != "jsonl" else []:
            if name is not None and name not in self.columns:
                raise ValueError(
                    f"{self.path} has no column {name!r}. It has: {', '.join(self.columns)}."
                )
        for name in settings.added:
            if name in self.columns:
                raise ValueError(f"{self.path} has a column {name!r} already. Expected none.")

    def chunks(self, start: int = 0) -> Iterator[Chunk]:
        """Read the chunks from number `start` on."""
        if self.kind == "parquet":
            chunks = self._read_parquet()
        elif self.frame is not None:
            chunks = self._read_rows(self.frame)
        else:
            chunks = self._read_text()
        return (chunk for chunk in chunks if chunk.number >= start)

    def _check_text_type(self, schema: "pa.Schema") -> None:
        import pyarrow as pa

        if self.settings.text not in self.columns:
            return  # reported with the other columns
        kind = schema.field(self.settings.text).type
        values = kind.value_type if pa.types.is_dictionary(kind) else kind
        if values not in (pa.string(), pa.large_string(), pa.null()):
            raise ValueError(
                f"{self.path}, column {self.settings.text!r}: it holds {kind}. Expected texts."
            )

    def _read_frame(self) -> "pd.DataFrame":
        table = read_table(self.path, options=self.settings.options)
        self.notes = tuple(table.attrs.get("notes", ()))
        labelled = [name for name in table.columns if name not in self.settings.covariates]
        frame = table.assign(**{name: with_labels(table, name) for name in labelled}).astype(object)
        return frame.where(frame.notna(), None)

    def _read_text(self) -> Iterator[Chunk]:
        with TextFile(self.path, self.settings.options.encoding) as file_:
            records = json_records(file_) if self._layout is None else self._layout.records(file_)
            yield from self._make_chunks(records, lambda n_rows: file_.position)

    def _read_rows(self, frame: "pd.DataFrame") -> Iterator[Chunk]:
        rows = frame.to_dict("records")
        size = self.path.stat().st_size
        records = (Record(None, json.dumps(row, default=str), row, "") for row in rows)
        yield from self._make_chunks(records, lambda n_rows: size * n_rows // len(rows))

    def _read_parquet(self) -> Iterator[Chunk]:
        settings = self.settings
        wanted = [settings.text, settings.id_column, *settings.covariates]
        columns = [name for name in dict.fromkeys(wanted) if name is not None]
        number = n_read = 0
        size = self.path.stat().st_size
        parquet = _open_parquet(self.path)
        for batch in parquet.iter_batches(batch_size=settings.rows):
            rows = batch.select(columns).to_pylist()
            for start, end in _split_by_characters([row[settings.text] for row in rows]):
                if settings.limit is not None:
                    end = min(end, start + settings.limit - n_read)
                if end <= start:
                    return
                chunk = Chunk(number, n_rows=end - start)
                for row, values in enumerate(rows[start:end], start=n_read + 1):
                    raw = json.dumps(values, default=str)
                    self._add_row(chunk, row, Record(None, raw, values, ""))
                # In Arrow's types, which are not those of Python.
                chunk.rows = batch.slice(start, end - start)
                if chunk.rejects:
                    chunk.rows = chunk.rows.take([row - n_read - 1 for row in chunk.numbers])
                number, n_read = number + 1, n_read + chunk.n_rows
                chunk.position = size * n_read // parquet.metadata.num_rows
                yield chunk

    def _make_chunks(
        self, records: Iterable[Record], position: Callable[[int], int]
    ) -> Iterator[Chunk]:
        """Gather rows in chunks. `position` says how much of the file has been read after so many
        rows.
        """
        chunk, characters, number = Chunk(0), 0, 0
        for number, record in enumerate(islice(records, self.settings.limit), start=1):
            chunk.n_rows += 1
            chunk.n_lines += record.n_lines
            self._add_row(chunk, number, record)
            characters += len(record.raw)
            if chunk.n_rows >= self.settings.rows or characters >= MAX_CHARACTERS:
                chunk.position = position(number)
                yield chunk
                chunk, characters = Chunk(chunk.number + 1), 0
        if chunk.n_rows:
            chunk.position = position(number)
            yield chunk

    def _add_row(self, chunk: Chunk, number: int, record: Record) -> None:
        """Add a row to a chunk: to those to score, or to the rejected ones."""
        values, reason = record.values, record.reason
        name = values.get(self.settings.id_column) if isinstance(values, dict) else None
        name = None if name is None else str(name)
        reason = reason or self._find_fault(values)
        covariates: dict[str, float | None] = {}
        if not reason:
            covariates, reason = self._parse_covariates(values)
        if reason:
            data = None if record.data is None else base64.b64encode(record.data).decode()
            chunk.rejects.append(Reject(number, record.line, name, reason, record.raw, data))
            return
        text = values[self.settings.text] or ""
        chunk.rows.append(values)
        chunk.numbers.append(number)
        chunk.lines.append(record.line)
        chunk.names.append(name)
        chunk.texts.append(text)
        chunk.n_controls += not text.isascii() and CONTROL.search(text) is not None
        chunk.covariates.append(covariates)

    def _find_fault(self, values: Mapping[str, Any]) -> str:
        """Say what is wrong with the fields or the text of a row."""
        settings = self.settings
        if self.kind == "jsonl":
            if settings.text not in values:
                return f"has no field {settings.text!r}"
            for name in values:
                if name in settings.added:
                    return f"has a field {name!r} already"
                if settings.same_fields and name not in self.columns:
                    return f"has a field {name!r}, which the first row does not have"
        text = values[settings.text]
        if text is not None and not isinstance(text, str):
            return f"column {settings.text!r} holds {text!r:.60}, which is no text"
        if text and has_lone_surrogate(text):
            return "the text has half a character (a lone surrogate)"
        return ""

    def _parse_covariates(self, values: Mapping[str, Any]) -> tuple[dict[str, float | None], str]:
        """Return the covariates of a row, and what is wrong with them."""
        covariates: dict[str, float | None] = {}
        for name in self.settings.covariates:
            number = parse_number(values.get(name), self.settings.options.decimal)
            if math.isinf(number):
                # Not detected here: rows are scored before the last of a column is known.
                hint = " (see --decimal)" if "," in str(values[name]) else ""
                reason = f"column {name!r} holds {values[name]!r:.60}, which is no finite number"
                return {}, reason + hint
            covariates[name] = None if math.isnan(number) else number
        return covariates, ""


def _split_by_characters(texts: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield start and end of runs that end at `MAX_CHARACTERS`."""
    start = characters = 0
    for row, text in enumerate(texts):
        characters += len(text) if isinstance(text, str) else 0
        if characters >= MAX_CHARACTERS:
            yield start, row + 1
            start, characters = row + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _open_parquet(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ImportError(
            f"Reading {path} takes pyarrow: pip install 'spacy-bertreg[parquet]'"
        ) from error
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"Can't read {path}: {error}.") from error
