"""Writes the terms of documents to `doc.spans`, with what they add to the prediction."""

from collections.abc import Sequence

from spacy.tokens import Doc, Span, SpanGroup

from ..data.annotations import register_extension
from .lexicon import Lexicon
from .model import Explanation


def set_spans(
    docs: Sequence[Doc],
    explanation: Explanation,
    lexicon: Lexicon,
    targets: Sequence[str],
    key: str,
) -> None:
    """Write matched terms to `doc.spans[key]`: `label_` is the term as listed, `id_` its category
    and `kb_id_` the key. The group's `attrs` hold by target the `base` of the prediction and the
    `contributions` of the spans.

    docs (Sequence[Doc]): The documents.
    explanation (Explanation): Of their predictions.
    lexicon (Lexicon): The terms.
    targets (Sequence[str]): Names of the targets.
    key (str): Key in `doc.spans`.
    """
    strings = docs[0].vocab.strings
    entries = set(explanation.table.entries.tolist())
    labels = {entry: strings.add(lexicon.terms[entry]) for entry in entries}
    ids = {entry: strings.add(lexicon.categories[entry]) for entry in entries}
    # Tells a span that was taken from its group from another dictionary's.
    kb_id = strings.add(key)
    contributions = explanation.contributions.T.tolist()
    first = 0
    for doc, matches, base in zip(
        docs, explanation.matches, explanation.base.tolist(), strict=True
    ):
        spans = [
            Span(doc, start, end, label=labels[entry], kb_id=kb_id, span_id=ids[entry])
            for entry, start, end in matches
        ]
        last = first + len(matches)
        parts = [values[first:last] for values in contributions]
        attrs = {
            "base": dict(zip(targets, base, strict=True)),
            "contributions": dict(zip(targets, parts, strict=True)),
        }
        doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=spans)
        first = last


def get_contributions(span: Span) -> dict[str, float] | None:
    """Get by target what a matched term adds to the prediction; None for another span."""
    # The group is that of the dictionary which found the term, even if another found it too.
    group = span.doc.spans.get(span.kb_id_)
    if group is None or "contributions" not in group.attrs:
        return None
    places = [(other.start, other.end, other.label, other.id) for other in group]
    place = (span.start, span.end, span.label, span.id)
    if place not in places:
        return None
    index = places.index(place)
    return {target: values[index] for target, values in group.attrs["contributions"].items()}


def get_contribution(span: Span) -> float | None:
    """Get what a matched term adds to the prediction of the first target."""
    contributions = get_contributions(span)
    return None if contributions is None else next(iter(contributions.values()))


register_extension(Span, "contribution", getter=get_contribution)
register_extension(Span, "contributions", getter=get_contributions)
