"""Rows of text files: CSV, TSV and JSONL, whatever is wrong with some of them."""

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..tables import LONGEST_FIELD, check_encoding, parse_object

# A quote that nothing closes would take in the rest of the file.
LONGEST_QUOTED = 2**27


@dataclass
class Record:
    """A row of a text file.

    line (int | None): On which line it begins, from 1. raw (str): What is there, without the end of
        line; a byte that is no character as \\xff.
    values (list[str] | dict[str, Any] | None): Its fields, if it can be read.
    reason (str): Why it can't be. data (bytes | None): What is there, if not all are characters.
    """

    line: int | None
    raw: str
    values: Any
    reason: str
    data: bytes | None


class Decoded:
    """A text file, gzipped or not. What is no character becomes a lone surrogate."""

    def __init__(self, path: Path, encoding: str) -> None:
        """path (Path): The file. encoding (str): Its encoding."""
        self._path = path
        self.encoding = encoding

    def __enter__(self) -> "Decoded":
        self._file = self._path.open("rb")
        content: Any = self._file
        if self._path.suffix.lower() == ".gz":
            content = gzip.GzipFile(fileobj=self._file)
        self._text = io.TextIOWrapper(
            content, check_encoding(self.encoding), "surrogateescape", newline=""
        )
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


def csv_records(file_: Decoded, delimiter: str) -> Iterator[Record]:
    """file_ (Decoded): CSV or TSV. delimiter (str): "," or a tab.
    YIELDS (Record): Each row, the header too."""
    lines = _Lines(file_)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
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
        yield _record(file_, line, "".join(lines.taken), values, reason)


def json_records(file_: Decoded) -> Iterator[Record]:
    """file_ (Decoded): JSONL. YIELDS (Record): Each line that is not empty."""
    for line, content in enumerate(file_.lines(), start=1):
        if content.strip():
            values, reason = parse_object(content)
            yield _record(file_, line, content, values, reason)


def _record(file_: Decoded, line: int, raw: str, values: Any, reason: str) -> Record:
    raw = raw.rstrip("\r\n")
    data = None
    if not raw.isascii():
        try:
            raw.encode()
        except UnicodeEncodeError:
            data = raw.encode(file_.encoding, "surrogateescape")
            raw = data.decode(file_.encoding, "backslashreplace")
            reason, values = f"has bytes that are not {file_.encoding}", None
    return Record(line, raw, values, reason, data)


class _Lines:
    """Lines for the csv module, which can be given back."""

    def __init__(self, file_: Decoded) -> None:
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
