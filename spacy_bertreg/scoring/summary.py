"""What came of a scored table, and what to say about it."""

from dataclasses import dataclass
from pathlib import Path

from ..data.tables.columns import control_warning
from ..data.tables.kinds import TEXT_KINDS
from ..data.tables.read import lines_note
from ..data.tables.records import suggest_encoding
from .checkpoint import Progress
from .source import Source


@dataclass(frozen=True)
class Summary:
    """What came of a job.

    rows (int): Of the input. scored, rejected (int): Which add up to `rows`.
    empty (int): Scored ones without words, which got the prediction for no evidence.
    resumed_after (int): Rows that an earlier run of the job had done.
    seconds (float): Of this run. errors (Path | None): File of the rejected rows, if any.
    notes (tuple[str, ...]): What was detected in the input, and how many lines are how many rows.
    warnings (tuple[str, ...]): What may be wrong with its encoding.
    """

    rows: int
    scored: int
    rejected: int
    empty: int
    resumed_after: int
    seconds: float
    errors: Path | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def remarks(source: Source, progress: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """source (Source): The input. progress (Progress): What came of it.
    RETURNS (tuple): Notes and warnings, see `Summary`."""
    notes, warnings = list(source.notes), []
    if source.kind in ("csv", "tsv"):
        notes.append(lines_note(progress.lines, progress.rows))
    if progress.controls:
        warnings.append(control_warning(progress.controls))
    if progress.rejected and source.kind in TEXT_KINDS:
        encoding = source.settings.encoding
        if hint := suggest_encoding(source.path, encoding):
            warnings.append(f"{source.path} has bytes that are not {encoding}. {hint}")
    return tuple(filter(None, notes)), tuple(warnings)
