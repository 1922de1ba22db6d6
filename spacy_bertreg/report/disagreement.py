"""The texts that models disagree about most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.language import Language
from spacy.tokens import SpanGroup

from .terms import find_dictionary, render_terms

LONGEST_TEXT = 600
# Of the strongest term's contribution: what adds less is not coloured, or nothing would stand out.
LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Disagreement:
    """A text that models disagree about.

    id (str): Id of the document.
    gold (float): The observed value.
    predictions (dict[str, float]): The prediction of each model.
    text (str | None): The text, cut to a length that people read; None if it is not known.
    html (str | None): The same with the dictionary's terms in colour, if there is a dictionary.
    """

    id: str
    gold: float
    predictions: dict[str, float]
    text: str | None
    html: str | None


def disagreements(
    target: str,
    documents: pd.DataFrame,
    predictions: pd.DataFrame,
    texts: Mapping[str, str],
    dictionary: Language | None,
    n: int = 10,
) -> list[Disagreement]:
    """Find the texts that models disagree about most.

    target (str): The target.
    documents (DataFrame): `id` and `gold` of the documents.
    predictions (DataFrame): The same rows, a column for each model.
    texts (Mapping[str, str]): The texts by id, as far as they are known.
    dictionary (Language | None): A pipeline whose terms to colour.
    n (int): How many texts, at most.
    RETURNS (list[Disagreement]): Those with the largest standard deviation of the predictions
        first; none where there are not two models.
    """
    complete = predictions.dropna()
    if complete.shape[1] < 2:
        return []
    spread = complete.std(axis=1, ddof=0)
    found = []
    for row in spread.sort_values(ascending=False, kind="stable").index[:n]:
        document = documents.loc[row]
        text, html = texts.get(document["id"]), None
        if text is not None:
            html = None if dictionary is None else _colour_terms(dictionary, text, target)
            text = cut_text(text)
        values = {str(model): float(value) for model, value in complete.loc[row].items()}
        found.append(Disagreement(document["id"], float(document["gold"]), values, text, html))
    return found


def load_dictionary(models: Sequence[dict[str, Any]]) -> Language | None:
    """Load the first pipeline with a dictionary_regressor that still loads.

    models (Sequence[dict]): "models" of comparison.json.
    RETURNS (Language | None): The pipeline; None if there is none.
    """
    paths = [run.get("path") for m in models if m["kind"] == "pipeline" for run in m["runs"]]
    for path in paths:
        try:
            # Not the pipelines with a BERT, which take long to load.
            if path and (not Path(path).is_dir() or _names_dictionary(Path(path))):
                nlp = spacy.load(path)
                find_dictionary(nlp)
                return nlp
        except (OSError, ValueError, ImportError):
            continue
    return None


def cut_text(text: str) -> str:
    """Cut a long text, at a space where there is one."""
    if len(text) <= LONGEST_TEXT:
        return text
    # Some languages write no spaces.
    spaces = [i for i in range(LONGEST_TEXT // 2, LONGEST_TEXT) if text[i].isspace()]
    return text[: spaces[-1] if spaces else LONGEST_TEXT].rstrip() + " …"


def _names_dictionary(path: Path) -> bool:
    components = spacy.util.load_config(path / "config.cfg").get("components", {})
    return any(c.get("factory") == "dictionary_regressor" for c in components.values())


def _colour_terms(nlp: Language, text: str, target: str) -> str | None:
    name = find_dictionary(nlp).spans_key
    doc = nlp(text)
    group = doc.spans.get(name) if name else None
    if name is None or group is None or target not in group.attrs.get("contributions", {}):
        return None
    n_tokens = len(doc)
    if len(text) > LONGEST_TEXT:
        end = len(cut_text(text)) - len(" …")
        n_tokens = sum(token.idx + len(token) <= end for token in doc)
    if not n_tokens:
        return None
    # Only what is shown: the terms behind it, and what they add, would point into nothing.
    shown = doc[:n_tokens].as_doc()
    contributions = group.attrs["contributions"][target]
    least = LEAST_SHARE * max((abs(value) for value in contributions), default=0.0)
    kept = [
        (shown[s.start : s.end], value)
        for s, value in zip(group, contributions, strict=True)
        if s.end <= n_tokens and abs(value) >= least
    ]
    attrs = {**group.attrs, "contributions": {target: [value for _, value in kept]}}
    shown.spans[name] = SpanGroup(shown, name=name, attrs=attrs, spans=[s for s, _ in kept])
    html = render_terms(shown, target, name, page=False)
    return html + (" …" if n_tokens < len(doc) else "")
