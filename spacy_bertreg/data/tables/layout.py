"""How a CSV or TSV file is laid out: its separator, quotation marks and header."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .kinds import TableOptions
from .records import Record, TextFile, csv_records, suggest_encoding

USUAL = {"csv": ",", "tsv": "\t"}
NAMES = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
# Excel's first line, which says what separates the fields.
DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
# Rows that are looked at to tell the separator.
SAMPLE = 200
# Share of them that must have as many fields as the header; some rows may be wrong.
FITTING = 0.9


@dataclass(frozen=True)
class Layout:
    """How a CSV or TSV file is laid out.

    separator (str): Character between fields.
    quoted (bool): Whether fields may stand in quotation marks.
    skip (int): Lines before the header.
    columns (list[str]): Names in the header, without empty ones at its end.
    n_fields (int): How many fields the header has.
    notes (tuple[str, ...]): What was detected.
    """

    separator: str
    quoted: bool
    skip: int
    columns: list[str]
    n_fields: int
    notes: tuple[str, ...]

    def records(self, file_: TextFile) -> Iterator[Record]:
        """Read the rows below the header, with a dict for `values`.

        If the number of fields does not fit the header, they stay a list, and `reason` says so.
        """
        n_columns = len(self.columns)
        rows = csv_records(file_, self.separator, quoted=self.quoted, skip=self.skip)
        for record in islice(rows, 1, None):
            values = record.values
            if values is not None:
                # Fields below empty ends of the header must be empty.
                if n_columns <= len(values) <= self.n_fields and not any(values[n_columns:]):
                    record.values = dict(zip(self.columns, values, strict=False))
                else:
                    record.reason = f"has {len(values)} fields, not {n_columns} as the header"
            yield record


def find_layout(path: Path, kind: str, options: TableOptions) -> Layout:
    """Find out how a file is laid out, where the options don't say it.

    path (Path): The file.
    kind (str): "csv" or "tsv".
    options (TableOptions): What is known about it.
    RETURNS (Layout): Its layout.
    RAISES (ValueError): The file has no header, its header has a name twice, or it can be read with
        several separators.
    """
    with TextFile(path, options.encoding) as file_:
        declared = DECLARED.fullmatch(next(iter(file_), "").rstrip("\r\n"))
    skip = int(declared is not None)
    notes = []
    reader = _Reader(path, options, skip)
    if options.separator is not None:
        separator = options.separator
    elif declared is not None:
        separator = declared.group(1)
    else:
        separator = reader.detect_separator(USUAL[kind])
    if separator != USUAL[kind]:
        notes.append(f"The fields are separated by {NAMES.get(separator, repr(separator))}")
    quoted = options.quoting != "none"
    if options.quoting == "auto" and separator == "\t":
        quoted = reader.is_quoted(separator)
        if not quoted and reader.has_quotes(separator):
            notes.append("Quotation marks are read as ordinary characters (--quoting none)")
    header = next(reader.records(separator, quoted), None)
    if header is None or header.values is None:
        reason = "it is empty" if header is None else f"its header {header.reason}"
        hint = suggest_encoding(path, options.encoding) or "Expected a header and rows."
        raise ValueError(f"Can't read {path}: {reason}. {hint}")
    columns = list(header.values)
    n_fields = len(columns)
    if not columns[-1].strip():
        columns = columns[: reader.count_columns(columns, separator, quoted)]
        if len(columns) < n_fields:
            notes.append(f"Empty columns at the end are left out: {n_fields - len(columns)}")
    if len(set(columns)) < len(columns):
        raise ValueError(
            f"Can't read {path}: its header names a column twice: {', '.join(columns)}."
        )
    return Layout(separator, quoted, skip, columns, n_fields, tuple(notes))


@dataclass(frozen=True)
class _Reader:
    """Reads a file from its beginning for each question."""

    path: Path
    options: TableOptions
    skip: int

    def records(self, separator: str, quoted: bool) -> Iterator[Record]:
        """Read all rows, the header too."""
        with TextFile(self.path, self.options.encoding) as file_:
            yield from csv_records(file_, separator, quoted=quoted, skip=self.skip)

    def detect_separator(self, usual: str) -> str:
        """Find what separates the fields of the header and of most rows below it.

        usual (str): The separator that the file's name suggests.
        RAISES (ValueError): Several separators fit.
        """
        candidates = {}
        for separator in dict.fromkeys((usual, *NAMES)):
            quoting = self.options.quoting
            quoted = quoting == "quoted" or (quoting == "auto" and separator != "\t")
            header = next(self.records(separator, quoted), None)
            if header and len(header.values or ()) > 1:
                candidates[separator] = quoted, len(header.values)
        if set(candidates) <= {usual}:
            return usual
        fitting = []
        for separator, (quoted, n_fields) in candidates.items():
            rows = list(islice(self.records(separator, quoted), 1, SAMPLE))
            fits = [len(row.values or ()) == n_fields for row in rows if row.data is None]
            if fits and sum(fits) >= FITTING * len(fits):
                fitting.append(separator)
        if len(fitting) > 1:
            names = " or ".join(NAMES[separator] for separator in fitting)
            raise ValueError(
                f"Can't tell what separates the fields of {self.path}: it may be {names}. "
                "Expected --separator, to say which."
            )
        # Rows that fit no separator are reported when they are read.
        return fitting[0] if fitting else usual

    def has_quotes(self, separator: str) -> bool:
        """Tell whether a field begins with a quotation mark."""
        rows = self.records(separator, quoted=False)
        return any(f.startswith('"') for row in rows for f in row.values or ())

    def is_quoted(self, separator: str) -> bool:
        """Tell whether quotation marks enclose fields, in all rows, as programs write them.

        Programs close each mark, double marks inside a field, and quote each field that has one.
        Marks that people typed follow no such rule.
        """
        n_fields = None
        for row in self.records(separator, quoted=True):
            n_fields = len(row.values or ()) if n_fields is None else n_fields
            if row.data is not None or '"' not in row.raw:
                continue
            if row.values is None or len(row.values) != n_fields:
                return False
            lines = [line.split(separator) for line in re.split("\r\n|\r|\n", row.raw)]
            whole = [fields for fields in lines if len(fields) == n_fields]
            if len(whole) > 1:
                # Lines that are rows by themselves were taken in by a quotation mark.
                return False
            if len(lines) == len(whole) == 1 and any(
                '"' in field and not field.startswith('"') for field in whole[0]
            ):
                return False
        return True

    def count_columns(self, columns: list[str], separator: str, quoted: bool) -> int:
        """Count columns, leaving out those at the end that have no name and hold nothing."""
        n_kept = len(columns)
        while n_kept and not columns[n_kept - 1].strip():
            n_kept -= 1
        for row in islice(self.records(separator, quoted), 1, None):
            fields = (row.values or [])[: len(columns)]
            while any(fields[n_kept:]):
                n_kept += 1
        return n_kept
