"""What parts of a text add to its prediction, as spans in `doc.spans`."""

from collections.abc import Sequence
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from ..data.annotations import register_extension


def set_contributions(
    doc: Doc,
    key: str,
    spans: Sequence[Span],
    targets: Sequence[str],
    base: Sequence[float],
    contributions: Sequence[Sequence[float]],
    **more: Any,
) -> None:
    """Write spans and what they add to the prediction to `doc.spans[key]`, replacing what is there.

    doc (Doc): The document.
    key (str): Key in `doc.spans`. It is also each span's `kb_id_`, by which a span that was taken
        from its group finds it again.
    spans (Sequence[Span]): The spans.
    targets (Sequence[str]): Names of the targets.
    base (Sequence[float]): For each target, the prediction without the spans; in the group's
        `attrs["base"]`, by target.
    contributions (Sequence[Sequence[float]]): For each target, what each span adds; in
        `attrs["contributions"]`, by target.
    **more (Any): Other entries of `attrs`, which msgpack can save.
    """
    attrs = {
        "base": dict(zip(targets, base, strict=True)),
        "contributions": dict(zip(targets, contributions, strict=True)),
        **more,
    }
    doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=list(spans))


def get_contributions(span: Span) -> dict[str, float] | None:
    """Get by target what a span adds to the prediction; None for a span that no regressor set."""
    # The group is that of the component which set the span, even if another set it too.
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
    """Get what a span adds to the prediction of the first target."""
    contributions = get_contributions(span)
    return None if contributions is None else next(iter(contributions.values()))


register_extension(Span, "contribution", getter=get_contribution)
register_extension(Span, "contributions", getter=get_contributions)
