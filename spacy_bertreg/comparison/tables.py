"""A comparison as tables of texts, with titles, for people."""

from collections.abc import Collection
from typing import Any, Literal

import pandas as pd
from wasabi import MarkdownRenderer

from .bootstrap import METRIC_TITLES
from .compare import Comparison
from .models import COSTS
from .verdict import plural

# What is undefined, or not known.
DASH = "–"


def metric_table(
    comparison: Comparison, *, intervals: Collection[str] = tuple(METRIC_TITLES)
) -> pd.DataFrame:
    """Write each model's metrics.

    comparison (Comparison): What `compare` gave.
    intervals (Collection[str]): The metrics whose intervals to show.
    RETURNS (DataFrame): The table.
    """
    table = comparison.metrics
    columns = {"Model": table["model"], "Target": table["target"], "n": table["n"].astype(str)}
    for metric, title in METRIC_TITLES.items():
        ends = ("", "_low", "_high") if metric in intervals else ("",)
        columns[title] = _with_intervals(table[[f"{metric}{end}" for end in ends]], "{:.3f}")
    return pd.DataFrame(columns)


def difference_table(comparison: Comparison) -> pd.DataFrame:
    """Write the differences of each pair of models."""
    table = comparison.differences
    columns = {
        "Comparison": table["model"] + " vs. " + table["baseline"],
        "Target": table["target"],
    }
    for metric in ("r2", "mse"):
        title = METRIC_TITLES[metric]
        for kind, template, header in (
            ("difference", "{:+.3f}", title),
            ("change", "{:+.1%}", f"{title}, relative"),
        ):
            names = [f"{metric}_{kind}{end}" for end in ("", "_low", "_high")]
            columns[header] = _with_intervals(table[names], template)
        if f"{metric}_folds" in table:
            names = [f"{metric}_folds{end}" for end in ("", "_low", "_high")]
            columns[f"{title}, over folds"] = _with_intervals(table[names], "{:+.3f}")
    return pd.DataFrame(columns)


def share_table(comparison: Comparison) -> pd.DataFrame:
    """Write how much of a teacher's lead survives in the model that was distilled from it."""
    table = comparison.shares
    if table.empty:
        return table
    columns = {"Distilled": table["distilled"], "Target": table["target"]}
    for name, header, template in (
        ("gain", "R², vs. " + str(table["plain"].iloc[0]), "{:+.3f}"),
        ("lead", f"{table['teacher'].iloc[0]} vs. {table['plain'].iloc[0]}", "{:+.3f}"),
        ("share", "Share of the lead", "{:.1%}"),
    ):
        names = [f"{name}{end}" for end in ("", "_low", "_high")]
        columns[header] = _with_intervals(table[names], template)
    return pd.DataFrame(columns)


def fold_table(comparison: Comparison) -> pd.DataFrame:
    """Write the scores by fold of a cross-validation, with two columns for each model."""
    folds = comparison.folds
    if folds.empty:
        return folds
    rows = []
    for (target, repeat, fold), table in folds.groupby(["target", "repeat", "fold"], sort=False):
        label = {"Target": target, "Repeat": str(repeat), "Fold": str(fold)}
        label["n"] = str(table["n"].iloc[0])
        scores = {
            f"{METRIC_TITLES[metric]}, {row['model']}": format_number(row[metric])
            for metric in ("r2", "mse")
            for row in table.to_dict("records")
        }
        rows.append(label | scores)
    # In each fold there are the same models, but not for each target.
    return pd.DataFrame(rows).fillna(DASH)


def run_table(comparison: Comparison) -> pd.DataFrame:
    """Write each run of the models that have several, and their spread."""
    rows = []
    for (model, target), runs in comparison.runs.groupby(["model", "target"], sort=False):
        if len(runs) < 2:
            continue
        label = {"Model": model, "Target": target}
        spread = runs[["r2", "mse"]].std(ddof=1)
        for name, values, failure in (
            *zip(runs["run"], runs.to_dict("records"), runs["diverged"], strict=True),
            ("standard deviation", spread, None),
        ):
            metrics = {METRIC_TITLES[m]: format_number(values[m]) for m in ("r2", "mse")}
            failed = f"failed: {failure}" if failure else ""
            rows.append({**label, "Run": name, **metrics, "": failed})
    return pd.DataFrame(rows)


def coverage_table(comparison: Comparison) -> pd.DataFrame:
    """Write the coverage of the models' prediction intervals."""
    table = comparison.coverage
    if table.empty:
        return table
    columns = {
        "Model": table["model"] + ", " + table["run"],
        "Target": table["target"],
        "Intervals": table["method"],
        "Promised": table["level"].map("{:.1%}".format),
        "Held": _with_intervals(table[["coverage", "coverage_low", "coverage_high"]], "{:.1%}"),
    }
    for name, template, title in (
        ("below", "{:.1%}", "Below"),
        ("above", "{:.1%}", "Above"),
        ("mean_error", "{:+.3f}", "Mean error"),
        ("coverage_moved", "{:.1%}", "Held if moved by it"),
        ("mean_width", "{:.3f}", "Mean width"),
        ("n_calibration", "{:,}", "Calibrated on"),
    ):
        columns[title] = table[name].map(template.format)
    return pd.DataFrame(columns)


def cost_table(comparison: Comparison) -> pd.DataFrame:
    """Write what the models cost."""
    models = [model for model in comparison.models if model.kind != "baseline"]
    costs = pd.DataFrame([model.costs for model in models], columns=COSTS, dtype=float)
    costs["bytes"] /= 1e6
    columns: dict[str, Any] = {
        "Model": [model.name for model in models],
        "Runs": [str(len(model.runs)) for model in models],
    }
    for name, title, template in zip(
        COSTS,
        ("Trained parameters", "Training, s", "Documents/s", "Size, MB"),
        ("{:,.0f}", "{:,.0f}", "{:,.0f}", "{:,.1f}"),
        strict=True,
    ):
        columns[title] = [format_number(value, template) for value in costs[name]]
    return pd.DataFrame(columns)


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table of texts in Markdown, all columns but the first to the right."""
    markdown = MarkdownRenderer()
    aligns: list[Literal["r", "c", "l"]] = ["r"] * table.shape[1]
    aligns[0] = "l"
    # A bar in a name would begin another cell.
    cells = table.map(lambda cell: cell.replace("|", "\\|")).values.tolist()
    return markdown.table(cells, list(table.columns), aligns=aligns)


def describe_intervals(comparison: Comparison) -> str:
    """Say in a sentence what the intervals are."""
    settings = comparison.settings["interval"]
    units = plural(settings["unit"])
    text = (
        f"In brackets: {settings['level']:.0%} percentile bootstrap intervals, "
        f"{settings['n_resamples']:,} draws of {units}, the same for all models; they "
        "are about the choice of test documents, not of seeds."
    )
    if comparison.folds.empty:
        return text
    return (
        f"{text} Over folds: the mean difference over all folds with its corrected resampled t "
        "interval (Nadeau & Bengio 2003), which is about other training sets and splits, too."
    )


def format_number(value: float | None, template: str = "{:.3f}") -> str:
    """Format a number; a dash for None and NaN."""
    return DASH if pd.isna(value) else template.format(value)


def _with_intervals(table: pd.DataFrame, template: str) -> list[str]:
    """Format values, and their intervals where there are any, from the columns of a table."""
    texts = []
    for values in table.to_numpy():
        text, *ends = (format_number(value, template) for value in values)
        texts.append(f"{text} [{', '.join(ends)}]" if ends and DASH not in ends else text)
    return texts
