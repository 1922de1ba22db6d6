"""What the page of a comparison shows of one target."""

from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from ..comparison.bootstrap import METRIC_TITLES
from .disagreement import Explaining, disagreements
from .drawing import Plot, file_name, render
from .formatting import DECIMALS, decimals_for, number, percent, signed
from .inline_svg import inline_svg
from .plots import plot_folds, plot_metrics, plot_predictions, plot_residuals
from .read import Results


class Images:
    """The figures of a page, which are files beside it, too.

    files (dict[Path, bytes]): The files, filled by `add`.
    """

    def __init__(self, folder: Path) -> None:
        """Begin without figures.

        folder (Path): Where the files will be.
        """
        self.files: dict[Path, bytes] = {}
        self._folder = folder
        self._seen: set[str] = set()

    def add(self, plot: Plot) -> dict[str, Any]:
        """Draw a figure.

        plot (Plot): The figure.
        RETURNS (dict[str, Any]): The `svg` for the page, and its `caption`.
        """
        rendered = render(plot)
        self.files |= {self._folder / name: content for name, content in rendered.items()}
        svg = inline_svg(rendered[f"{plot.name}.svg"], plot.alt, self._seen)
        return {"svg": svg, "caption": plot.caption}


def make_section(
    results: Results,
    place: int,
    texts: dict[str, str],
    explaining: dict[str, Explaining],
    images: Images,
) -> dict[str, Any]:
    """Collect tables, figures and texts of a target.

    results (Results): What `compare` wrote.
    place (int): Place of the target, from 1; part of the names of files.
    texts (dict[str, str]): The texts by id, as far as they are known.
    explaining (dict[str, Explaining]): Pipelines whose predictions to explain, by model.
    images (Images): Where to add the figures.
    RETURNS (dict[str, Any]): What target.html needs.
    """
    target = results.targets[place - 1]
    metrics = results.rows("scores", target)
    documents, predictions = results.of_target(target)
    sd = float(documents["gold"].std()) if len(documents) else 0.0
    score_plots, plots = _plots(results, target, f"{place}-{file_name(target)}")
    several = {model["name"] for model in results.comparison["models"] if len(model["runs"]) > 1}
    runs = [r for r in results.rows("runs", target) if r["model"] in several or r.get("diverged")]
    baselines = {m["name"] for m in results.comparison["models"] if m["kind"] == "baseline"}
    differences = results.rows("differences", target)
    trivial = [row for row in differences if {row["model"], row["baseline"]} & baselines]
    return {
        "target": target,
        "decimals": decimals_for(sd),
        "forms": _forms(sd),
        "metrics": metrics,
        "differences": [row for row in differences if row not in trivial],
        "trivial_differences": trivial,
        "difference_columns": _difference_columns(differences, sd),
        "runs": _with_spread(runs),
        "coverage": results.rows("coverage", target),
        "folds": results.rows("folds", target),
        "score_images": [images.add(plot) for plot in score_plots if plot is not None],
        "images": [images.add(plot) for plot in plots],
        "disagreements": disagreements(target, documents, predictions, texts, explaining),
    }


def _plots(results: Results, target: str, name: str) -> tuple[list[Plot | None], list[Plot]]:
    """Draw how good models are, and where they are right and wrong."""
    metrics = results.rows("scores", target)
    documents, predictions = results.of_target(target)
    scores = [plot_metrics(f"{name}-scores", metrics, results.models())]
    folds = pd.DataFrame(results.rows("folds", target))
    if len(folds):
        scores.append(plot_folds(f"{name}-folds", folds, results.models()))
    if not len(documents) or not predictions.shape[1]:
        return scores, []
    gold = documents["gold"].to_numpy()
    residuals = predictions.rsub(gold, axis=0).reset_index(drop=True)
    lengths = documents["length"].to_numpy()
    return scores, [
        plot_predictions(f"{name}-predicted", target, gold, predictions, metrics),
        plot_residuals(f"{name}-residuals", target, residuals, gold, f"observed {target}", 4),
        plot_residuals(f"{name}-lengths", target, residuals, lengths, "length in words", 5),
    ]


def _forms(sd: float) -> dict[str, Any]:
    """Choose how each metric is written: errors with decimals for the target's scale."""
    decimals = dict.fromkeys(METRIC_TITLES, DECIMALS)
    decimals |= dict.fromkeys(("rmse", "mae"), decimals_for(sd)) | {"mse": decimals_for(sd**2)}
    return {metric: partial(number, decimals=n) for metric, n in decimals.items()}


def _difference_columns(rows: list[dict[str, Any]], sd: float) -> dict[str, dict[str, Any]]:
    forms = {"r2": signed, "mse": partial(signed, decimals=decimals_for(sd**2))}
    columns = {}
    for metric, form in forms.items():
        title = METRIC_TITLES[metric]
        columns[f"{metric}_difference"] = {"title": title, "form": form}
        columns[f"{metric}_change"] = {"title": f"{title}, relative", "form": percent}
        columns[f"{metric}_folds"] = {"title": f"{title}, over folds", "form": form}
    keys = {key for row in rows for key in row}
    return {key: column for key, column in columns.items() if key in keys or "folds" not in key}


def _with_spread(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add a row with standard deviations after the runs of each model."""
    rows = []
    for model, group in groupby(runs, key=lambda run: run["model"]):
        model_runs = list(group)
        rows += model_runs
        if len(model_runs) > 1:
            table = pd.DataFrame(model_runs).reindex(columns=list(METRIC_TITLES))
            spread = table.astype(float).std().dropna().to_dict()
            rows.append({"model": model, "run": "standard deviation", "is_spread": True} | spread)
    return rows
