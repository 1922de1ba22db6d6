"""The methods of explanation, by name."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from spacy.tokens import Doc, Span

from ..targets.contributions import set_contributions
from .gradients import GradientTimesInput, IntegratedGradients
from .occlusion import Occlusion
from .parts import Explanation, RegressorParts
from .token_vectors import TokenVectors

METHODS: dict[str, Callable[..., Any]] = {
    "integrated_gradients": IntegratedGradients,
    "gradient_x_input": GradientTimesInput,
    "token_vectors": TokenVectors,
    "occlusion": Occlusion,
}
DEFAULT = "integrated_gradients"
# For a tok2vec, which has no mask to compare words with.
DEFAULT_OF_TOK2VEC = "token_vectors"


def default_method(parts: RegressorParts) -> str:
    """Choose the default method for a regressor."""
    model = parts.model
    vectors = model.get_ref("document_vectors") if model.has_ref("document_vectors") else None
    if vectors is None:
        return "occlusion"
    return DEFAULT_OF_TOK2VEC if vectors.has_ref("token_vectors") else DEFAULT


def explain(
    parts: RegressorParts, docs: Sequence[Doc], method: str, settings: dict[str, Any]
) -> list[Explanation]:
    """Explain predictions.

    parts (RegressorParts): The regressor.
    docs (Sequence[Doc]): Documents that the pipeline has read; not changed.
    method (str): One of METHODS.
    settings (dict[str, Any]): Settings of the method.
    RETURNS (list[Explanation]): For each document.
    RAISES (ValueError): There is no such method or setting, or it can't explain this regressor.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}. Expected one of {', '.join(map(repr, METHODS))}.")
    kind: Any = METHODS[method]
    known = [field.name for field in fields(kind)]
    for name in settings:
        if name not in known:
            raise ValueError(
                f"The method {method!r} has no setting {name!r}. It has: "
                f"{', '.join(known) or 'none'}."
            )
    explainer = kind(**settings)
    explained = [doc for doc in docs if not all(token.is_space for token in doc)]
    found = iter(explainer(parts, explained) if explained else [])
    return [
        parts.without_words() if all(token.is_space for token in doc) else next(found)
        for doc in docs
    ]


def explain_in_spans(
    parts: RegressorParts,
    docs: Sequence[Doc],
    method: str | None,
    key: str,
    settings: dict[str, Any],
) -> list[Explanation]:
    """Explain predictions, and write the explanations to `doc.spans[key]`.

    parts (RegressorParts): The regressor.
    docs (Sequence[Doc]): Documents that the pipeline has read.
    method (str | None): One of METHODS; None for the default.
    key (str): Key in `doc.spans`.
    settings (dict[str, Any]): Settings of the method.
    RETURNS (list[Explanation]): For each document.
    RAISES (ValueError): As `explain`, or another component writes to the key.
    """
    others = [n for n, part in parts.nlp.components if getattr(part, "spans_key", None) == key]
    groups = [doc.spans[key] for doc in docs if key in doc.spans]
    if others or any(group.attrs.get("component") != parts.name for group in groups):
        writer = f"The component {others[0]!r}" if others else "Another component"
        raise ValueError(
            f"{writer} writes to doc.spans[{key!r}], where {parts.name!r} would write its "
            "explanation. Expected another spans_key."
        )
    chosen = method or default_method(parts)
    explanations = explain(parts, docs, chosen, settings)
    for doc, explanation in zip(docs, explanations, strict=True):
        write_explanation(doc, explanation, key, parts, chosen)
    return explanations


def write_explanation(
    doc: Doc, explanation: Explanation, key: str, parts: RegressorParts, method: str
) -> None:
    """Write an explanation to `doc.spans[key]`, in the form of a dictionary's terms; see
    `set_contributions`. Beside `base` and `contributions`, the group's `attrs` hold by target what
    `covariates` add, by name, and the `error` of the sum; and the names of the `method` and the
    `component`.

    doc (Doc): The document.
    explanation (Explanation): Of its prediction.
    key (str): Key in `doc.spans`.
    parts (RegressorParts): The regressor.
    method (str): Name of the method.
    """
    kb_id = doc.vocab.strings.add(key)
    covariates = {name: values.tolist() for name, values in explanation.covariates.items()}
    set_contributions(
        doc,
        key,
        [Span(doc, start, end, kb_id=kb_id) for start, end in explanation.units],
        parts.targets,
        explanation.base.tolist(),
        explanation.contributions.T.tolist(),
        covariates={
            target: {name: values[place] for name, values in covariates.items()}
            for place, target in enumerate(parts.targets)
        },
        error=dict(zip(parts.targets, explanation.error.tolist(), strict=True)),
        method=method,
        component=parts.name,
    )
