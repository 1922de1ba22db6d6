"""The files that a comparison is written to."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from wasabi import MarkdownRenderer

from ..data.files import check_files, check_folder, write_whole
from .compare import Comparison
from .reporting import reporting
from .tables import (
    DASH,
    cost_table,
    coverage_table,
    describe_intervals,
    difference_table,
    fold_table,
    markdown_table,
    metric_table,
    run_table,
    share_table,
)

FILES = (
    *("comparison.csv", "differences.csv", "runs.csv", "predictions.csv"),
    *("comparison.json", "comparison.md", "comparison.tex", "reporting.md"),
)


def check_output(folder: Path, inputs: Iterable[str | Path | None]) -> None:
    """Check that a comparison can be written to a folder.

    folder (Path): Where `write_comparison` will write to.
    inputs (Iterable[str | Path | None]): What is compared, and on what.
    RAISES (ValueError): It can't be written, or would replace an input.
    """
    check_folder(folder)
    check_files([folder / name for name in FILES], inputs)


def write_comparison(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write comparison.csv, differences.csv, runs.csv and predictions.csv with full precision,
    comparison.json with all but the predictions, comparison.md and .tex for people, and
    reporting.md with what a publication should report, as far as it is known.

    comparison (Comparison): What `compare` gave.
    folder (str | Path): Where to; made if missing.
    RETURNS (list[Path]): The files.
    """
    contents = (
        _csv(_with_shares(comparison)),
        _csv(comparison.differences),
        _csv(comparison.runs),
        _csv(comparison.predictions()),
        json.dumps(_to_dict(comparison), indent=1, ensure_ascii=False) + "\n",
        _markdown(comparison),
        _latex(comparison),
        reporting(comparison),
    )
    paths = [Path(folder) / name for name in FILES]
    # Where the locale is C, names from the command line hold bytes as surrogates.
    data = [text.encode("utf-8", "surrogateescape") for text in contents]
    write_whole(dict(zip(paths, data, strict=True)))
    return paths


def _csv(table: pd.DataFrame) -> str:
    # Before 3.11.9, Python does not quote a field with a lone carriage return.
    texts = table.select_dtypes(exclude="number")
    has_return = texts.map(lambda value: "\r" in str(value)).any(axis=None)
    return table.to_csv(
        index=False, quoting=csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    )


def _with_shares(comparison: Comparison) -> pd.DataFrame:
    """Add to the distilled model's metrics how much of the teacher's lead survives in it."""
    if comparison.shares.empty:
        return comparison.metrics
    ends = ("", "_low", "_high")
    columns = {f"share{end}": f"share_of_lead{end}" for end in ends}
    shares = comparison.shares.rename(columns={"distilled": "model", **columns})
    shares = shares[["model", "target", *columns.values()]]
    return comparison.metrics.merge(shares, how="left", on=["model", "target"])


def _to_dict(comparison: Comparison) -> dict[str, Any]:
    models = [
        {
            "name": model.name,
            "kind": model.kind,
            "runs": [
                {"run": run.name, "path": run.path, **({"facts": run.facts} if run.facts else {})}
                for run in model.runs
            ],
            **model.costs,
        }
        for model in comparison.models
    ]
    tables = {
        "verdicts": comparison.verdicts,
        "scores": comparison.metrics,
        "runs": comparison.runs,
        "differences": comparison.differences,
        "coverage": comparison.coverage,
        "shares": comparison.shares,
        "folds": comparison.folds,
    }
    for name in ("shares", "folds"):
        if tables[name].empty:
            del tables[name]
    # NaN is no JSON.
    known = {name: t.astype(object).where(t.notna(), None) for name, t in tables.items()}
    return {
        **comparison.settings,
        "warnings": comparison.warnings,
        "models": models,
        **{name: table.to_dict("records") for name, table in known.items()},
    }


def _tables(comparison: Comparison) -> list[pd.DataFrame]:
    makers = (
        *(metric_table, difference_table, share_table, fold_table, run_table, coverage_table),
        cost_table,
    )
    return [table for table in (make(comparison) for make in makers) if len(table)]


def _markdown(comparison: Comparison) -> str:
    markdown = MarkdownRenderer()
    for sentence in [*comparison.verdicts["sentence"], *comparison.warnings]:
        markdown.add(sentence)
    for table in _tables(comparison):
        markdown.add(markdown_table(table))
    markdown.add(describe_intervals(comparison))
    return markdown.text + "\n"


def _latex(comparison: Comparison) -> str:
    parts = ["% Needs \\usepackage{booktabs}.", f"% {describe_intervals(comparison)}"]
    for table in _tables(comparison):
        form = "l" + "r" * (table.shape[1] - 1)
        parts.append(table.to_latex(index=False, escape=True, column_format=form))
    signs = {"R²": "$R^2$", "r²": "$r^2$", DASH: "--"}
    text = "\n".join(parts)
    for sign, command in signs.items():
        text = text.replace(sign, command)
    return text
