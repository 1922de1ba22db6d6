"""Reading a table in chunks, so that no more than one is in memory.

Where a chunk ends depends on the table alone. So a job that was stopped and goes on scores the same
texts together, and its numbers are the same to the last bit.
"""

import base64
import csv
import gzip
import io
import json
import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tables import LONGEST_FIELD, check_encoding, parse_number, table_kind

if TYPE_CHECKING:
    import pyarrow as pa

# A chunk ends, too, when its rows have as many characters: a text may have ten million.
MAX_CHARACTERS = 2**24
# A quote that nothing closes would take in the rest of the file.
LONGEST_QUOTED = 2**27


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
        self.encoding = check_encoding(settings.encoding)
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
        with _Decoded(self.path, self.encoding) as file_:
            if self.kind == "jsonl":
                for line in file_.lines():
                    row, _ = _parse_json(line)
                    if row is not None:
                        return list(row)
                return []
            header = next(self._fields(file_), None)
        if header is None or not isinstance(header.values, list):
            reason = "it is empty" if header is None else header.reason
            raise ValueError(f"Can't read {self.path}: {reason}. Expected a header and rows.")
        columns = header.values
        if len(set(columns)) < len(columns):
            raise ValueError(f"{self.path}: its header names a column twice: {', '.join(columns)}.")
        return columns

    def _text_chunks(self) -> Iterator[Chunk]:
        with _Decoded(self.path, self.encoding) as file_:
            records = self._json_records(file_) if self.kind == "jsonl" else self._records(file_)
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

    def _records(self, file_: "_Decoded") -> Iterator["_Record"]:
        records = self._fields(file_)
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

    def _fields(self, file_: "_Decoded") -> Iterator["_Record"]:
        """YIELDS (_Record): Fields of each row of a CSV or TSV file, the header too."""
        lines = _Lines(file_)
        reader = csv.reader(lines, delimiter="," if self.kind == "csv" else "\t", strict=True)
        while True:
            lines.taken.clear()
            line = lines.number + 1
            usual = csv.field_size_limit(min(LONGEST_QUOTED, LONGEST_FIELD))
            try:
                values, reason = next(reader), ""
            except StopIteration:
                return
            except csv.Error as error:
                values, reason = None, str(error)
                if lines.is_at_end or "limit" in reason:
                    # Of a quote that nothing closes, only its own line is at fault.
                    lines.give_back()
            finally:
                # The limit is the whole program's: others count on it.
                csv.field_size_limit(usual)
            if values == []:
                continue
            yield self._record(line, "".join(lines.taken), values, reason)

    def _json_records(self, file_: "_Decoded") -> Iterator["_Record"]:
        for line, content in enumerate(file_.lines(), start=1):
            if content.strip():
                values, reason = _parse_json(content)
                if values is not None:
                    reason = self._check_fields(values)
                yield self._record(line, content, values, reason)

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

    def _record(self, line: int, raw: str, values: Any, reason: str) -> "_Record":
        raw = raw.rstrip("\r\n")
        data = None
        if not raw.isascii():
            try:
                raw.encode()
            except UnicodeEncodeError:
                data = raw.encode(self.settings.encoding, "surrogateescape")
                raw = data.decode(self.settings.encoding, "backslashreplace")
                reason, values = f"has bytes that are not {self.settings.encoding}", None
        return _Record(line, raw, values, reason, data)

    def _add(self, chunk: Chunk, number: int, record: "_Record") -> None:
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
                    self._add(chunk, seen + row - start + 1, _Record(None, raw, values, "", None))
                kept = [start + n - seen - 1 for n in chunk.numbers]
                chunk.rows = batch.take(kept) if chunk.rejects else batch.slice(start, end - start)
                number, seen = number + 1, seen + end - start
                chunk.position = size * seen // total
                yield chunk


@dataclass
class _Record:
    line: int | None
    raw: str
    values: Any
    reason: str
    data: bytes | None


class _Decoded:
    """A text file, gzipped or not. What is no character becomes a lone surrogate."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding

    def __enter__(self) -> "_Decoded":
        self._file = self._path.open("rb")
        content: Any = self._file
        if self._path.suffix.lower() == ".gz":
            content = gzip.GzipFile(fileobj=self._file)
        self._text = io.TextIOWrapper(content, self._encoding, "surrogateescape", newline="")
        return self

    def __exit__(self, *error: object) -> None:
        self._text.close()
        self._file.close()

    @property
    def position(self) -> int:
        """RETURNS (int): How many bytes of the file have been read."""
        return self._file.tell()

    def lines(self) -> Iterator[str]:
        """YIELDS (str): Lines, with their ends.
        RAISES (ValueError): The file is gzipped, and damaged."""
        try:
            yield from self._text
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"Can't read {self._path} to its end: {error}.") from error


class _Lines:
    """Lines for the csv module, which can be given back."""

    def __init__(self, file_: _Decoded) -> None:
        self._lines = file_.lines()
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0
        self.is_at_end = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines, None)
        self.is_at_end = line is None
        if line is None:
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """Give all back that was taken, but the first line."""
        self._returned.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def _parse_json(line: str) -> tuple[dict[str, Any] | None, str]:
    """RETURNS (tuple): A line's fields, and what is wrong with it."""
    try:
        row = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, "is no JSON object")


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
