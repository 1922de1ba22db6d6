"""One text as models read it: what its words add to their predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape
from spacy.language import Language

from ..data.annotations import get_annotation
from ..data.covariates import COVARIATES
from ..pipeline.dictionary_regressor import DictionaryRegressor
from ..pipeline.regressor import Regressor, find_regressors
from ..pipeline.text_regressor import TextRegressor
from .formatting import decimals_for, signed
from .terms import LOWERS, RAISES, join_overlaps

# Shares of the greatest contribution. Parts that add less have no number beside them, or no colour.
LABELLED, COLOURED = 0.25, 0.02


@dataclass(frozen=True)
class Part:
    """A part of a text: its characters `start` to `end`, what it adds to the prediction, and for a
    dictionary its term and category."""

    start: int
    end: int
    value: float
    term: str = ""
    category: str = ""


@dataclass(frozen=True)
class ExplainedText:
    """A text with what its parts add to a model's prediction.

    model (str): Name of the model.
    target (str): The target.
    text (str): The text.
    scale (str): Scale on which base, parts, covariates and error sum to the prediction: "" for the
        target's unit, otherwise a transform such as "log1p".
    base (float): The prediction without the parts.
    parts (list[Part]): In the order of the text.
    covariates (dict[str, float]): What each covariate adds.
    error (float): The difference between the prediction and the sum of the others.
    prediction (float): The prediction in the target's unit.
    interval (tuple[float, float] | None): Interval of the prediction; None if the pipeline is not
        calibrated.
    method (str): The method of explanation; "" for a dictionary.
    """

    model: str
    target: str
    text: str
    scale: str
    base: float
    parts: list[Part]
    covariates: dict[str, float]
    error: float
    prediction: float
    interval: tuple[float, float] | None
    method: str = ""

    @property
    def added(self) -> float:
        """Get what all parts add."""
        return sum(part.value for part in self.parts)

    @property
    def total(self) -> float:
        """Get the sum of base, parts and covariates."""
        return self.base + self.added + sum(self.covariates.values())

    def strongest(self, n: int = 5) -> list[tuple[str, float]]:
        """Get the words that add most and least, joined over the text, at most n of either."""
        sums: dict[str, float] = {}
        for part in self.parts:
            word = self.text[part.start : part.end].lower()
            sums[word] = sums.get(word, 0.0) + part.value
        ordered = sorted(sums.items(), key=lambda item: -item[1])
        raising = [item for item in ordered if item[1] > 0][:n]
        lowering = [item for item in ordered if item[1] < 0][-n:]
        return raising + lowering


def find_regressor(nlp: Language, name: str | None = None, *, text: bool = False) -> Regressor:
    """Find the component whose predictions to explain.

    nlp (Language): The pipeline.
    name (str | None): Name of the component; None for the first dictionary_regressor, or otherwise
        the first text_regressor.
    text (bool): Whether to look only for a text_regressor.
    RETURNS (Regressor): The component.
    RAISES (ValueError): There is none, or none of this name.
    """
    kinds = [TextRegressor] if text else [DictionaryRegressor, TextRegressor]
    found = [part for kind in kinds for part in find_regressors(nlp) if isinstance(part, kind)]
    chosen = [part for part in found if name is None or part.name == name]
    if not chosen:
        kind = "text_regressor" if text else "text_regressor or dictionary_regressor"
        named = f" named {name!r}" if name else ""
        raise ValueError(
            f"The pipeline has no {kind}{named}. It has: "
            f"{', '.join(nlp.pipe_names) or 'no components'}."
        )
    chosen[0].require_initialized()
    return chosen[0]


def explain_text(
    nlp: Language,
    text: str,
    model: str,
    *,
    component: str | None = None,
    target: str | None = None,
    method: str | None = None,
    covariates: Mapping[str, float | None] | None = None,
) -> ExplainedText:
    """Run a pipeline on a text, and explain its prediction.

    nlp (Language): The pipeline.
    text (str): The text.
    model (str): A name for the pipeline.
    component (str | None): See `find_regressor`.
    method (str | None): Method for a text_regressor, which is then preferred to a dictionary; None
        for its default.
    target (str | None): The target; None for the first.
    covariates (Mapping[str, float | None] | None): Covariates of the text, None where unknown.
    RETURNS (ExplainedText): The explanation.
    RAISES (ValueError): There is no such component, target or method, or a dictionary keeps no
        terms.
    """
    has_text = any(isinstance(part, TextRegressor) for part in find_regressors(nlp))
    prefers_text = method is not None and has_text and component is None
    regressor = find_regressor(nlp, component, text=prefers_text)
    target = target or regressor.targets[0]
    if target not in regressor.targets:
        raise ValueError(
            f"The component {regressor.name!r} of {model} has no target {target!r}. It has: "
            f"{', '.join(regressor.targets)}."
        )
    doc = nlp.make_doc(text)
    if covariates:
        doc.user_data[COVARIATES] = dict(covariates)
    doc = nlp(doc)
    key = regressor.name
    if isinstance(regressor, TextRegressor):
        regressor.explain([doc], method=method)
    elif isinstance(regressor, DictionaryRegressor):
        if regressor.spans_key is None:
            raise ValueError(
                f"spans_key is null in [components.{regressor.name}], so the pipeline keeps no "
                "terms. Expected a key, such as '{name}'."
            )
        key = regressor.spans_key
    group = doc.spans[key]
    contributions = group.attrs["contributions"][target]
    output_key = regressor.output_keys[target]
    return ExplainedText(
        model=model,
        target=target,
        text=doc.text,
        scale=_scale(regressor, target),
        base=group.attrs["base"][target],
        parts=[
            Part(span.start_char, span.end_char, value, span.label_, span.id_)
            for span, value in zip(group, contributions, strict=True)
        ],
        covariates=group.attrs.get("covariates", {}).get(target, {}),
        error=group.attrs.get("error", {}).get(target, 0.0),
        prediction=doc.cats[output_key],
        interval=(get_annotation(doc, "interval") or {}).get(output_key),
        method=group.attrs.get("method", ""),
    )


def _scale(regressor: Regressor, target: str) -> str:
    place = regressor.targets.index(target)
    if isinstance(regressor, TextRegressor) and regressor.loss.log_link:
        return "log"
    return regressor.scale.transforms[place] if regressor.scale.is_curved[place] else ""


def greatest_by_scale(texts: Sequence[ExplainedText]) -> dict[str, float]:
    """Find the greatest size of a mark on each scale, over all models, for one scale of colours."""
    greatest: dict[str, float] = {}
    for text in texts:
        marks = join_overlaps([(part.start, part.end, part.value) for part in text.parts])
        sizes = [abs(value) for *_, value in marks]
        greatest[text.scale] = max([greatest.get(text.scale, 0.0), *sizes])
    return greatest


def mark_text(explained: ExplainedText, greatest: float, end: int | None = None) -> Markup:
    """Colour the parts of a text by what they add: orange lowers, blue raises. Parts that overlap
    share a mark.

    explained (ExplainedText): The text.
    greatest (float): The contribution that has the full colour.
    end (int | None): Where to cut the text; None for nowhere.
    RETURNS (Markup): HTML, in which the text is escaped.
    """
    text = explained.text[:end]
    decimals = decimals_for(greatest)
    pieces: list[Any] = []
    place = 0
    for start, stop, value in join_overlaps([(p.start, p.end, p.value) for p in explained.parts]):
        strength = abs(value) / greatest if greatest else 0.0
        if stop > len(text) or strength < COLOURED:
            continue
        added = signed(value, decimals)
        pieces.append(escape(text[place:start]))
        pieces.append(
            Markup('<mark style="background:{}" title="{}">{}{}</mark>').format(
                _colour(value, strength),
                added,
                escape(text[start:stop]),
                Markup("<small>{}</small>").format(added) if strength >= LABELLED else "",
            )
        )
        place = stop
    return Markup("").join([*pieces, escape(text[place:])])


def _colour(value: float, strength: float) -> str:
    """Choose a colour by sign, as opaque as the value is strong, from 0 to 1: right on white and on
    black. A page may set the colours by the variables."""
    name, colour = ("raises", RAISES) if value > 0 else ("lowers", LOWERS)
    red, green, blue = colour
    return f"rgb(var(--{name},{red} {green} {blue})/{min(strength, 1.0):.2f})"
