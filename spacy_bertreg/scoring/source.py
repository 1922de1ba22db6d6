"""Reading a table in chunks, so that no more than one is in memory.

Where a chunk ends depends on the table alone. So a job that was stopped and goes on scores the same
texts together, and its numbers are the same to the last bit.
"""

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.tables.columns import CONTROL, has_half_character
from ..data.tables.decimals import parse_number
from ..data.tables.kinds import WHOLE_KINDS, TableOptions, table_kind
from ..data.tables.layout import Layout, find_layout
from ..data.tables.read import read_table
from ..data.tables.records import Decoded, Record, json_records
from ..data.tables.whole import with_labels
from .chunks import Chunk, Reject

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# A chunk ends, too, when its rows have as many characters: a text may have ten million.
MAX_CHARACTERS = 2**24


@dataclass(frozen=True)
class SourceSettings:
    """What to read, and how.

    path (str): CSV, TSV or JSONL file, also with .gz, or Parquet, Excel, Stata or SPSS file.
    text (str): Column of the texts. id_column (str | None): Column that names a row.
    encoding (str), separator (str | None), quoting (str), decimal (str | None), sheet (str | None):
        See `TableOptions`.
    rows (int): In a chunk. limit (int | None): In all.
    covariates (tuple[str, ...]): Columns of covariates.
    added (tuple[str, ...]): Columns that the output will have, too.
    same_fields (bool): Whether all rows of JSONL must have the fields of the first, as a CSV file
        can't hold others.
    """

    path: str
    text: str = "text"
    id_column: str | None = None
    encoding: str = "utf-8"
    rows: int = 1024
    limit: int | None = None
    covariates: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    same_fields: bool = False
    separator: str | None = None
    quoting: str = "auto"
    decimal: str | None = None
    sheet: str | None = None

    @property
    def options(self) -> TableOptions:
        """RETURNS (TableOptions): How the table is written."""
        return TableOptions(self.encoding, self.separator, self.quoting, self.decimal, self.sheet)


class Source:
    """A table to read.

    kind (str): As `table_kind` says it.
    columns (list[str]): Its columns; of JSONL, the fields of the first row that has any.
    schema (Schema | None): Of a Parquet file.
    frame (DataFrame | None): Of an Excel, Stata or SPSS file, all of it; columns but covariates
        have the labels of values in place of their codes.
    notes (tuple[str, ...]): What was detected.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """settings (SourceSettings): What to read.
        RAISES (ValueError, FileNotFoundError, ImportError): It can't be read, or lacks a column."""
        self.settings = settings
        self.path = Path(settings.path)
        self.kind = table_kind(self.path)
        options = settings.options
        self.schema: pa.Schema | None = None
        self.frame: pd.DataFrame | None = None
        self.notes: tuple[str, ...] = ()
        self._layout: Layout | None = None
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist. Expected a table of texts.")
        if self.kind == "parquet":
            self.schema = _open_parquet(self.path).schema_arrow
            self.columns = list(self.schema.names)
            self._check_text_type()
        elif self.kind in WHOLE_KINDS:
            self.frame = self._read_frame(options)
            self.columns = list(map(str, self.frame.columns))
        elif self.kind == "jsonl":
            with Decoded(self.path, settings.encoding) as file_:
                found = (record.values for record in json_records(file_))
                self.columns = list(next((values for values in found if values is not None), {}))
        else:
            self._layout = find_layout(self.path, self.kind, options)
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
        """start (int): Number of the first chunk to give. YIELDS (Chunk): The chunks."""
        if self.kind == "parquet":
            made = self._parquet_chunks()
        elif self.frame is not None:
            made = self._frame_chunks(self.frame)
        else:
            made = self._text_chunks()
        for chunk in made:
            if chunk.number >= start:
                yield chunk

    def _read_frame(self, options: TableOptions) -> "pd.DataFrame":
        table = read_table(self.path, options=options)
        self.notes = tuple(table.attrs.get("notes", ()))
        own = self.settings.covariates
        columns = {n: table[n] if n in own else with_labels(table, n) for n in table.columns}
        frame = table.assign(**columns).astype(object)
        return frame.where(frame.notna(), None)

    def _text_chunks(self) -> Iterator[Chunk]:
        with Decoded(self.path, self.settings.encoding) as file_:
            if self._layout is None:
                records = self._json_rows(file_)
            else:
                records = self._layout.records(file_)
            yield from self._fill(records, lambda n_rows: file_.position)

    def _frame_chunks(self, frame: "pd.DataFrame") -> Iterator[Chunk]:
        rows = frame.to_dict("records")
        size = self.path.stat().st_size
        records = (Record(None, json.dumps(row, default=str), row, "") for row in rows)
        yield from self._fill(records, lambda n_rows: size * n_rows // len(rows))

    def _fill(self, records: Iterator[Record], position: Callable[[int], int]) -> Iterator[Chunk]:
        """records (Iterator[Record]): All rows. position (Callable): Says how much of the file has
        been read, by the number of rows.
        YIELDS (Chunk): The rows in chunks."""
        chunk, characters, number = Chunk(0), 0, 0
        for number, record in enumerate(records, start=1):
            chunk.n_rows += 1
            chunk.n_lines += record.n_lines
            self._add(chunk, number, record)
            characters += len(record.raw)
            chunk.position = position(number)
            is_last = number == self.settings.limit
            if is_last or self._is_full(chunk, characters):
                yield chunk
                chunk, characters = Chunk(chunk.number + 1), 0
            if is_last:
                return
        if chunk.n_rows:
            chunk.position = position(number)
            yield chunk

    def _is_full(self, chunk: Chunk, characters: int) -> bool:
        return chunk.n_rows >= self.settings.rows or characters >= MAX_CHARACTERS

    def _json_rows(self, file_: Decoded) -> Iterator[Record]:
        for record in json_records(file_):
            if record.values is not None:
                record.reason = self._check_fields(record.values)
            yield record

    def _check_fields(self, values: Mapping[str, Any]) -> str:
        """RETURNS (str): What is wrong with the fields of a row of JSONL."""
        if self.settings.text not in values:
            return f"has no field {self.settings.text!r}"
        for name in values:
            if name in self.settings.added:
                return f"has a field {name!r} already"
            if self.settings.same_fields and name not in self.columns:
                return f"has a field {name!r}, which the first row does not have"
        return ""

    def _add(self, chunk: Chunk, number: int, record: Record) -> None:
        """Add a row to a chunk: to those to score, or to the rejected ones."""
        values, reason = record.values, record.reason
        text: Any = ""
        covariates: dict[str, float | None] = {}
        if not reason:
            text, covariates, reason = self._settle(values)
        name = values.get(self.settings.id_column) if isinstance(values, dict) else None
        name = None if name is None else str(name)
        if reason:
            data = None if record.data is None else base64.b64encode(record.data).decode()
            chunk.rejects.append(Reject(number, record.line, name, reason, record.raw, data))
            return
        chunk.rows.append(values)
        chunk.numbers.append(number)
        chunk.lines.append(record.line)
        chunk.names.append(name)
        chunk.texts.append(text)
        chunk.n_controls += not text.isascii() and CONTROL.search(text) is not None
        chunk.covariates.append(covariates)

    def _settle(self, values: Mapping[str, Any]) -> tuple[str, dict[str, float | None], str]:
        """RETURNS (tuple): Text and covariates of a row, and what is wrong with them."""
        text = values[self.settings.text]
        text = "" if text is None else text
        if not isinstance(text, str):
            return "", {}, f"column {self.settings.text!r} holds {text!r:.60}, which is no text"
        if has_half_character(text):
            return "", {}, "the text has half a character (a lone surrogate)"
        covariates: dict[str, float | None] = {}
        for name in self.settings.covariates:
            found = parse_number(values.get(name), self.settings.decimal)
            if math.isinf(found):
                # Not detected here: rows are scored before the last of a column is known.
                hint = " (see --decimal)" if "," in str(values[name]) else ""
                reason = f"column {name!r} holds {values[name]!r:.60}, which is no finite number"
                return "", {}, reason + hint
            covariates[name] = None if math.isnan(found) else found
        return text, covariates, ""

    def _check_text_type(self) -> None:
        import pyarrow as pa

        kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
        if self.settings.text not in self.columns:
            return  # reported with the other columns
        kind = self.schema.field(self.settings.text).type  # type: ignore[union-attr]
        own = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not any(is_kind(own) for is_kind in kinds):
            raise ValueError(
                f"{self.path}, column {self.settings.text!r}: it holds {kind}. Expected texts."
            )

    def _parquet_chunks(self) -> Iterator[Chunk]:
        limit = self.settings.limit
        number = seen = 0
        size = self.path.stat().st_size
        parquet = _open_parquet(self.path)
        total = max(parquet.metadata.num_rows, 1)
        for batch in parquet.iter_batches(batch_size=self.settings.rows):
            own = [self.settings.text, self.settings.id_column, *self.settings.covariates]
            columns = {name: batch.column(name).to_pylist() for name in own if name is not None}
            for start, end in _by_characters(columns[self.settings.text]):
                if limit is not None:
                    end = min(end, start + limit - seen)
                if end <= start:
                    return
                chunk = Chunk(number, n_rows=end - start)
                for row in range(start, end):
                    values = {name: column[row] for name, column in columns.items()}
                    raw = json.dumps(values, default=str)
                    self._add(chunk, seen + row - start + 1, Record(None, raw, values, ""))
                kept = [start + n - seen - 1 for n in chunk.numbers]
                chunk.rows = batch.take(kept) if chunk.rejects else batch.slice(start, end - start)
                number, seen = number + 1, seen + end - start
                chunk.position = size * seen // total
                yield chunk


def _by_characters(texts: Sequence[Any]) -> Iterator[tuple[int, int]]:
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
