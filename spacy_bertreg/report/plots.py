"""Figures of what models predict on the test set."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation.metrics import Floats
from .bins import quantile_bins
from .drawing import GREY, Plot, legend_columns, model_styles, new_figure, plain
from .formatting import decimals_for, number, signed

# Above this, points hide each other.
MOST_POINTS = 2000


def plot_metrics(name: str, rows: Sequence[dict[str, Any]], models: Sequence[str]) -> Plot | None:
    """Draw R² of each model with its interval.

    name (str): Name of the files.
    rows (Sequence[dict]): The rows of "scores" for one target.
    models (Sequence[str]): All models but the baselines.
    RETURNS (Plot | None): The figure; None if R² is undefined.
    """
    shown = [row for row in rows if row["r2"] is not None]
    if not shown:
        return None
    figure = new_figure(1.0 + 0.36 * len(shown))
    axes = figure.subplots()
    styles = model_styles(models)
    for y, row in enumerate(shown):
        style = styles.get(row["model"], {"color": GREY, "marker": "x"})
        low, high = row.get("r2_low"), row.get("r2_high")
        if low is not None and high is not None:
            axes.plot([low, high], [y, y], color=style["color"], lw=2.5, solid_capstyle="butt")
        axes.plot(row["r2"], y, ms=8, **style)
    labels = [f"{plain(row['model'])}  {number(row['r2'])}" for row in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    # One run that went wrong must not press all others together.
    worst = min(min(row["r2"], row.get("r2_low") or 0) for row in shown)
    best = max(max(row["r2"], row.get("r2_high") or 0) for row in shown)
    axes.set_xlim(max(worst, -0.5) - 0.03, _right_end(best))
    axes.axvline(0, color="black", lw=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("R² on the test set")
    best_first = sorted(shown, key=lambda row: -row["r2"])
    described = ", ".join(f"{row['model']} {number(row['r2'])}" for row in best_first)
    alt = f"R² on the test set, from the best: {described}."
    caption = "R² of each model, and its interval. 1 is perfect, 0 as good as one constant guess."
    return Plot(name, figure, alt, caption)


def plot_folds(name: str, folds: pd.DataFrame, models: Sequence[str]) -> Plot | None:
    """Draw R² of each model on each fold of a cross-validation as a dot, and the mean as a line.

    name (str): Name of the files.
    folds (DataFrame): `model`, `repeat`, `fold` and `r2`, NaN where undefined.
    models (Sequence[str]): All models but the baselines.
    RETURNS (Plot | None): The figure; None if R² is undefined on all folds.
    """
    known = folds.dropna(subset=["r2"])
    if known.empty:
        return None
    names = list(dict.fromkeys(known["model"]))
    figure = new_figure(1.0 + 0.5 * len(names))
    axes = figure.subplots()
    styles = model_styles(models)
    # A fold is at the same height for all models. One dot far to the left must not press the others
    # together.
    keys = sorted(set(zip(known["repeat"], known["fold"], strict=True)))
    heights = dict(zip(keys, np.linspace(-0.25, 0.25, len(keys)), strict=True))
    left = max(known["r2"].min(), -0.5) - 0.03
    described = []
    for y, model in enumerate(names):
        rows = known[known["model"] == model]
        r2 = rows["r2"].to_numpy(dtype=float)
        style = styles.get(model, {"color": GREY, "marker": "x"})
        places = [heights[key] for key in zip(rows["repeat"], rows["fold"], strict=True)]
        axes.scatter(r2.clip(left), y + np.array(places), s=26, alpha=0.7, linewidths=0.8, **style)
        axes.plot([r2.mean().clip(left)] * 2, [y - 0.35, y + 0.35], color=style["color"], lw=2)
        described.append(f"{model} {number(r2.min())} to {number(r2.max())}")
    axes.set_yticks(range(len(names)), [plain(model) for model in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(left, _right_end(known["r2"].max()))
    axes.axvline(0, color="black", lw=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("R² on the documents of a fold")
    alt = f"R² by fold: {'; '.join(described)}."
    caption = (
        f"R² on each of {len(keys)} folds: each dot is a model trained on documents of other "
        "folds; lines are means. Dots at one height in their row are of one fold, the same "
        "for all models."
    )
    return Plot(name, figure, alt, caption)


def plot_predictions(
    name: str, target: str, gold: Floats, predictions: pd.DataFrame, rows: Sequence[dict]
) -> Plot:
    """Draw predicted against observed values, one panel a model.

    name (str): Name of the files.
    target (str): The target.
    gold (ndarray): Observed values.
    predictions (DataFrame): A column for each model.
    rows (Sequence[dict]): The rows of "scores" for the target.
    RETURNS (Plot): The figure.
    """
    models = list(predictions.columns)
    n_columns = min(len(models), 2)
    n_rows = -(-len(models) // n_columns)
    figure = new_figure(0.7 + 3.1 * n_rows)
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    low, high = _limits(gold, predictions.to_numpy())
    r2 = {row["model"]: row["r2"] for row in rows}
    binned = len(gold) > MOST_POINTS
    styles = model_styles(models)
    for axes, model in zip(panels, models, strict=False):
        values = predictions[model].to_numpy()
        inside = (values >= low) & (values <= high)
        x, y = gold[inside], values[inside]
        if binned:
            bins = axes.hexbin(x, y, gridsize=28, mincnt=1, extent=(low, high, low, high), lw=0)
            # By opacity, which is right on white and on black.
            strength = np.log1p(bins.get_array()) / np.log1p(bins.get_array().max())
            bins.set(array=None, facecolor=styles[model]["color"], alpha=0.1 + 0.9 * strength)
        else:
            # As an image inside of the SVG: thousands of shapes make a page slow.
            form: dict[str, Any] = {"alpha": 0.5, "linewidths": 0, **styles[model]}
            axes.scatter(x, y, s=12, rasterized=True, **form)
        axes.axline((low, low), slope=1, color="black", lw=1, ls="--")
        outside = int((~inside & np.isfinite(values)).sum())
        title = plain(model) + (f" ({outside} outside)" if outside else "")
        if r2.get(model) is not None:
            title += f"\nR² {number(r2[model])}"
        axes.set_title(title)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axes.grid(alpha=0.2)
    for axes in panels[len(models) :]:
        axes.set_visible(False)
    figure.supxlabel(f"observed {plain(target)}", size=11)
    figure.supylabel(f"predicted {plain(target)}", size=11)
    described = ", ".join(f"{model}: R² {number(r2.get(model))}" for model in models)
    alt = f"Predicted against observed {target}, one panel a model. {described}."
    what = "The stronger the colour, the more documents." if binned else "One point a document."
    caption = (
        f"{what} On the dashed line, prediction and observation are equal. A cloud flatter than "
        "the line: the model shrinks towards the middle."
    )
    return Plot(name, figure, alt, caption)


def plot_residuals(
    name: str, target: str, residuals: pd.DataFrame, by: Floats, by_name: str, n_bins: int
) -> Plot:
    """Draw the mean residual of each model in bins of another number.

    name (str): Name of the files.
    target (str): The target.
    residuals (DataFrame): For each model a column of observed minus predicted values.
    by (ndarray): The number to bin by, for each row.
    by_name (str): Its name.
    n_bins (int): Number of bins, at most.
    RETURNS (Plot): The figure.
    """
    names, bins = quantile_bins(by, n_bins)
    means = residuals.groupby(bins).mean()
    # Undefined for a single document: no bar.
    errors = 1.96 * residuals.groupby(bins).sem()
    figure = new_figure(4.0)
    axes = figure.subplots()
    for i, (model, style) in enumerate(model_styles(list(residuals.columns)).items()):
        # Beside each other, so that bars do not hide bars.
        x = np.arange(len(names)) + 0.12 * (i - (residuals.shape[1] - 1) / 2)
        form: dict[str, Any] = {"capsize": 3, "ls": "none", "ms": 6, **style}
        axes.errorbar(x, means[model], yerr=errors[model], label=plain(model), **form)
    counts = np.bincount(bins)
    ticks = [f"{n}\nn = {c:,}" for n, c in zip(names, counts, strict=True)]
    axes.set_xticks(range(len(names)), ticks)
    axes.axhline(0, color="black", lw=1)
    axes.grid(axis="y", alpha=0.3)
    axes.set_xlabel(plain(by_name))
    axes.set_ylabel("observed − predicted")  # noqa: RUF001
    figure.legend(loc="outside upper center", ncols=legend_columns(residuals.columns))
    decimals = decimals_for(float(np.nanstd(residuals.to_numpy())))
    described = (
        f"{model}: "
        + ", ".join(f"{signed(v, decimals)} at {n}" for n, v in zip(names, column, strict=True))
        for model, column in means.items()
    )
    alt = f"Mean of observed minus predicted {target}, by {by_name}. {'; '.join(described)}."
    caption = (
        f"Mean of observed − predicted by {by_name}: above 0 a model predicts too low, below 0 "  # noqa: RUF001
        "too high. Bars: ± 1.96 standard errors, which take documents as independent."
    )
    if by_name.startswith("observed"):
        caption += (
            " Any model that is not perfect draws extremes towards the middle, so that its points "
            "rise from left to right: the flatter, the better."
        )
    return Plot(name, figure, alt, caption)


def _right_end(r2: float) -> float:
    """Choose where an axis of R² ends: at a tenth with some room before it, at most at 1."""
    return min(1.0, math.ceil(10 * r2 + 0.5) / 10)


def _limits(gold: Floats, predicted: Floats) -> tuple[float, float]:
    low, high = float(gold.min()), float(gold.max())
    width = (high - low) or 1.0
    # A run that went wrong predicts anything: show what is near the observed values.
    near = predicted[np.isfinite(predicted)].clip(low - width / 2, high + width / 2)
    margin = width * 0.05
    return min(low, near.min()) - margin, max(high, near.max()) + margin
