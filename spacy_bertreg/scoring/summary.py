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

    rows (int): Rows of the input, the sum of `scored` and `rejected`.
    scored (int): Rows with predictions.
    rejected (int): Rows that can't be scored.
    empty (int): Scored rows without words, which got the prediction for no evidence.
    resumed_after (int): Rows that an earlier run of the job had done.
    seconds (float): Duration of this run.
    errors (Path | None): File of the rejected rows, if any.
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


def make_remarks(source: Source, progress: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make the notes and warnings of a `Summary`."""
    notes, warnings = list(source.notes), []
    if source.kind in ("csv", "tsv"):
        notes.append(lines_note(progress.lines, progress.rows))
    if progress.controls:
        warnings.append(control_warning(progress.controls))
    if progress.rejected and source.kind in TEXT_KINDS:
        encoding = source.settings.options.encoding
        if hint := suggest_encoding(source.path, encoding):
            warnings.append(f"{source.path} has bytes that are not {encoding}. {hint}")
    return tuple(filter(None, notes)), tuple(warnings)
