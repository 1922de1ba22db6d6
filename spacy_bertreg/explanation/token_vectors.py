"""Explanations by the vectors that a linear head averages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc
from thinc.api import chain

from .gradients import explain_by_rest, explain_in_one_pass
from .head import Head
from .parts import Explanation, RegressorParts, word_units
from .passes import TransformerPasses

# Documents of a tok2vec that are read at once.
DOCS_AT_ONCE = 128


@dataclass(frozen=True)
class TokenVectors:
    """Divide the prediction among the vectors that are pooled: a linear head gives each word
    piece's last hidden state, or each token's vector, a share of its own, and these sum to the
    prediction exactly. One forward pass. A vector depends on its word's context: what a neighbour
    changes in it counts for the word."""

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word.

        RAISES (ValueError): The head is not linear, or the pooling uses no word's vector.
        """
        vectors = parts.model.get_ref("document_vectors")
        if vectors.has_ref("token_vectors"):
            return [
                explanation
                for start in range(0, len(docs), DOCS_AT_ONCE)
                for explanation in _explain_tok2vec(parts, docs[start : start + DOCS_AT_ONCE])
            ]
        if vectors.has_ref("pool") and vectors.get_ref("pool").attrs["pooling"] == "cls":
            raise ValueError(
                f"method is 'token_vectors', but with pooling = 'cls' [components.{parts.name}] "
                "predicts from the first special token's vector alone. Expected "
                "'integrated_gradients', 'gradient_x_input' or 'occlusion'."
            )
        passes = TransformerPasses(parts, docs, "hidden states")
        _check_linear(passes.head, parts)
        return explain_in_one_pass(passes, docs)


def _explain_tok2vec(parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
    layer = parts.model.get_ref("document_vectors")
    tok2vec, head = layer.get_ref("token_vectors"), Head(parts)
    _check_linear(head, parts)
    pooling: Any = chain(*layer.layers[layer.layers.index(tok2vec) + 1 :])
    vectors = tok2vec.predict(list(docs))
    pooled, backprop = pooling.begin_update(vectors)
    columns = head.read_columns(docs)
    found = head.differentiate(pooling.ops.to_numpy(pooled), columns)
    products = [[np.zeros(0, dtype=np.float32)] * len(found.vectors) for _ in docs]
    for target, d_vectors in enumerate(found.vectors):
        d_tokens = backprop(pooling.ops.asarray2f(d_vectors))
        for number, (tokens, d) in enumerate(zip(vectors, d_tokens, strict=True)):
            products[number][target] = pooling.ops.to_numpy((tokens * d).sum(axis=1))
    return [
        explain_by_rest(
            word_units(doc),
            found.values[number],
            np.stack(products[number], axis=1),
            head.by_covariate(found.columns[:, number].T * columns[number][:, None]),
        )
        for number, doc in enumerate(docs)
    ]


def _check_linear(head: Head, parts: RegressorParts) -> None:
    if not head.is_linear:
        raise ValueError(
            f"method is 'token_vectors', but the head of [components.{parts.name}] is no linear "
            "layer. Expected 'integrated_gradients', 'gradient_x_input' or 'occlusion'."
        )
