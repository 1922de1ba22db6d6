"""A trained dictionary, for people to read."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from spacy.language import Language

from ..pipeline.dictionary_regressor import DictionaryRegressor
from .drawing import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of a colour-blind safe scale: what lowers a prediction, and what raises it.
LOWERS = (230, 97, 1)
RAISES = (94, 130, 200)


def find_dictionary(nlp: Language, name: str | None = None) -> DictionaryRegressor:
    """Find the dictionary of a pipeline.

    nlp (Language): The pipeline.
    name (str | None): Name of the component; None for the first one.
    RETURNS (DictionaryRegressor): Its dictionary_regressor.
    RAISES (ValueError): It has none, or none of this name.
    """
    found = {n: c for n, c in nlp.pipeline if isinstance(c, DictionaryRegressor)}
    if not found or (name is not None and name not in found):
        named = f" named {name!r}" if name else ""
        raise ValueError(
            f"The pipeline has no dictionary_regressor{named}. It has: "
            f"{', '.join(nlp.pipe_names) or 'no components'}. The words of a text_regressor are "
            "listed with --data."
        )
    return found[name] if name else next(iter(found.values()))


def lexicon_table(component: DictionaryRegressor) -> pd.DataFrame:
    """List the terms of a dictionary, and what each contributes.

    component (DictionaryRegressor): A trained component.
    RETURNS (DataFrame): Columns term, category, weight, document_frequency and for each target
        contribution:TARGET, see `Lexicon`. The most important terms for the first target come
        first, by mean contribution times the root of the document frequency.
    RAISES (ValueError): The component is not initialized.
    """
    component.require_initialized()
    lexicon = component.lexicon
    table = pd.DataFrame(
        {
            "term": lexicon.terms,
            "category": lexicon.categories,
            "weight": lexicon.weights,
            "document_frequency": lexicon.document_frequency,
        }
    )
    for target, values in zip(component.targets, lexicon.contribution.T, strict=True):
        table[f"contribution:{target}"] = values
    first = lexicon.contribution[:, 0]
    importance = np.nan_to_num(np.abs(first)) * np.sqrt(table["document_frequency"])
    order = np.argsort(-importance.to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def plot_lexicon(table: pd.DataFrame, target: str, n_terms: int = 20) -> "Figure":
    """Draw the terms that lower and raise the prediction most.

    table (DataFrame): What `lexicon_table` or `word_table` gave.
    target (str): The target.
    n_terms (int): Number of terms of either sign, at most.
    RETURNS (Figure): A bar for each term: its mean contribution to a document's
        prediction.
    RAISES (ImportError): matplotlib is not installed.
    """
    column = f"contribution:{target}"
    values = table[table["document_frequency"] > 0]
    shown = [values[values[column] < 0].head(n_terms), values[values[column] > 0].head(n_terms)]
    figure = new_figure(1.2 + 0.22 * max(len(part) for part in shown), width=8)
    greatest = max((part[column].abs().max() for part in shown if len(part)), default=1.0)
    for axes, part, colour in zip(figure.subplots(1, 2), shown, (LOWERS, RAISES), strict=True):
        ordered = part.sort_values(column, key=abs)
        bars = axes.barh(range(len(ordered)), ordered[column], color=np.array(colour) / 255)
        axes.bar_label(
            bars, [f" {n} " for n in ordered["document_frequency"]], size=7, color="0.35"
        )
        # Terms may hold the signs of matplotlib's formulas.
        names = [term.replace("$", r"\$") for term in ordered["term"]]
        axes.set_yticks(range(len(ordered)), names, size=8)
        axes.set_xlim((0, greatest * 1.15) if colour == RAISES else (-greatest * 1.15, 0))
        if colour == LOWERS:
            axes.yaxis.tick_right()
        axes.spines[["top", "left", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
    figure.supxlabel(f"mean contribution to {target} (at the bars: documents)", size=9)
    return figure


def join_overlaps(marks: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Join overlapping marks (start, end, value) into one with the sum of their values."""
    joined: list[tuple[int, int, float]] = []
    for start, end, value in sorted(marks):
        if joined and start < joined[-1][1]:
            first, last, total = joined.pop()
            start, end, value = first, max(last, end), total + value
        joined.append((start, end, value))
    return joined
