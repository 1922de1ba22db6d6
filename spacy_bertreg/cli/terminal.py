"""Printing that never fails a job."""

import io
import sys
from typing import Any


def make_printing_safe() -> None:
    """Let standard output and error show what their encoding lacks as a question mark, and take no
    notice of a reader that has gone, as with `| head`."""
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
