"""Rows of text files: CSV, TSV and JSONL, whatever is wrong with some of them."""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .kinds import check_encoding

# The csv module's own limit, 131,072 characters, is less than a book or a long report has. But a
# quote that nothing closes would take in the rest of the file.
LONGEST_QUOTED = 2**27
# What stands for bytes that are no characters.
ESCAPED = re.compile("[\udc00-\udcff]+")
# 0x80 to 0x9f that Windows-1252 has characters for, most of them quotation marks and dashes; in
# latin-1 all of them are control characters.
WINDOWS = frozenset(range(0x80, 0xA0)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}


@dataclass
class Record:
    """A row of a text file.

    line (int | None): On which line it begins, from 1. raw (str): What is there, without the end of
        line; a byte that is no character as \\xff.
    values (list[str] | dict[str, Any] | None): Its fields, if it can be read.
    reason (str): Why it can't be. data (bytes | None): What is there, if not all are characters.
    undecodable (str): If so, where and what.
    n_lines (int): How many lines it takes, with the blank ones before it.
    """

    line: int | None
    raw: str
    values: Any
    reason: str
    data: bytes | None = None
    undecodable: str = ""
    n_lines: int = 1


class Decoded:
    """A text file, gzipped or not. Bytes that are no characters become lone surrogates."""

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
            content, check_encoding(self.encoding), "spacy-bertreg.escape", newline=""
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


class Written:
    """A text in memory, whose lines are read as those of a file."""

    encoding = "utf-8"

    def __init__(self, text: str) -> None:
        """text (str): The text."""
        self._text = text

    def lines(self) -> Iterator[str]:
        """YIELDS (str): Lines, with their ends."""
        yield from io.StringIO(self._text, newline="")


def csv_records(
    file_: Decoded | Written, delimiter: str, *, quoted: bool = True, skip: int = 0
) -> Iterator[Record]:
    """file_ (Decoded | Written): CSV or TSV. delimiter (str): Between fields.
    quoted (bool): Whether fields may stand in quotation marks.
    skip (int): Number of lines to leave out first.
    YIELDS (Record): Each row, the header too."""
    lines = _Lines(file_)
    for _ in range(skip):
        next(lines, None)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    blank = 0
    while True:
        lines.taken.clear()
        line = lines.number + 1
        values: list[str] | None
        if quoted:
            usual = csv.field_size_limit(LONGEST_QUOTED)
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
        else:
            content = next(lines, None)
            if content is None:
                return
            content = content.rstrip("\r\n")
            values, reason = content.split(delimiter) if content else [], ""
        if values == []:
            blank += 1
            continue
        record = _record(file_, line, "".join(lines.taken), values, reason)
        record.n_lines, blank = len(lines.taken) + blank, 0
        yield record


def json_records(file_: Decoded) -> Iterator[Record]:
    """file_ (Decoded): JSONL. YIELDS (Record): Each line that is not empty."""
    for line, content in enumerate(file_.lines(), start=1):
        if content.strip():
            values, reason = parse_object(content)
            yield _record(file_, line, content, values, reason)


def parse_object(line: str) -> tuple[dict[str, Any] | None, str]:
    """line (str): Of a JSONL file. RETURNS (tuple): Its fields, and what is wrong with it."""
    try:
        row = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, "is no JSON object")


def suggest_encoding(path: Path, encoding: str) -> str:
    """path (Path): A text file. encoding (str): That it was read in.
    RETURNS (str): What to do about bytes in it that are no characters; empty if there are none."""
    found: set[int] = set()
    with Decoded(path, encoding) as file_:
        for line in file_.lines():
            for escaped in () if line.isascii() else ESCAPED.findall(line):
                found.update(_bytes(escaped))
    if not found:
        return ""
    with path.open("rb") as raw:
        start = (gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw).read(2)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and "16" not in encoding:
        return "It begins as UTF-16 does: --encoding utf-16."
    controls = {byte for byte in found if 0x80 <= byte < 0xA0}
    if "16" in encoding or "32" in encoding or not controls <= WINDOWS:
        return "Where it is in another encoding, name it with --encoding."
    if controls:
        return "It looks as if Windows had written it: --encoding cp1252."
    return "Where it is in another encoding, name it, as --encoding latin-1."


def _record(file_: Decoded | Written, line: int, raw: str, values: Any, reason: str) -> Record:
    raw = raw.rstrip("\r\n")
    escaped = None if raw.isascii() else ESCAPED.search(raw)
    if escaped is None:
        return Record(line, raw, values, reason)
    at = line + len(re.findall("\r\n|\r|\n", raw[: escaped.start()]))
    found = _bytes(escaped.group())
    what = "the byte" if len(found) == 1 else "the bytes"
    verb = "is" if len(found) == 1 else "are"
    undecodable = (
        f"line {at} has {what} {' '.join(f'0x{byte:02x}' for byte in found)}, which {verb} not "
        f"{file_.encoding}"
    )
    if isinstance(values, list):
        field = next(n for n, value in enumerate(values, start=1) if ESCAPED.search(value))
        undecodable += f", in field {field}"
    # With an order of bytes named: else each part would begin with a byte order mark.
    name = codecs.lookup(file_.encoding).name
    encoding = f"{name}-le" if name in ("utf-16", "utf-32") else file_.encoding
    parts = re.split(f"({ESCAPED.pattern})", raw)
    data = b"".join(
        _bytes(part) if number % 2 else part.encode(encoding) for number, part in enumerate(parts)
    )
    raw = "".join(
        "".join(f"\\x{byte:02x}" for byte in _bytes(part)) if number % 2 else part
        for number, part in enumerate(parts)
    )
    return Record(line, raw, None, f"has bytes that are not {file_.encoding}", data, undecodable)


def _bytes(escaped: str) -> bytes:
    return bytes(ord(sign) - 0xDC00 for sign in escaped)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + b) for b in error.object[error.start : error.end]), error.end


# Python's own "surrogateescape" stops at bytes below 0x80, as half a character of UTF-16 may have.
codecs.register_error("spacy-bertreg.escape", _escape)


class _Lines:
    """Lines for the csv module, which can be given back."""

    def __init__(self, file_: Decoded | Written) -> None:
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
