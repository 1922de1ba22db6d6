"""The texts that models disagree about most."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import spacy
from markupsafe import Markup
from spacy.language import Language

from ..pipeline.text_regressor import TextRegressor
from .explained import explain_text, greatest_by_scale, mark_text
from .read import Results

LONGEST_TEXT, MORE = 600, " …"
# Longer texts are explained by the dictionary alone.
MOST_WORDS = 1000


class Explaining(NamedTuple):
    """A pipeline, and the name of its component whose predictions are explained."""

    nlp: Language
    component: str


@dataclass(frozen=True)
class Disagreement:
    """A text that models disagree about.

    id (str): Id of the document.
    gold (float): The observed value.
    predictions (dict[str, float]): The prediction of each model.
    text (str | None): The text, cut to a length that people read; None if it is not known.
    marked (dict[str, Markup]): The text in colours, for each model that explains its prediction.
    """

    id: str
    gold: float
    predictions: dict[str, float]
    text: str | None
    marked: dict[str, Markup]


def disagreements(
    target: str,
    documents: pd.DataFrame,
    predictions: pd.DataFrame,
    texts: Mapping[str, str],
    explaining: Mapping[str, Explaining],
    n: int = 10,
) -> list[Disagreement]:
    """Find the texts that models disagree about most.

    target (str): The target.
    documents (DataFrame): `id` and `gold` of the documents.
    predictions (DataFrame): The same rows, a column for each model.
    texts (Mapping[str, str]): The texts by id, as far as they are known.
    explaining (Mapping[str, Explaining]): Pipelines whose predictions to explain, by model.
    n (int): Number of texts, at most.
    RETURNS (list[Disagreement]): The texts, those with the largest standard deviation of the
        predictions first; empty with fewer than two models.
    """
    complete = predictions.dropna()
    if complete.shape[1] < 2:
        return []
    spread = complete.std(axis=1, ddof=0)
    found = []
    for row in spread.sort_values(ascending=False, kind="stable").index[:n]:
        document = documents.loc[row]
        text, marked = texts.get(document["id"]), {}
        if text is not None:
            marked = _mark(text, target, explaining)
            text = cut_text(text)
        values = {str(model): float(value) for model, value in complete.loc[row].items()}
        found.append(Disagreement(document["id"], float(document["gold"]), values, text, marked))
    return found


def load_explaining(results: Results) -> dict[str, Explaining]:
    """Load the best dictionary and the best text_regressor, by R², of those that still load.

    results (Results): What `compare` wrote.
    RETURNS (dict[str, Explaining]): The pipelines by name of the model, the dictionary first.
    """
    scores = results.rows("scores", results.targets[0]) if results.targets else []
    r2 = {row["model"]: -math.inf if row["r2"] is None else row["r2"] for row in scores}
    models = [model for model in results.comparison["models"] if model["kind"] == "pipeline"]
    models.sort(key=lambda model: -r2.get(model["name"], -math.inf))
    found: dict[str, Explaining] = {}
    for factory in ("dictionary_regressor", "text_regressor"):
        runs = [(model["name"], run.get("path")) for model in models for run in model["runs"]]
        for name, path in runs:
            explaining = _load(path, factory)
            if explaining is not None:
                # A pipeline may have both.
                found[f"{name}, {factory}" if name in found else name] = explaining
                break
    return found


def cut_text(text: str) -> str:
    """Cut a long text, at a space where there is one."""
    if len(text) <= LONGEST_TEXT:
        return text
    # Some languages write no spaces.
    spaces = [i for i in range(LONGEST_TEXT // 2, LONGEST_TEXT) if text[i].isspace()]
    return text[: spaces[-1] if spaces else LONGEST_TEXT].rstrip() + MORE


def _load(path: str | None, factory: str) -> Explaining | None:
    """Load a pipeline that has a component of a factory; None if it has none, or does not load."""
    try:
        if not path or (Path(path).is_dir() and not _names(Path(path), factory)):
            return None
        nlp = spacy.load(path)
        names = [n for n in nlp.pipe_names if nlp.get_pipe_meta(n).factory == factory]
        return Explaining(nlp, names[0]) if names else None
    except (OSError, ValueError, ImportError):
        return None


def _names(path: Path, factory: str) -> bool:
    # Without loading weights.
    components = spacy.util.load_config(path / "config.cfg").get("components", {})
    return any(c.get("factory") == factory for c in components.values())


def _mark(text: str, target: str, explaining: Mapping[str, Explaining]) -> dict[str, Markup]:
    """Colour what is shown of a text, for each model that can explain its prediction for it."""
    explained = []
    for model, (nlp, name) in explaining.items():
        is_slow = isinstance(nlp.get_pipe(name), TextRegressor)
        try:
            if len(nlp.make_doc(text)) <= MOST_WORDS or not is_slow:
                explained.append(explain_text(nlp, text, model, component=name, target=target))
        except ValueError:
            # It does not predict this target, takes covariates, or keeps no terms.
            continue
    greatest = greatest_by_scale(explained)
    cut = cut_text(text)
    end = len(text) if cut == text else len(cut) - len(MORE)
    return {
        one.model: mark_text(one, greatest[one.scale], end) + ("" if cut == text else MORE)
        for one in explained
    }
