"""Writing scored rows so that a job which was stopped can go on."""

import csv
import gzip
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..data.tables.kinds import table_kind
from .source import Source

# Rows that a Parquet file keeps together.
ROW_GROUP = 65536
# Names of the parts of one that is not whole.
PART = r"\d{8}\.parquet"

Predictions = Mapping[str, Sequence[float]]


class TextSink:
    """A CSV, TSV or JSONL file that grows, gzipped or not, in UTF-8.

    What was written after the last `commit` is taken off again by `restore`.
    """

    def __init__(self, path: Path, output: Path, columns: Sequence[str]) -> None:
        """path (Path): The growing file. output (Path): What it shall become.
        columns (Sequence[str]): Of the output; not needed for JSONL."""
        self.path = path
        self._kind = table_kind(output)
        self._is_gzipped = output.suffix.lower() == ".gz"
        self._columns = list(columns)
        self._file: Any = None

    def restore(self, size: int | None) -> None:
        """size (int | None): What `commit` gave last; None to begin anew."""
        self._file = self.path.open("ab")
        self._file.truncate(size or 0)
        if size is None and self._kind != "jsonl":
            self._append(self._csv([self._columns]))

    def write(self, rows: Any, predictions: Predictions) -> None:
        """rows (list[dict] | RecordBatch): All columns of some rows. predictions (Mapping): The
        columns to add."""
        own = rows if isinstance(rows, list) else rows.to_pylist()
        names = list(predictions)
        added = [
            dict(zip(names, numbers, strict=True))
            for numbers in zip(*predictions.values(), strict=True)
        ]
        whole = [row | more for row, more in zip(own, added, strict=True)]
        if self._kind == "jsonl":
            self._append("".join(map(_json_line, whole)))
        else:
            self._append(self._csv([[_cell(row.get(c)) for c in self._columns] for row in whole]))

    def commit(self) -> int:
        """RETURNS (int): What `restore` takes to come back to here."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def finish(self) -> Path:
        """RETURNS (Path): The whole file, to be given its name."""
        self.close()
        return self.path

    def close(self) -> None:
        """Close the file. What could not be written is not in the last `commit` either."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _csv(self, rows: Sequence[Sequence[Any]]) -> str:
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
    """A Parquet file, whose parts are kept as files until all are there: it has its index at its
    end, so it can't grow."""

    def __init__(self, path: Path, source: Source, added: Sequence[str]) -> None:
        """path (Path): Folder for the parts. source (Source): Where the rows are from.
        added (Sequence[str]): Names of the predictions."""
        self.path = path
        self._added = added
        self._schema = source.schema
        if source.kind in ("csv", "tsv"):
            import pyarrow as pa

            self._schema = pa.schema([(name, pa.string()) for name in source.columns])
        elif source.frame is not None:
            import pyarrow as pa

            try:
                self._schema = pa.Schema.from_pandas(source.frame, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
                raise ValueError(
                    f"The columns of {source.path} don't fit a Parquet file: {error}. Expected the "
                    "same kind of values in all rows of a column, or an output that ends in .jsonl."
                ) from error
        self._n_parts = 0

    def restore(self, n_parts: int | None) -> None:
        """n_parts (int | None): What `commit` gave last; None to begin anew."""
        self.path.mkdir(exist_ok=True)
        self._n_parts = n_parts or 0
        for path in self.path.iterdir():
            if re.fullmatch(PART, path.name) and int(path.stem) >= self._n_parts:
                path.unlink()

    def write(self, rows: Any, predictions: Predictions) -> None:
        """rows (list[dict] | RecordBatch): All columns of some rows. predictions (Mapping): The
        columns to add.
        RAISES (ValueError): A value does not fit the type that those before had."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._schema is None and self._n_parts:
            first = pq.read_schema(self._part(0))
            self._schema = pa.schema([f for f in first if f.name not in predictions])
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
        for name, numbers in predictions.items():
            table = table.append_column(name, pa.array(numbers, pa.float64()))
        path = self._part(self._n_parts)
        pq.write_table(table, path)
        _sync(path)
        self._n_parts += 1

    def commit(self) -> int:
        """RETURNS (int): What `restore` takes to come back to here."""
        return self._n_parts

    def finish(self) -> Path:
        """RETURNS (Path): The whole file, to be given its name."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._n_parts:
            self.write([], {name: [] for name in self._added})
        whole = self.path.with_name("whole.parquet")
        schema = pq.read_schema(self._part(0))
        waiting: list[Any] = []
        with pq.ParquetWriter(whole, schema) as writer:
            for number in range(self._n_parts):
                waiting.append(pq.read_table(self._part(number)))
                if number + 1 == self._n_parts or sum(map(len, waiting)) >= ROW_GROUP:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=ROW_GROUP)
                    waiting = []
        _sync(whole)
        return whole

    def close(self) -> None:
        """Nothing is open."""

    def _part(self, number: int) -> Path:
        return self.path / f"{number:08d}.parquet"


Sink = TextSink | ParquetSink


def make_sink(folder: Path, output: Path, source: Source, added: Sequence[str]) -> Sink:
    """folder (Path): Where to keep what is not whole. output (Path): What shall come of it.
    source (Source): Where the rows are from. added (Sequence[str]): Names of the predictions.
    RETURNS (TextSink | ParquetSink): For the output's kind."""
    if table_kind(output) == "parquet":
        return ParquetSink(folder / "parts", source, added)
    return TextSink(folder / "rows", output, [*source.columns, *added])


def _sync(path: Path) -> None:
    """Make sure that a file is on disk."""
    with path.open("rb+") as file_:
        os.fsync(file_.fileno())


def _json_line(row: Mapping[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False, default=str)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        line = json.dumps(row, default=str)  # half a character, which only an escape can say
    return f"{line}\n"


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, (list, dict)) else value
