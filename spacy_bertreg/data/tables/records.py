"""Rows of CSV, TSV and JSONL files, even if some rows are wrong."""

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

from .kinds import resolve_encoding

# The csv module's own limit, 131,072 characters, is less than a book or a long report has. Without
# a limit, a quotation mark that is never closed would take in the rest of the file.
LONGEST_QUOTED = 2**27
# Stand for bytes that are no characters.
ESCAPED = re.compile("[\udc00-\udcff]+")
# 0x80 to 0x9f that Windows-1252 has characters for, most of them quotation marks and dashes; in
# latin-1 all of them are control characters.
WINDOWS = frozenset(range(0x80, 0xA0)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}
BYTE_ORDER_MARKS = ("\xff\xfe", "\xfe\xff")

Row = tuple[list[str] | None, str]


@dataclass
class Record:
    """A row of a text file.

    line (int | None): Number of the line where it begins, from 1.
    raw (str): Its text, without the line end; a byte that is no character as \\xff.
    values (list[str] | dict[str, Any] | None): Its fields, if it can be read.
    reason (str): Why it can't be read.
    data (bytes | None): Its bytes, if some are no characters.
    undecodable (str): Which bytes are no characters, and where.
    n_lines (int): Number of its lines, with the blank ones before it.
    """

    line: int | None
    raw: str
    values: Any
    reason: str
    data: bytes | None = None
    undecodable: str = ""
    n_lines: int = 1


class TextFile:
    """Lines of a text file, gzipped or not, with their line ends.

    Bytes that are no characters become lone surrogates.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self.encoding = encoding

    def __enter__(self) -> "TextFile":
        self._file = self._path.open("rb")
        content: Any = self._file
        if self._path.suffix.lower() == ".gz":
            content = gzip.GzipFile(fileobj=self._file)
        self._text = io.TextIOWrapper(
            content, resolve_encoding(self.encoding), "spacy-bertreg.escape", newline=""
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._text.close()
        self._file.close()

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._file.tell()

    def __iter__(self) -> Iterator[str]:
        try:
            yield from self._text
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"Can't read {self._path} to its end: {error}.") from error


def csv_records(
    file_: TextFile | io.StringIO, delimiter: str, *, quoted: bool = True, skip: int = 0
) -> Iterator[Record]:
    """Read the rows of a CSV or TSV file, the header too.

    file_ (TextFile | StringIO): The file, or a text in memory, made with `newline=""`.
    delimiter (str): Character between fields.
    quoted (bool): Whether fields may stand in quotation marks.
    skip (int): Number of lines to leave out first.
    YIELDS (Record): Each row that is not blank.
    """
    lines = _Lines(iter(file_))
    for _ in range(skip):
        next(lines, None)
    lines.taken.clear()
    n_blank = 0
    for values, reason in (_quoted_rows if quoted else _plain_rows)(lines, delimiter):
        if values == []:
            n_blank += 1
        else:
            line = lines.number - len(lines.taken) + 1
            record = _make_record(
                line, "".join(lines.taken), values, reason, file_.encoding or "utf-8"
            )
            record.n_lines, n_blank = len(lines.taken) + n_blank, 0
            yield record
        lines.taken.clear()


def _quoted_rows(lines: "_Lines", delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        row: Row
        # The limit is the whole program's: set it back for others.
        limit = csv.field_size_limit(LONGEST_QUOTED)
        try:
            row = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            row = None, str(error)
            if lines.is_at_end or "limit" in str(error):
                # A quotation mark that is never closed spoils only its own line.
                lines.give_back()
        finally:
            csv.field_size_limit(limit)
        yield row


def _plain_rows(lines: "_Lines", delimiter: str) -> Iterator[Row]:
    for line in lines:
        content = line.rstrip("\r\n")
        yield content.split(delimiter) if content else [], ""


class _Lines:
    """Lines for the csv module, which can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
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
        """Give back all lines that were taken, except the first."""
        self._returned.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def json_records(file_: TextFile) -> Iterator[Record]:
    """Read the lines of a JSONL file that are not empty."""
    for line, content in enumerate(file_, start=1):
        if content.strip():
            yield _make_record(line, content, *parse_object(content), file_.encoding)


def parse_object(line: str) -> tuple[dict[str, Any] | None, str]:
    """Parse a line of a JSONL file: its fields, or None and what is wrong with it."""
    try:
        row = json.loads(line.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, "is no JSON object")


def suggest_encoding(path: Path, encoding: str) -> str:
    """Say what to do about a file's bytes that are no characters; empty if there are none.

    path (Path): A text file.
    encoding (str): The encoding that it was read in.
    """
    with TextFile(path, encoding) as file_:
        lines = (line for line in file_ if not line.isascii())
        found = {byte for line in lines for part in ESCAPED.findall(line) for byte in _bytes(part)}
    if not found:
        return ""
    with TextFile(path, "latin-1") as file_:
        start = next(iter(file_), "")
    if start.startswith(BYTE_ORDER_MARKS) and "16" not in encoding:
        return "It begins like UTF-16: --encoding utf-16."
    controls = {byte for byte in found if 0x80 <= byte < 0xA0}
    if "16" in encoding or "32" in encoding or not controls <= WINDOWS:
        return "If it is in another encoding, name it with --encoding."
    if controls:
        return "It looks like a file from Windows: --encoding cp1252."
    return "If it is in another encoding, name it, such as --encoding latin-1."


def _make_record(line: int, raw: str, values: Any, reason: str, encoding: str) -> Record:
    raw = raw.rstrip("\r\n")
    escaped = None if raw.isascii() else ESCAPED.search(raw)
    if escaped is None:
        return Record(line, raw, values, reason)
    at = line + len(re.findall("\r\n|\r|\n", raw[: escaped.start()]))
    found = [f"0x{byte:02x}" for byte in _bytes(escaped.group())]
    what, verb = ("the byte", "is") if len(found) == 1 else ("the bytes", "are")
    undecodable = f"line {at} has {what} {' '.join(found)}, which {verb} not {encoding}"
    if isinstance(values, list):
        field = next(n for n, value in enumerate(values, start=1) if ESCAPED.search(value))
        undecodable += f", in field {field}"
    # Name the byte order: otherwise each part would begin with a byte order mark.
    name = codecs.lookup(encoding).name
    codec = f"{name}-le" if name in ("utf-16", "utf-32") else encoding
    data = b"".join(
        _bytes(part) if ESCAPED.fullmatch(part) else part.encode(codec)
        for part in re.split(f"({ESCAPED.pattern})", raw)
    )
    raw = ESCAPED.sub(lambda match: "".join(f"\\x{b:02x}" for b in _bytes(match.group())), raw)
    return Record(line, raw, None, f"has bytes that are not {encoding}", data, undecodable)


def _bytes(escaped: str) -> bytes:
    return bytes(ord(character) - 0xDC00 for character in escaped)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + b) for b in error.object[error.start : error.end]), error.end


# Python's "surrogateescape" fails for bytes below 0x80, which half a character of UTF-16 may have.
codecs.register_error("spacy-bertreg.escape", _escape)
