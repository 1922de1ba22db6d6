"""Files that grow with a job and can be cut back to the last checkpoint."""

import csv
import gzip
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..data.tables.kinds import table_kind
from .source import Source

if TYPE_CHECKING:
    import pyarrow as pa

# Rows that a Parquet file keeps together.
ROW_GROUP = 65536
# Names of the parts of a Parquet file that is not complete.
PART = r"\d{8}\.parquet"


class TextSink:
    """A CSV, TSV or JSONL file that grows, gzipped or not, in UTF-8.

    See `make_sink` for the arguments.
    """

    def __init__(self, folder: Path, output: Path, source: Source, added: Sequence[str]) -> None:
        self._path = folder / "rows"
        self._kind = table_kind(output)
        self._is_gzipped = output.suffix.lower() == ".gz"
        self._columns = source.columns
        self._added = added
        self._file: Any = None

    def restore(self, size: int | None) -> None:
        """Open the file, and cut off what was written after a commit.

        size (int | None): What `commit` returned; None to begin anew.
        """
        self._file = self._path.open("ab")
        self._file.truncate(size or 0)
        if size is None and self._kind != "jsonl":
            self._append(self._to_csv([[*self._columns, *self._added]]))

    def write(self, rows: Any, predictions: Sequence[Sequence[float]]) -> None:
        """Append rows.

        rows (list[dict] | RecordBatch): All columns of the input.
        predictions (Sequence[Sequence[float]]): The columns to add, for each row.
        """
        dicts = rows if isinstance(rows, list) else rows.to_pylist()
        pairs = zip(dicts, predictions, strict=True)
        if self._kind == "jsonl":
            lines = (_to_json(row | dict(zip(self._added, p, strict=True))) for row, p in pairs)
            self._append("".join(lines))
        else:
            self._append(
                self._to_csv(
                    [[*(_cell(row.get(c)) for c in self._columns), *p] for row, p in pairs]
                )
            )

    def commit(self) -> int:
        """Make sure that all is on disk, and return what `restore` takes to come back to here."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def finish(self) -> None:
        """Do nothing more: the file is complete."""

    def close(self) -> None:
        """Close the file. What could not be written is not in the last `commit` either."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _to_csv(self, rows: Sequence[Sequence[Any]]) -> str:
        lines: list[str] = []
        separator = "," if self._kind == "csv" else "\t"
        # Before Python 3.11.9, "\r" in a field is put in quotes only if lines end in it, too.
        end = "\r\n"
        target = SimpleNamespace(write=lines.append)
        csv.writer(target, delimiter=separator, lineterminator=end).writerows(rows)
        return "".join(f"{line.removesuffix(end)}\n" for line in lines)

    def _append(self, content: str) -> None:
        data = content.encode("utf-8")
        # Each piece is a gzip file of its own; put end to end, they are one.
        self._file.write(gzip.compress(data, mtime=0) if self._is_gzipped else data)


class ParquetSink:
    """A Parquet file. It has its index at its end, so it can't grow: each chunk is a file of its
    own, and `finish` puts them together. See `make_sink` for the arguments.
    """

    def __init__(self, folder: Path, source: Source, added: Sequence[str]) -> None:
        self._folder = folder / "parts"
        self._added = added
        self._schema = _find_schema(source)
        self._n_parts = 0

    def restore(self, n_parts: int | None) -> None:
        """Delete the parts that were written after a commit.

        n_parts (int | None): What `commit` returned; None to begin anew.
        """
        self._folder.mkdir(exist_ok=True)
        self._n_parts = n_parts or 0
        for path in self._folder.iterdir():
            if re.fullmatch(PART, path.name) and int(path.stem) >= self._n_parts:
                path.unlink()

    def write(self, rows: Any, predictions: Sequence[Sequence[float]]) -> None:
        """Write rows to a new part; see `TextSink.write`.

        RAISES (ValueError): A value does not fit the type that those before had.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._schema is None and self._n_parts:
            first = pq.read_schema(self._part(0))
            self._schema = pa.schema([field for field in first if field.name not in self._added])
        try:
            batch = (
                pa.RecordBatch.from_pylist(rows, schema=self._schema)
                if isinstance(rows, list)
                else rows
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise ValueError(
                f"The fields of these rows don't fit one Parquet file: {error}. Expected the same "
                "kinds of values in all rows, or an output that ends in .jsonl."
            ) from error
        table = pa.Table.from_batches([batch])
        for place, name in enumerate(self._added):
            column = pa.array([numbers[place] for numbers in predictions], pa.float64())
            table = table.append_column(name, column)
        path = self._part(self._n_parts)
        pq.write_table(table, path)
        _sync(path)
        self._n_parts += 1

    def commit(self) -> int:
        """Return what `restore` takes to come back to here. Parts are on disk already."""
        return self._n_parts

    def finish(self) -> None:
        """Put the parts together in one file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._n_parts:
            self.write([], [])
        whole = self._folder.with_name("whole.parquet")
        waiting: list[Any] = []
        with pq.ParquetWriter(whole, pq.read_schema(self._part(0))) as writer:
            for number in range(self._n_parts):
                waiting.append(pq.read_table(self._part(number)))
                if number + 1 == self._n_parts or sum(map(len, waiting)) >= ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=ROW_GROUP)
                    waiting = []
        _sync(whole)

    def close(self) -> None:
        """Do nothing: no file is open."""

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:08d}.parquet"


Sink = TextSink | ParquetSink


def make_sink(folder: Path, output: Path, source: Source, added: Sequence[str]) -> Sink:
    """Make the sink for an output's kind.

    folder (Path): Folder for what is not complete.
    output (Path): What it will be moved to; its name says the kind.
    source (Source): Where the rows are from.
    added (Sequence[str]): Columns of the predictions.
    RETURNS (TextSink | ParquetSink): The sink, not yet open: `restore` comes first.
    """
    if table_kind(output) == "parquet":
        return ParquetSink(folder, source, added)
    return TextSink(folder, output, source, added)


def _find_schema(source: Source) -> "pa.Schema | None":
    """Return the types of the input's columns; None for JSONL, where the first rows say them."""
    import pyarrow as pa

    if source.kind in ("csv", "tsv"):
        return pa.schema([(name, pa.string()) for name in source.columns])
    if source.frame is None:
        return source.schema
    try:
        return pa.Schema.from_pandas(source.frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise ValueError(
            f"The columns of {source.path} don't fit a Parquet file: {error}. Expected the "
            "same kind of values in all rows of a column, or an output that ends in .jsonl."
        ) from error


def _sync(path: Path) -> None:
    """Make sure that a file is on disk."""
    with path.open("rb+") as file_:
        os.fsync(file_.fileno())


def _to_json(row: Mapping[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False, default=str)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(row, default=str)  # half a character, which only an escape can say
    return f"{line}\n"


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, (list, dict)) else value
