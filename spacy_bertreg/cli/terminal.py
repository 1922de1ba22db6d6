"""Printing tables, and printing that never fails a job."""

import io
import sys
from typing import TYPE_CHECKING, Any

from wasabi import msg

if TYPE_CHECKING:
    import pandas as pd


def print_table(table: "pd.DataFrame", n_left: int = 1, **settings: Any) -> None:
    """Print a table with its first columns, which are names, to the left and the others to the
    right.

    table (DataFrame): The table.
    n_left (int): Number of the columns to the left.
    **settings (Any): As for wasabi's `msg.table`.
    """
    msg.table(
        [[str(value) for value in row] for row in table.itertuples(index=False)],
        header=list(table.columns),
        aligns=["l"] * n_left + ["r"] * (table.shape[1] - n_left),
        **settings,
    )


def make_printing_safe() -> None:
    """Make standard output and error print a question mark for characters that their encoding
    lacks, and ignore a reader that has gone, as with `| head`.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Tests and notebooks have streams of their own.
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors="replace")
        # With `python -u`, nothing is between the text and the file.
        raw = getattr(stream.buffer, "raw", stream.buffer)
        if isinstance(raw, io.FileIO) and not isinstance(raw, _Pipe) and not stream.isatty():
            stream.flush()
            pipe = _Pipe(raw.fileno(), "w", closefd=False)
            buffer: Any = pipe if raw is stream.buffer else io.BufferedWriter(pipe)
            wrapped = io.TextIOWrapper(
                buffer,
                stream.encoding,
                "replace",
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, wrapped)


class _Pipe(io.FileIO):
    """A file that may lose its reader."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)
