"""Figures of estimates: coefficients with their intervals, and widths to expect."""

import io

import numpy as np
import pandas as pd

from ..report.drawing import drawing_style, model_styles, new_figure, plain

INTERCEPT = "Intercept"


def draw_estimates(table: pd.DataFrame, kind: str) -> bytes:
    """Draw estimates with their intervals, the estimators of each term below each other. An
    intercept is left out where there are other terms.

    table (DataFrame): What `estimate` gave.
    kind (str): "png", "svg" or "pdf".
    RETURNS (bytes): The file.
    RAISES (ImportError): matplotlib is not installed.
    """
    shown = _without_intercept(table.dropna(subset=["estimate"]))
    terms = list(dict.fromkeys(shown["term"]))
    labels = shown["term"]
    if "group" in shown:
        labels = shown["group"] + ("" if len(terms) == 1 else ": " + shown["term"])
    names = list(dict.fromkeys(labels))
    estimators = list(dict.fromkeys(shown["estimator"]))
    offsets = np.linspace(-0.3, 0.3, len(estimators)) if len(estimators) > 1 else [0.0]
    with drawing_style():
        figure = new_figure(1.2 + len(names) * (0.15 + 0.14 * len(estimators)))
        axes = figure.subplots()
        styles = model_styles(estimators)
        for estimator, offset in zip(estimators, offsets, strict=True):
            rows = shown[shown["estimator"] == estimator]
            y = [names.index(labels[place]) + offset for place in rows.index]
            style = styles[estimator]
            axes.hlines(y, rows["low"], rows["high"], color=style["color"], lw=2)
            axes.plot(rows["estimate"], y, ls="", ms=5, label=estimator, **style)
        axes.set_yticks(range(len(names)), [plain(name) for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.axvline(0, color="0.3", lw=1)
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel("Estimate, with its interval")
        figure.legend(loc="outside upper center", ncols=len(estimators))
        return _save(figure, kind)


def draw_plan(plan: pd.DataFrame, kind: str) -> bytes:
    """Draw the width of intervals against the number of coded documents, a panel for each term.

    plan (DataFrame): What `expect_widths` gave; of several groups, their mean is drawn.
    kind (str): "png", "svg" or "pdf".
    RETURNS (bytes): The file.
    RAISES (ImportError): matplotlib is not installed.
    """
    shown = _without_intercept(plan)
    if "group" in shown:
        first = shown.groupby("group")["n_coded"].transform("min")
        shown = shown.assign(n_coded=(shown["n_coded"] / first).round(1))
    terms = list(dict.fromkeys(shown["term"]))
    estimators = list(dict.fromkeys(shown["estimator"]))
    with drawing_style():
        figure = new_figure(0.8 + 2.0 * len(terms))
        panels = figure.subplots(len(terms), 1, squeeze=False, sharex=True)[:, 0]
        styles = model_styles(estimators)
        for axes, term in zip(panels, terms, strict=True):
            for estimator in estimators:
                chosen = (shown["term"] == term) & (shown["estimator"] == estimator)
                widths = shown[chosen].groupby("n_coded")["width"].mean()
                axes.plot(widths.index, widths, label=estimator, ms=5, **styles[estimator])
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
            axes.set_title(plain(term))
            axes.set_ylabel("Width")
        times = ", times as many as now" if "group" in plan else ""
        panels[-1].set_xlabel(f"Coded documents{times}")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
        return _save(figure, kind)


def _without_intercept(table: pd.DataFrame) -> pd.DataFrame:
    others = table[table["term"] != INTERCEPT]
    return table if others.empty else others


def _save(figure: object, kind: str) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format=kind, dpi=150)  # type: ignore[attr-defined]
    return image.getvalue()
