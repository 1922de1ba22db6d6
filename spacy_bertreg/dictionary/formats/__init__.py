"""Reads lexicons from files, in the formats in which they are published."""

import csv
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..lexicon import Lexicon
from .categories import read_lexicoder, read_wordstat, read_yaml, read_yoshikoder
from .liwc import read_dic, read_dicx
from .rows import Duplicates, Row, Source, check_terms, merge_duplicates, to_lexicon
from .tables import read_csv, read_jsonl, read_tsv

__all__ = ["Duplicates", "parse_saved", "read_lexicon"]

READERS: dict[str, Callable[[str, Source], Iterator[Row]]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".txt": read_tsv,
    ".jsonl": read_jsonl,
    ".dic": read_dic,
    ".dicx": read_dicx,
    ".yml": read_yaml,
    ".yaml": read_yaml,
    ".lc3": read_lexicoder,
    ".ykd": read_yoshikoder,
    ".cat": read_wordstat,
}
ENDINGS = ", ".join(READERS)

# Curly quotes and dashes in Windows' code page 1252.
WINDOWS_MARKS = range(0x91, 0x98)


def read_lexicon(
    path: str | Path,
    *,
    case_sensitive: bool = False,
    duplicates: Duplicates = "error",
    encoding: str = "utf-8",
) -> Lexicon:
    """Read a lexicon. The file's ending tells its format:

    - .csv (comma-separated) and .tsv or .txt (tab-separated): with a header, the columns term, and
      weight, category or both, in any order; without one, term and weight. The files of NRC (term,
      category and weight), VADER and SentiWS are recognised by their columns.
    - .jsonl: objects with term, and weight, category or both.
    - .dic: LIWC's numbered categories, and terms with the numbers of theirs; .dicx: a column for
      each category.
    - .yml, .yaml: categories, possibly nested, of lists of terms, as quanteda writes them.
    - .lc3, .ykd, .cat: such lists from Lexicoder, Yoshikoder and WordStat.

    A term of a category without a weight has the weight 1. Repeated lines are left out.

    path (str | Path): The file.
    case_sensitive (bool): Whether terms that differ only in case are different.
    duplicates (str): Which weight counts if a term has several in a category: that of its "first"
        or "last" line, or their "mean"; "error" to refuse such a term.
    encoding (str): The file's encoding.
    RETURNS (Lexicon): The terms, in the file's order.
    RAISES (FileNotFoundError): There is no such file.
    RAISES (ValueError): The file has another encoding, holds no term, or a line lacks a term or a
        finite weight, or a term has several weights. The message names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Lexicon {path} does not exist. Expected one of {ENDINGS}.")
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"Lexicon {path} has an unknown format. Expected one of {ENDINGS}.")
    source = Source(str(path))
    rows = check_terms(read(_read_text(path, encoding), source), source)
    rows = merge_duplicates(rows, source, case_sensitive=case_sensitive, duplicates=duplicates)
    if not rows:
        raise ValueError(
            f"Lexicon {path} holds no terms. Expected terms with weights, or {ENDINGS}."
        )
    return to_lexicon(rows, source)


def parse_saved(text: str, name: str) -> Lexicon:
    """Parse what `Lexicon.to_csv` gave, with its frequencies and contributions.

    text (str): The table.
    name (str): Its name in errors.
    RETURNS (Lexicon): The same lexicon.
    """
    source = Source(name)
    lexicon = to_lexicon(check_terms(read_csv(text, source), source), source)
    header, *rows = csv.reader(io.StringIO(text))
    if "document_frequency" not in header:
        return lexicon
    first = header.index("document_frequency")
    numbers = [[math.nan if field == "" else float(field) for field in row[first:]] for row in rows]
    table = np.array(numbers).reshape(len(rows), len(header) - first)
    frequency = tuple(table[:, 0].astype(int).tolist())
    return replace(lexicon, document_frequency=frequency, contribution=table[:, 1:].copy())


def _read_text(path: Path, encoding: str) -> str:
    # Windows puts a byte order mark before UTF-8.
    is_utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    try:
        return path.read_text(encoding="utf-8-sig" if is_utf8 else encoding)
    except LookupError as error:
        raise ValueError(
            f"encoding is {encoding!r} for the lexicon {path}. Expected one that Python knows, such"
            " as 'utf-8' or 'cp1252'."
        ) from error
    except UnicodeError as error:
        found = str(error)
        if isinstance(error, UnicodeDecodeError):
            line = error.object.count(b"\n", 0, error.start) + 1
            found = f"line {line} holds the byte 0x{error.object[error.start]:02x}"
        data = path.read_bytes()
        other = "latin-1"
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            other = "utf-16"
        elif any(byte in WINDOWS_MARKS for byte in data):
            other = "cp1252"
        raise ValueError(
            f"Lexicon {path} is not {encoding.upper()}: {found}. Expected its encoding in the "
            f'initialization, perhaps encoding = "{other}".'
        ) from error
