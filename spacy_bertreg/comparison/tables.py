"""A comparison, as tables for people and files for programs."""

import csv
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from wasabi import MarkdownRenderer

from ..data.files import check_files, check_folder, write_whole
from .compare import Comparison
from .verdict import plural

TITLES = {
    "r2": "R²",
    "pearson_squared": "r²",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
DASH = "–"
FILES = (
    *("comparison.csv", "differences.csv", "runs.csv", "predictions.csv"),
    *("comparison.json", "comparison.md", "comparison.tex"),
)
LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    DASH: "--",
}


def score_table(comparison: Comparison, *, intervals: bool = True) -> pd.DataFrame:
    """comparison (Comparison): What `compare` gave. intervals (bool): Whether to show them.
    RETURNS (DataFrame): The scores as texts, with titles."""
    scores = comparison.scores
    columns: dict[str, Any] = {
        "Model": scores["model"],
        "Target": scores["target"],
        "n": scores["n"].astype(str),
    }
    for metric, title in TITLES.items():
        names = [metric, f"{metric}_low", f"{metric}_high"] if intervals else [metric]
        columns[title] = [_with_interval(values) for values in scores[names].to_numpy()]
    return pd.DataFrame(columns)


def difference_table(comparison: Comparison) -> pd.DataFrame:
    """comparison (Comparison): What `compare` gave.
    RETURNS (DataFrame): The differences as texts, with titles."""
    table = comparison.differences
    columns: dict[str, Any] = {
        "Comparison": table["model"] + " vs. " + table["baseline"],
        "Target": table["target"],
    }
    for metric in ("r2", "mse"):
        for kind, template, title in (
            ("difference", "{:+.3f}", TITLES[metric]),
            ("change", "{:+.1%}", f"{TITLES[metric]}, relative"),
        ):
            names = [f"{metric}_{kind}{end}" for end in ("", "_low", "_high")]
            columns[title] = [_with_interval(v, template) for v in table[names].to_numpy()]
    return pd.DataFrame(columns)


def cost_table(comparison: Comparison) -> pd.DataFrame:
    """comparison (Comparison): What `compare` gave.
    RETURNS (DataFrame): What the models cost, as texts, with titles."""
    rows = []
    for model in comparison.models:
        if model.kind == "baseline":
            continue
        costs = {k: math.nan if v is None else v for k, v in model.costs.items()}
        rows.append(
            {
                "Model": model.name,
                "Runs": str(len(model.runs)),
                "Trained parameters": _number(costs["trained_parameters"], "{:,.0f}"),
                "Training, s": _number(costs["training_seconds"], "{:,.0f}"),
                "Documents/s": _number(costs["documents_per_second"], "{:,.0f}"),
                "Size, MB": _number(costs["bytes"] / 1e6, "{:,.1f}"),
            }
        )
    return pd.DataFrame(rows)


def run_table(comparison: Comparison) -> pd.DataFrame:
    """comparison (Comparison): What `compare` gave.
    RETURNS (DataFrame): Each run of the models that have several, and their spread, as texts."""
    runs = comparison.runs
    rows = []
    for (model, target), own in runs.groupby(["model", "target"], sort=False):
        if len(own) < 2:
            continue
        for _, run in own.iterrows():
            values = {TITLES[m]: _number(run[m], "{:.3f}") for m in ("r2", "mse")}
            failed = f"failed: {run['diverged']}" if run["diverged"] else ""
            rows.append({"Model": model, "Target": target, "Run": run["run"], **values, "": failed})
        spread = {TITLES[m]: _number(own[m].std(ddof=1), "{:.3f}") for m in ("r2", "mse")}
        rows.append({"Model": model, "Target": target, "Run": "standard deviation", **spread})
    return pd.DataFrame(rows).fillna("")


def coverage_table(comparison: Comparison) -> pd.DataFrame:
    """comparison (Comparison): What `compare` gave.
    RETURNS (DataFrame): What the models' prediction intervals hold, as texts, with titles."""
    rows = []
    for _, row in comparison.coverage.iterrows():
        values = row[["coverage", "coverage_low", "coverage_high"]].astype(float)
        rows.append(
            {
                "Model": f"{row['model']}, {row['run']}",
                "Target": row["target"],
                "Intervals": row["method"],
                "Promised": f"{row['level']:.1%}",
                "Held": _with_interval(values, "{:.1%}"),
                "Below": f"{row['below']:.1%}",
                "Above": f"{row['above']:.1%}",
                "Mean error": f"{row['mean_error']:+.3f}",
                "Held if moved by it": f"{row['coverage_moved']:.1%}",
                "Mean width": f"{row['mean_width']:.3f}",
                "Calibrated on": f"{row['n_calibration']:,}",
            }
        )
    return pd.DataFrame(rows)


def check_output(folder: Path, inputs: Iterable[str | Path | None]) -> None:
    """folder (Path): Where `write_comparison` shall write to.
    inputs (Iterable[str | Path | None]): What is compared, and on what.
    RAISES (ValueError): It can't, or would write over one of them."""
    check_folder(folder)
    check_files([folder / name for name in FILES], inputs)


def write_comparison(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write comparison.csv, differences.csv, runs.csv and predictions.csv with full precision,
    comparison.json with all but the predictions, and comparison.md and .tex for people.

    comparison (Comparison): What `compare` gave.
    folder (str | Path): Where to; made if missing.
    RETURNS (list[Path]): The files.
    """
    folder = Path(folder)
    contents = (
        _csv(comparison.scores),
        _csv(comparison.differences),
        _csv(comparison.runs),
        _csv(comparison.predictions()),
        json.dumps(to_dict(comparison), indent=1, ensure_ascii=False) + "\n",
        _markdown(comparison),
        _latex(comparison),
    )
    # Where the locale is C, names from the command line hold bytes as surrogates.
    data = [text.encode("utf-8", "surrogateescape") for text in contents]
    files = {folder / name: own for name, own in zip(FILES, data, strict=True)}
    write_whole(files)
    return list(files)


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """comparison (Comparison): What `compare` gave.
    RETURNS (dict[str, Any]): All of it but the predictions, for JSON."""
    models = [
        {
            "name": model.name,
            "kind": model.kind,
            "runs": [{"run": run.name, "path": run.path} for run in model.runs],
            **model.costs,
        }
        for model in comparison.models
    ]
    tables = {
        name: getattr(comparison, name)
        .astype(object)
        .where(getattr(comparison, name).notna(), None)
        for name in ("verdicts", "scores", "runs", "differences", "coverage")
    }
    return {
        **comparison.settings,
        "warnings": comparison.warnings,
        "models": models,
        **{name: table.to_dict("records") for name, table in tables.items()},
    }


def _csv(table: pd.DataFrame) -> str:
    # Before 3.11.9, Python puts a field with a lone carriage return in no quotes.
    texts = table.select_dtypes(["object", "string"])
    has_return = any(texts[name].astype(str).str.contains("\r").any() for name in texts)
    return table.to_csv(
        index=False, quoting=csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    )


def _tables(comparison: Comparison) -> list[pd.DataFrame]:
    tables = [score_table(comparison), difference_table(comparison), run_table(comparison)]
    tables.append(coverage_table(comparison))
    return [table for table in [*tables, cost_table(comparison)] if len(table)]


def _markdown(comparison: Comparison) -> str:
    markdown = MarkdownRenderer()
    for sentence in [*comparison.verdicts["sentence"], *comparison.warnings]:
        markdown.add(sentence)
    for table in _tables(comparison):
        aligns: list[Literal["r", "c", "l"]] = ["r"] * table.shape[1]
        aligns[0] = "l"
        # A bar in a name would begin another cell.
        cells = table.map(lambda cell: str(cell).replace("|", "\\|")).values.tolist()
        markdown.add(markdown.table(cells, list(table.columns), aligns=aligns))
    markdown.add(describe_intervals(comparison))
    return markdown.text + "\n"


def _latex(comparison: Comparison) -> str:
    parts = ["% Takes \\usepackage{booktabs}.", f"% {describe_intervals(comparison)}"]
    for table in _tables(comparison):
        text = (
            table.rename(columns=_escape)
            .map(_escape)
            .to_latex(index=False, column_format="l" + "r" * (table.shape[1] - 1))
        )
        parts.append(text)
    return "\n".join(parts)


def describe_intervals(comparison: Comparison) -> str:
    """RETURNS (str): What the intervals are, in a sentence."""
    settings = comparison.settings["interval"]
    units = plural(settings["unit"])
    return (
        f"In brackets: {settings['level']:.0%} percentile bootstrap intervals, "
        f"{settings['n_resamples']:,} draws of {units}, the same for all models; they "
        "are about the choice of test documents, not of seeds."
    )


def _escape(text: str) -> str:
    escaped = "".join(LATEX.get(sign, sign) for sign in text)
    return escaped.replace("R²", "$R^2$").replace("r²", "$r^2$")


def _with_interval(values: Iterable[float], template: str = "{:.3f}") -> str:
    """RETURNS (str): The value, and its interval if there is one."""
    text, *ends = (_number(value, template) for value in values)
    return f"{text} [{', '.join(ends)}]" if ends and DASH not in ends else text


def _number(value: float, template: str) -> str:
    return DASH if pd.isna(value) else template.format(value)
