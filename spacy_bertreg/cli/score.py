"""`python -m spacy bertreg score`"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from wasabi import msg

from .group import Code, bertreg_cli, plain_errors
from .table_options import Decimal, Encoding, Quoting, Separator, Sheet

if TYPE_CHECKING:
    from ..scoring.checkpoint import Progress

REJECTED = 3
SECONDS_BETWEEN_LINES = 30.0


@bertreg_cli.command("score")
def score_cli(
    pipeline: Annotated[str, typer.Argument(help="Trained pipeline: a folder or a package")],
    table: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="CSV, TSV or JSONL file, also with .gz, or Parquet, Excel, Stata or SPSS file",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(help="CSV, TSV or JSONL file to write, also with .gz, or Parquet file")
    ],
    text: Annotated[str, typer.Option(help="Column with the texts")] = "text",
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that names a row, for the list of errors")
    ] = None,
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
    n_process: Annotated[
        int, typer.Option("--n-process", "-n", help="Processes, or Ray's workers")
    ] = 1,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1 for the CPU")] = -1,
    batch_size: Annotated[
        int | None, typer.Option(help="Documents scored together; by default the pipeline's")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32, bfloat16 or auto; by default the pipeline's"),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Score so many rows")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a row that can't be scored")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output, and forget a stopped job")
    ] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster")] = "local",
    code: Code = None,
) -> None:
    """
    Add a trained pipeline's predictions to a table of any length. A job that was stopped goes on
    when the same command is given again. Rows that can't be scored go to OUTPUT.errors.jsonl, and
    the exit code is 3.
    """
    with plain_errors():
        from ..scoring.score import score_file

        shown = _Bar() if sys.stderr.isatty() else _Lines()
        try:
            summary = score_file(
                pipeline,
                table,
                output,
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
                limit=limit,
                strict=strict,
                overwrite=overwrite,
                engine=engine,
                code=code,
                on_progress=shown,
            )
        except KeyboardInterrupt:
            shown.close()
            msg.warn("Stopped. The same command goes on from here.")
            raise typer.Exit(130) from None
        shown.close()
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
        typer.echo(
            f"{summary.rows:,} rows = {summary.scored:,} scored + {summary.rejected:,} rejected"
        )
        if summary.rejected:
            raise typer.Exit(REJECTED)


class _Bar:
    """A bar on a terminal."""

    def __init__(self) -> None:
        from tqdm import tqdm

        layout = "{l_bar}{bar}| {postfix} [{elapsed}<{remaining}]"
        self._bar = tqdm(total=1.0, bar_format=layout, file=sys.stderr)
        self._rate = _Rate()

    def __call__(self, progress: "Progress", share: float) -> None:
        self._bar.set_postfix_str(
            f"{progress.rows:,} rows, {self._rate(progress.rows):,.0f}/s", refresh=False
        )
        if self._bar.n == 0.0:
            # What an earlier run has done took none of this one's time.
            self._bar.initial = share
        self._bar.update(min(share, 1.0) - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """Plain lines, for a file."""

    def __init__(self) -> None:
        self._rate = _Rate()
        self._shown = time.monotonic()
        self._first: tuple[float, float] | None = None

    def __call__(self, progress: "Progress", share: float) -> None:
        now = time.monotonic()
        self._first = self._first or (now, share)
        rate = self._rate(progress.rows)
        if now - self._shown < SECONDS_BETWEEN_LINES:
            return
        self._shown = now
        since, before = self._first
        left = (now - since) * (1 - share) / max(share - before, 1e-9)
        typer.echo(
            f"{progress.rows:,} rows ({share:.0%}), {rate:,.0f} rows/s, {left / 60:,.0f} min left",
            err=True,
        )

    def close(self) -> None:
        pass


class _Rate:
    """Rows per second since the first call."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def __call__(self, rows: int) -> float:
        now = time.monotonic()
        self._first = self._first or (now, rows)
        since, before = self._first
        return (rows - before) / max(now - since, 1e-9)
