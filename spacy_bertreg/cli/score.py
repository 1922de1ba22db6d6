"""`python -m spacy bertreg score`"""

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import (
    TABLE,
    Code,
    Decimal,
    Encoding,
    GpuId,
    Quoting,
    Separator,
    Sheet,
    Text,
)

if TYPE_CHECKING:
    from ..scoring.checkpoint import Progress

# Exit code if rows were rejected.
REJECTED = 3
SECONDS_BETWEEN_LINES = 30.0


@bertreg_cli.command("score")
@plain_errors()
def score_cli(
    pipeline: Annotated[
        str,
        typer.Argument(
            help="Trained pipeline: a folder or a package; or a folder that crossval --keep-models "
            "wrote"
        ),
    ],
    table: Annotated[Path, typer.Argument(metavar="INPUT", help=TABLE)],
    output: Annotated[
        Path, typer.Argument(help="CSV, TSV or JSONL file to write, also with .gz, or Parquet file")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Which model of a cross-validation, if it has several"),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(help="Level of a cross-validation's CV+ intervals  [default: 0.9]"),
    ] = None,
    text: Text = "text",
    id_: Annotated[
        str | None, typer.Option("--id", help="Column with the rows' ids, for the list of errors")
    ] = None,
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
    n_process: Annotated[
        int, typer.Option("--n-process", "-n", help="Processes, or Ray's workers")
    ] = 1,
    gpu_id: GpuId = -1,
    batch_size: Annotated[
        int | None, typer.Option(help="Documents scored together; by default the pipeline's")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16, int8 or auto; by default the pipeline's"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(help="torch, openvino or auto; by default the pipeline's"),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Number of rows to score")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a row that cannot be scored")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output, and discard a stopped job")
    ] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster")] = "local",
    code: Code = None,
) -> None:
    """
    Add a trained pipeline's predictions to a table of any length; or those of all models of a
    cross-validation: their mean, and CV+ intervals. A job that was stopped goes on when the same
    command is given again. Rows that can't be scored go to OUTPUT.errors.jsonl, and the exit code
    is 3.
    """
    from ..scoring.score import score_file

    try:
        with closing(_Bar() if sys.stderr.isatty() else _LogLines()) as on_progress:
            summary = score_file(
                pipeline,
                table,
                output,
                model=model,
                level=level,
                text=text,
                id_column=id_,
                encoding=encoding,
                separator=separator,
                quoting=quoting,
                decimal=decimal,
                sheet=sheet,
                n_process=n_process,
                gpu_id=gpu_id,
                batch_size=batch_size,
                precision=precision,
                backend=backend,
                limit=limit,
                strict=strict,
                overwrite=overwrite,
                engine=engine,
                code=code,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        msg.warn("Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None
    if summary.resumed_after:
        msg.info(f"Went on after {summary.resumed_after:,} rows")
    for note in summary.notes:
        msg.info(note)
    for warning in summary.warnings:
        msg.warn(warning)
    if summary.empty:
        msg.warn(f"{summary.empty:,} texts are empty: they have the prediction for no evidence")
    msg.good("Wrote", output)
    if summary.errors is not None:
        msg.warn("Rows that can't be scored, and why", summary.errors)
    typer.echo(f"{summary.rows:,} rows = {summary.scored:,} scored + {summary.rejected:,} rejected")
    if summary.rejected:
        raise typer.Exit(REJECTED)


class _Pace:
    """Measures how fast a job is. What an earlier run has done took none of this one's time."""

    _first: tuple[float, int, float] | None = None

    def _measure(self, rows: int, share: float) -> tuple[float, float]:
        """Return rows per second since the first call, and seconds left."""
        now = time.monotonic()
        self._first = self._first or (now, rows, share)
        start, rows_before, share_before = self._first
        seconds = now - start
        rate = (rows - rows_before) / max(seconds, 1e-9)
        return rate, seconds * (1 - share) / max(share - share_before, 1e-9)


class _Bar(_Pace):
    """Shows progress as a bar, on a terminal."""

    def __init__(self) -> None:
        from tqdm import tqdm

        layout = "{l_bar}{bar}| {postfix} [{elapsed}<{remaining}]"
        self._bar = tqdm(total=1.0, bar_format=layout, file=sys.stderr)

    def __call__(self, progress: "Progress", share: float) -> None:
        rate, _ = self._measure(progress.rows, share)
        self._bar.set_postfix_str(f"{progress.rows:,} rows, {rate:,.0f}/s", refresh=False)
        if self._bar.n == 0.0:
            self._bar.initial = share
        self._bar.update(min(share, 1.0) - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _LogLines(_Pace):
    """Shows progress as a line from time to time, for a log file."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def __call__(self, progress: "Progress", share: float) -> None:
        rate, left = self._measure(progress.rows, share)
        if time.monotonic() - self._shown < SECONDS_BETWEEN_LINES:
            return
        self._shown = time.monotonic()
        typer.echo(
            f"{progress.rows:,} rows ({share:.0%}), {rate:,.0f} rows/s, {left / 60:,.0f} min left",
            err=True,
        )

    def close(self) -> None:
        pass
