"""One vector for each document from a transformer's outputs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model
from thinc.types import Floats2d
from transformers.file_utils import ModelOutput

from .outputs import POOLINGS, DeferredData


def pool_wordpieces(pooling: str) -> Model[list[TransformerData], Floats2d]:
    """Pool each document's word-piece vectors. Special tokens such as [SEP] and padding are no
    word pieces, and a word piece that several windows cover counts once. A document without
    word pieces gets zeros.

    pooling (str): "mean" or "max" over the document's word pieces, or "cls": each window's first
        vector, averaged over the windows.
    RETURNS (Model[list[TransformerData], Floats2d]): Output of shape (documents, width).
    RAISES (ValueError): `pooling` is none of the three.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}. Expected one of: {', '.join(POOLINGS)}.")
    return Model("pool_wordpieces", forward, attrs={"pooling": pooling}, dims={"nO": None})


def forward(
    model: Model, docs: list[TransformerData], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[TransformerData]]]:
    pool = _pool_max if model.attrs["pooling"] == "max" else _pool_weighted
    vectors = model.ops.alloc2f(len(docs), model.get_dim("nO"))
    backprops: dict[int, Callable] = {}
    for i, doc in enumerate(docs):
        # A document without tokens has no output at all.
        if isinstance(doc, DeferredData):
            if doc.has_windows:
                vectors[i] = doc.pooled(model.attrs["pooling"])
                backprops[i] = partial(_no_gradient, doc)
        elif "last_hidden_state" in doc.model_output:
            vectors[i], backprops[i] = pool(model, doc)

    def backprop(d_vectors: Floats2d) -> list[TransformerData]:
        empty = TransformerData.empty()
        return [
            TransformerData(
                empty.wordpieces,
                ModelOutput(last_hidden_state=backprop_doc(d_vectors[i])),
                empty.align,
            )
            for i, backprop_doc in backprops.items()
        ]

    return vectors, backprop


def _pool_weighted(model: Model, doc: TransformerData) -> tuple:
    hidden = doc.model_output["last_hidden_state"]
    n_windows, n_pieces, width = hidden.shape
    weights = wordpiece_weights(doc)
    total = weights.sum()
    if total == 0:
        return _zeros(model, hidden)
    if model.attrs["pooling"] == "cls":
        weights = np.zeros((n_windows, n_pieces), dtype="f")
        weights[:, 0] = 1
        total = n_windows
    shares: Any = model.ops.xp.asarray(weights / total)
    vector = shares.reshape(-1) @ hidden.reshape(-1, width)
    return vector, lambda d_vector: shares[:, :, None] * d_vector


def _pool_max(model: Model, doc: TransformerData) -> tuple:
    hidden = doc.model_output["last_hidden_state"]
    is_piece = wordpiece_weights(doc) > 0
    if not is_piece.any():
        return _zeros(model, hidden)
    xp = model.ops.xp
    width = hidden.shape[-1]
    is_piece_row = xp.asarray(is_piece.reshape(-1, 1))
    rows = xp.where(is_piece_row, hidden.reshape(-1, width), -xp.inf)
    which = rows.argmax(axis=0)
    columns = xp.arange(width)

    def backprop(d_vector: Floats2d) -> Floats2d:
        d_rows = xp.zeros_like(rows)
        d_rows[which, columns] = d_vector
        return d_rows.reshape(hidden.shape)

    return rows[which, columns], backprop


def _zeros(model: Model, hidden: Floats2d) -> tuple:
    xp = model.ops.xp
    return xp.zeros(hidden.shape[-1], dtype="f"), lambda d_vector: xp.zeros_like(hidden)


def _no_gradient(doc: DeferredData, d_vector: Floats2d) -> Floats2d:
    # Other components may read single tokens of the same document, and gradients are added up.
    return doc.reading.zeros(doc.index)


def wordpiece_weights(doc: TransformerData) -> NDArray[np.float32]:
    """How much each row of a transformer's output counts, so that each of the document's word
    pieces counts 1 in all: 1 / the number of windows that cover it.

    doc (TransformerData): The transformer's output for a document.
    RETURNS (ndarray): Shape (windows, word pieces of the longest window); 0 for what belongs to
        no token: special tokens and padding.
    """
    n_windows, n_pieces, _ = doc.model_output["last_hidden_state"].shape
    weights = np.zeros((n_windows, n_pieces), dtype=np.float32)
    rows = np.asarray(doc.align.dataXd).reshape(-1)
    lengths = np.asarray(doc.align.lengths)
    tokens = np.repeat(np.arange(len(lengths)), lengths)
    windows = rows // n_pieces
    found = np.zeros((len(lengths), n_windows), dtype=bool)
    found[tokens, windows] = True
    covers = found.sum(axis=1)
    weights[windows, rows % n_pieces] = 1 / covers[tokens]
    return weights
