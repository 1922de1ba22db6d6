"""`python -m spacy bertreg compare`"""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, Decimal, Encoding, GpuId, Quoting, Separator, Sheet
from .terminal import print_table


@bertreg_cli.command("compare")
@plain_errors()
def compare_cli(
    test: Annotated[
        Path, typer.Argument(help="Test set, a .spacy file, or a folder that crossval wrote")
    ],
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Trained pipelines, folders with one per seed, or tables of predictions "
            "(id, target, prediction); each as PATH or NAME=PATH. With a folder of crossval, "
            "others of the same folds"
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for comparison.csv, .md, .tex, .json, ..."),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(help="Training set, for the baselines; by default train.spacy beside TEST"),
    ] = None,
    resamples: Annotated[int, typer.Option(help="Number of bootstrap samples")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap")] = 0,
    share: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            help="Names of a plain model, one distilled from a teacher, and the teacher: how much "
            "of the teacher's lead survives",
            metavar="PLAIN DISTILLED TEACHER",
        ),
    ] = None,
    gpu_id: GpuId = -1,
    code: Code = None,
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
) -> None:
    """
    Score models on the same test set, or those of a cross-validation, and say which is best, by how
    much, and how sure that is.
    """
    from ..comparison.compare import compare
    from ..comparison.crossval_files import crossval_files
    from ..comparison.files import check_output, write_comparison
    from ..comparison.models import MEAN, find_models
    from ..comparison.tables import (
        cost_table,
        coverage_table,
        describe_intervals,
        difference_table,
        metric_table,
        run_table,
    )
    from ..data.tables.kinds import TableOptions

    options = TableOptions(encoding, separator, quoting, decimal, sheet)
    setup_gpu(gpu_id, silent=True)
    given = models or []
    if output is not None:
        inputs = [test, train, *(p for runs in find_models(given).values() for _, p in runs)]
        check_output(output, [*inputs, *crossval_files([test, *given])])
    import_code(code)
    comparison = compare(
        test,
        given,
        train=train,
        n_resamples=resamples,
        seed=seed,
        options=options,
        share=share,
    )
    paths = [] if output is None else write_comparison(comparison, output)
    metrics = metric_table(comparison, intervals=["r2"])
    differences = difference_table(comparison)
    differences = differences.drop(columns=["MSE", "MSE, over folds"], errors="ignore")
    # A difference from the training mean says what R² says already.
    differences = differences[~differences["Comparison"].str.endswith(f" vs. {MEAN}")]
    further = [make(comparison) for make in (run_table, coverage_table, cost_table)]
    for table in (metrics, differences, *further):
        if len(table):
            print_table(table, max_col=60)
    msg.text(describe_intervals(comparison))
    for warning in comparison.warnings:
        msg.warn(warning)
    for sentence in comparison.verdicts["sentence"]:
        msg.good(sentence)
    if paths:
        msg.good("Wrote the comparison", ", ".join(map(str, paths)))
