"""Rows that are scored together, and rows that can't be."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.tables.records import parse_object


@dataclass(frozen=True)
class Reject:
    """A row that can't be scored.

    row (int): Its number, from 1 below the header.
    line (int | None): The line on which it begins, if it is of a text file.
    name (str | None): Its id, if a column has such.
    reason (str): Why it can't be scored.
    raw (str): Its content; a byte that is no character as \\xff.
    raw_base64 (str | None): Its bytes, if there are such.
    """

    row: int
    line: int | None
    name: str | None
    reason: str
    raw: str
    raw_base64: str | None = None

    def to_json(self) -> str:
        """Make its line of OUTPUT.errors.jsonl."""
        fields = {"row": self.row, "line": self.line, "id": self.name, "reason": self.reason}
        fields |= {"raw": self.raw, "raw_base64": self.raw_base64}
        return json.dumps({key: value for key, value in fields.items() if value is not None})


def is_rejects_file(path: Path) -> bool:
    """Tell whether a file holds rejected rows, or nothing, or does not exist."""
    if not path.exists():
        return True
    with path.open(encoding="utf-8", errors="replace") as file_:
        line = file_.readline()
    row, _ = parse_object(line)
    return not line or (row is not None and {"row", "reason", "raw"} <= set(row))


@dataclass
class Chunk:
    """Rows that are scored together.

    number (int): Of the chunk, from 0.
    n_rows (int): All rows, rejected ones too.
    rows (list[dict] | RecordBatch): The rows that can be scored, all columns.
    numbers, lines, names (list): Of these rows, see `Reject`.
    texts (list[str]): Their texts.
    covariates (list[dict]): Their covariates by name.
    rejects (list[Reject]): The other rows.
    position (int): How much of the file has been read, in bytes.
    n_lines (int): Lines of a CSV or TSV file that all rows take.
    n_controls (int): Texts with control characters of latin-1.
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
    n_lines: int = 0
    n_controls: int = 0
