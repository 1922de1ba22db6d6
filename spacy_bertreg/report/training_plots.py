"""Figures of how models learned."""

from collections.abc import Sequence

import pandas as pd

from .drawing import Plot, legend_columns, model_styles, new_figure, plain


def plot_curves(curves: Sequence[tuple[str, pd.DataFrame]], models: Sequence[str]) -> Plot:
    """Draw R² on the dev set against steps of training, one line a run.

    curves (Sequence[tuple[str, DataFrame]]): What `read_curves` gave, not empty.
    models (Sequence[str]): All models but the baselines.
    RETURNS (Plot): The figure.
    """
    figure = new_figure(4.0)
    axes = figure.subplots()
    styles = model_styles(models)
    lines = {}
    for model, curve in curves:
        style = styles[model]
        if curve["step"].max() <= 1:
            # A dictionary learns in one go.
            lines[model] = axes.axhline(curve["r2"].iloc[0], color=style["color"], ls="--", lw=1.5)
        else:
            form = {"ms": 4, "lw": 1.5, "alpha": 0.8, **style}
            (lines[model],) = axes.plot(curve["step"], curve["r2"], **form)
    lowest = min(curve["r2"].min() for _, curve in curves)
    axes.set_ylim(max(lowest, -0.5) - 0.05, 1)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.set_xlabel("step of training")
    axes.set_ylabel("R² on the dev set")
    names = [plain(model) for model in lines]
    columns = legend_columns(lines)
    figure.legend(list(lines.values()), names, loc="outside upper center", ncols=columns)
    best = pd.DataFrame([(m, c["r2"].max()) for m, c in curves], columns=["model", "r2"])
    alt = "R² on the dev set during training. Best of each model: " + _best(best)
    caption = (
        "R² on the dev set during training, one line a run, as a mean over the targets; dashed: "
        "models that learn in one go. A line that still rises at its end needs more steps; one "
        "that falls to 0 has diverged."
    )
    return Plot("learning-curves", figure, alt, caption)


def plot_sizes(sizes: pd.DataFrame, models: Sequence[str]) -> Plot:
    """Draw R² against the number of training documents.

    sizes (DataFrame): What `read_sizes` gave.
    models (Sequence[str]): All models but the baselines.
    RETURNS (Plot): The figure.
    """
    figure = new_figure(4.0)
    axes = figure.subplots()
    styles = model_styles(list(dict.fromkeys([*models, *sizes["model"]])))
    for model, runs in sizes.groupby("model", sort=False):
        style = styles[str(model)]
        axes.scatter(runs["n_documents"], runs["r2"], s=22, alpha=0.45, linewidths=0, **style)
        means = runs.groupby("n_documents")["r2"].mean()
        axes.plot(means.index, means, lw=1.8, ms=6, label=plain(str(model)), **style)
    axes.set_xscale("log")
    ticks = sorted(sizes["n_documents"].unique())
    axes.set_xticks(ticks, [f"{n:,.0f}" for n in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(max(sizes["r2"].min(), -0.5) - 0.05, 1)
    axes.grid(alpha=0.3)
    axes.set_xlabel("training documents")
    axes.set_ylabel("R² on the test set")
    figure.legend(loc="outside upper center", ncols=legend_columns(sizes["model"].unique()))
    most = sizes[sizes["n_documents"] == sizes["n_documents"].max()]
    alt = (
        f"R² by number of training documents, {ticks[0]:,.0f} to {ticks[-1]:,.0f}. "
        "Best with the most: " + _best(most)
    )
    caption = (
        "R² of models that learned from part of the training documents: points are runs, lines "
        "their means. The horizontal scale is logarithmic: each doubling is as wide as the last."
    )
    return Plot("sizes", figure, alt, caption)


def _best(table: pd.DataFrame) -> str:
    best = table.groupby("model", sort=False)["r2"].max()
    return ", ".join(f"{model} {r2:.3f}" for model, r2 in best.items()) + "."
