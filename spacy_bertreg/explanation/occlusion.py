"""Explanations by leaving out words or sentences."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.tokens import Doc
from spacy.util import minibatch

from ..data.covariates import copy_covariates
from .head import Head
from .parts import Explanation, Floats, RegressorParts, word_units

UNITS = ("word", "sentence")


@dataclass(frozen=True)
class Occlusion:
    """Leave out each word or sentence, run the pipeline on what remains, and take the change of the
    prediction. Works for any model, with one pass for each word or sentence. Changes do not sum to
    the prediction: the base is the rest.

    unit (str): What is left out, "word" or "sentence". Sentences are those that the pipeline found,
        or otherwise end at full stops and the like.
    """

    unit: str = "word"

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit is {self.unit!r}. Expected 'word' or 'sentence'.")

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word."""
        units = [word_units(doc) if self.unit == "word" else sentence_units(doc) for doc in docs]

        def versions() -> Iterator[Doc]:
            for doc, own in zip(docs, units, strict=True):
                yield delete(doc, [])
                yield from (delete(doc, [unit]) for unit in own)

        values = predict_anew(parts, versions())
        explanations = []
        covariates = _explain_covariates(parts, docs)
        for number, own in enumerate(units):
            prediction = next(values)
            without = [next(values) for _ in own]
            contributions = prediction - np.array(without).reshape(len(own), len(prediction))
            added = sum(covariates[number].values(), contributions.sum(axis=0))
            nothing = np.zeros(len(prediction))
            explanations.append(
                Explanation(own, prediction - added, contributions, covariates[number], nothing)
            )
        return explanations


def sentence_units(doc: Doc) -> list[tuple[int, int]]:
    """Get the sentences of a document that hold more than white space."""
    if not doc.has_annotation("SENT_START"):
        doc = Sentencizer()(doc.copy())
    return [(s.start, s.end) for s in doc.sents if not all(token.is_space for token in s)]


def delete(doc: Doc, units: Iterable[tuple[int, int]], mask: str | None = None) -> Doc:
    """Copy a document without some of its units, or with these masked, with the same covariates.

    doc (Doc): The document.
    units (Iterable[tuple[int, int]]): First token of each, and the one behind its last.
    mask (str | None): What to put in the place of each token; None for nothing.
    RETURNS (Doc): A document that no component has read.
    """
    kept = np.ones(len(doc), dtype=bool)
    for start, end in units:
        kept[start:end] = False
    tokens = [token for token in doc if kept[token.i] or mask is not None]
    words = [token.text if kept[token.i] else str(mask) for token in tokens]
    rest = Doc(doc.vocab, words, [bool(token.whitespace_) for token in tokens])
    copy_covariates(doc, rest)
    rest._context = doc._context
    return rest


def predict_anew(parts: RegressorParts, docs: Iterable[Doc]) -> Iterator[Floats]:
    """Run the pipeline up to the regressor on documents, and predict.

    parts (RegressorParts): The regressor.
    docs (Iterable[Doc]): Documents that no component has read.
    YIELDS (ndarray): The explained number of each target, for each document.
    """
    with _full_precision(parts.nlp):
        for batch in minibatch(docs, parts.nlp.batch_size):
            for name, component in parts.nlp.pipeline:
                if name == parts.name:
                    break
                batch = _run(component, batch, parts.nlp)
            yield from parts.from_scaled(parts.predict(batch).scaled)


def _run(component: Any, docs: list[Doc], nlp: Language) -> list[Doc]:
    if hasattr(component, "pipe"):
        return list(component.pipe(docs, batch_size=nlp.batch_size))
    return [component(doc) for doc in docs]


@contextmanager
def _full_precision(nlp: Language) -> Iterator[None]:
    """In this context, let the pipeline's transformers compute in float32, with torch: changes are
    small. What OpenVINO has compiled in another precision stays."""
    models = [component.model for _, component in nlp.pipeline if hasattr(component, "model")]
    nodes = [node for model in models if hasattr(model, "walk") for node in model.walk()]
    shims: list[Any] = [s for node in nodes for s in node.shims if hasattr(s, "precision")]
    before = [(shim.precision, shim.backend) for shim in shims]
    try:
        for shim in shims:
            shim.precision, shim.backend = "float32", "torch"
        yield
    finally:
        for shim, settings in zip(shims, before, strict=True):
            shim.precision, shim.backend = settings


def _explain_covariates(parts: RegressorParts, docs: Sequence[Doc]) -> list[dict[str, Floats]]:
    """Compute what covariates add to the predictions for documents that the pipeline has read."""
    if not parts.model.get_ref("with_covariates").attrs["scale"].get("names"):
        return [{} for _ in docs]
    head = Head(parts)
    columns = head.read_columns(docs)
    model: Any = parts.model.get_ref("document_vectors")
    vectors = model.ops.to_numpy(model.predict(list(docs)))
    d_columns = head.differentiate(vectors, columns).columns
    return [
        head.by_covariate(d_columns[:, number].T * columns[number][:, None])
        for number in range(len(docs))
    ]
