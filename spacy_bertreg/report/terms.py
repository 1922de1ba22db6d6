"""A trained dictionary, for people to read."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc

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
            f"{', '.join(nlp.pipe_names) or 'no components'}."
        )
    return found[name] if name else next(iter(found.values()))


def lexicon_table(component: DictionaryRegressor) -> pd.DataFrame:
    """List the terms of a dictionary, and what each contributes.

    component (DictionaryRegressor): A trained one.
    RETURNS (DataFrame): Columns term, category, weight, document_frequency and for each target
        contribution:TARGET, see `Lexicon`; first what matters most for the first target: mean
        contribution times the root of the document frequency.
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

    table (DataFrame): What `lexicon_table` gave.
    target (str): The target.
    n_terms (int): How many of either sign, at most.
    RETURNS (Figure): A bar for each term: its mean contribution to a training document's
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
    figure.supxlabel(f"mean contribution to {target} (at the bars: training documents)", size=9)
    return figure


def render_terms(
    doc: Doc, target: str, key: str = "dictionary_regressor", *, page: bool = True
) -> str:
    """Colour the terms of a text by what they add to its prediction, with displaCy. Terms that
    overlap share a mark; what adds nothing has none.

    doc (Doc): A text that the pipeline has read.
    target (str): The target.
    key (str): Where in `doc.spans` the terms are.
    page (bool): Whether to make a whole page, with the prediction as its title.
    RETURNS (str): HTML without references to others.
    RAISES (ValueError): There are no terms under this key, or not for this target.
    """
    group = doc.spans.get(key)
    contributions = None if group is None else group.attrs.get("contributions", {}).get(target)
    if group is None or contributions is None:
        raise ValueError(
            f"The document has no terms with contributions to {target!r} in doc.spans[{key!r}]. "
            "Expected a text that a pipeline with a dictionary_regressor has read."
        )
    base = group.attrs["base"][target]
    marks = [(s.start_char, s.end_char, v) for s, v in zip(group, contributions, strict=True)]
    joined = [mark for mark in join_overlaps(marks) if f"{abs(mark[2]):.2f}" != "0.00"]
    greatest = max((abs(value) for *_, value in joined), default=1.0)
    data: dict[str, Any] = {
        "text": doc.text,
        "ents": [{"start": s, "end": e, "label": f"{value:+.2f}"} for s, e, value in joined],
        "title": None,
    }
    if page:
        data["title"] = (
            f"{target}: {base:.2f} without the terms {sum(contributions):+.2f} by them "
            f"= {base + sum(contributions):.2f}"
        )
    colours = {f"{value:+.2f}": _colour(value / greatest) for *_, value in joined}
    return displacy.render(
        data, style="ent", manual=True, page=page, jupyter=False, options={"colors": colours}
    )


def join_overlaps(marks: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Join marks (start, end, value) that overlap to one with the sum of their values."""
    joined: list[tuple[int, int, float]] = []
    for start, end, value in sorted(marks):
        if joined and start < joined[-1][1]:
            first, last, total = joined.pop()
            start, end, value = first, max(last, end), total + value
        joined.append((start, end, value))
    return joined


def _colour(strength: float) -> str:
    """Mix white with one of two colours, by a strength from -1 to 1."""
    goal = RAISES if strength > 0 else LOWERS
    mixed = (round(255 - (255 - part) * abs(strength)) for part in goal)
    return "#" + "".join(f"{part:02x}" for part in mixed)
