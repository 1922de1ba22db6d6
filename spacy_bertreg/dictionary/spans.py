"""Writes the terms of documents to `doc.spans`, with what they add to the prediction."""

from collections.abc import Sequence

from spacy.tokens import Doc, Span

from ..targets.contributions import set_contributions
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
        set_contributions(doc, key, spans, targets, base, parts)
        first = last
