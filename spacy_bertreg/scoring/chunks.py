"""Reading a table in chunks, so that no more than one is in memory.

Where a chunk ends depends on the table alone. So a job that was stopped and goes on scores the same
texts together, and its numbers are the same to the last bit.
"""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tables import check_encoding, parse_number, parse_object, table_kind
from .records import Decoded, Record, csv_records, json_records

if TYPE_CHECKING:
    import pyarrow as pa

# A chunk ends, too, when its rows have as many characters: a text may have ten million.
MAX_CHARACTERS = 2**24
DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class Reject:
    """A row that can't be scored.

    row (int): Its number, from 1 below the header. line (int | None): On which line it begins.
    name (str | None): Its id, if a column has such. reason (str): Why.
    raw (str): What is there; a byte that is no character as \\xff.
    raw_base64 (str | None): If there are such, its bytes.
    """

    row: int
    line: int | None
    name: str | None
    reason: str
    raw: str
    raw_base64: str | None = None

    def to_json(self) -> str:
        """RETURNS (str): A line of OUTPUT.errors.jsonl."""
        found = {"row": self.row, "line": self.line, "id": self.name, "reason": self.reason}
        content = {"raw": self.raw, "raw_base64": self.raw_base64}
        return json.dumps({k: v for k, v in (found | content).items() if v is not None})

    @staticmethod
    def are_in(path: Path) -> bool:
        """path (Path): OUTPUT.errors.jsonl. RETURNS (bool): Whether it holds what `to_json` makes,
        or nothing."""
        if not path.exists():
            return True
        with path.open(encoding="utf-8", errors="replace") as file_:
            line = file_.readline()
        row, _ = parse_object(line)
        return not line or (row is not None and {"row", "reason", "raw"} <= set(row))


@dataclass
class Chunk:
    """Rows that are scored together.

    number (int): From 0. n_rows (int): How many there are, rejected ones too.
    rows (list[dict] | RecordBatch): Those that can be scored, all columns.
    numbers, lines, names (list): Of the same rows; see `Reject`. texts (list[str]): Their texts.
    covariates (list[dict]): Their covariates. rejects (list[Reject]): The others.
    position (int): How much of the file has been read, in bytes.
    """

    number: int
    n_rows: int = 0
    rows: Any = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    covariates: list[dict[str, float | None]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    position: int = 0


@dataclass(frozen=True)
class SourceSettings:
    """What to read, and how.

    path (str): CSV, TSV or JSONL file, also with .gz, or Parquet file.
    text (str): Column of the texts. id_column (str | None): Column that names a row.
    encoding (str): Of a file that is text. rows (int): In a chunk. limit (int | None): In all.
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


class Source:
    """A table to read.

    kind (str): "csv", "tsv", "jsonl" or "parquet".
    columns (list[str]): Its columns; of JSONL, the fields of the first row that has any.
    schema (Schema | None): Of a Parquet file.
    """

    def __init__(self, settings: SourceSettings) -> None:
        """settings (SourceSettings): What to read.
        RAISES (ValueError, FileNotFoundError, ImportError): It can't be read, or lacks a column."""
        self.settings = settings
        self.path = Path(settings.path)
        self.kind = table_kind(self.path)
        check_encoding(settings.encoding)
        self.schema: pa.Schema | None = None
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} does not exist. Expected a table of texts.")
        if self.kind == "parquet":
            self.schema = _open_parquet(self.path).schema_arrow
            self.columns = list(self.schema.names)
            self._check_text_type()
        else:
            self.columns = self._first_columns()
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
        made = self._parquet_chunks() if self.kind == "parquet" else self._text_chunks()
        for chunk in made:
            if chunk.number >= start:
                yield chunk

    def _first_columns(self) -> list[str]:
        with Decoded(self.path, self.settings.encoding) as file_:
            if self.kind == "jsonl":
                found = (record.values for record in json_records(file_))
                return list(next((values for values in found if values is not None), {}))
            header = next(csv_records(file_, DELIMITERS[self.kind]), None)
        if header is None or not isinstance(header.values, list):
            reason = "it is empty" if header is None else header.reason
            raise ValueError(f"Can't read {self.path}: {reason}. Expected a header and rows.")
        columns = header.values
        if len(set(columns)) < len(columns):
            raise ValueError(f"{self.path}: its header names a column twice: {', '.join(columns)}.")
        return columns

    def _text_chunks(self) -> Iterator[Chunk]:
        with Decoded(self.path, self.settings.encoding) as file_:
            records = self._json_rows(file_) if self.kind == "jsonl" else self._csv_rows(file_)
            chunk, characters = Chunk(0), 0
            for number, record in enumerate(records, start=1):
                chunk.n_rows += 1
                self._add(chunk, number, record)
                characters += len(record.raw)
                chunk.position = file_.position
                is_last = number == self.settings.limit
                if is_last or self._is_full(chunk, characters):
                    yield chunk
                    chunk, characters = Chunk(chunk.number + 1), 0
                if is_last:
                    return
            if chunk.n_rows:
                chunk.position = file_.position
                yield chunk

    def _is_full(self, chunk: Chunk, characters: int) -> bool:
        return chunk.n_rows >= self.settings.rows or characters >= MAX_CHARACTERS

    def _csv_rows(self, file_: Decoded) -> Iterator[Record]:
        records = csv_records(file_, DELIMITERS[self.kind])
        next(records)  # the header
        for record in records:
            values = record.values
            if isinstance(values, list):
                if len(values) != len(self.columns):
                    record.reason = (
                        f"has {len(values)} fields, not {len(self.columns)} as the header"
                    )
                else:
                    record.values = dict(zip(self.columns, values, strict=True))
            yield record

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
        chunk.covariates.append(covariates)

    def _settle(self, values: Mapping[str, Any]) -> tuple[str, dict[str, float | None], str]:
        """RETURNS (tuple): Text and covariates of a row, and what is wrong with them."""
        text = values[self.settings.text]
        text = "" if text is None else text
        if not isinstance(text, str):
            return "", {}, f"column {self.settings.text!r} holds {text!r:.60}, which is no text"
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                return "", {}, "the text has half a character (a lone surrogate)"
        covariates: dict[str, float | None] = {}
        for name in self.settings.covariates:
            found = parse_number(values.get(name))
            if math.isinf(found):
                return (
                    "",
                    {},
                    f"column {name!r} holds {values[name]!r:.60}, which is no finite number",
                )
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
                    self._add(chunk, seen + row - start + 1, Record(None, raw, values, "", None))
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
