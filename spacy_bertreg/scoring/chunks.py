"""Rows that are scored together, and rows that can't be."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.tables.records import parse_object


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
    n_lines (int): How many lines of a CSV or TSV file its rows take.
    n_controls (int): How many of the texts have control characters of latin-1.
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
