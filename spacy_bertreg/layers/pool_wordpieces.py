"""One vector for each document from a transformer's outputs."""

from collections import defaultdict
from collections.abc import Callable, Iterator
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
    # On a GPU, each call takes as long for one document as for all, so none is for one alone.
    vectors = model.ops.alloc2f(len(docs), model.get_dim("nO"))
    backprops: dict[int, Callable] = {}
    rows_of: dict[Any, list[int]] = defaultdict(list)
    whole: dict[int, TransformerData] = {}
    for i, doc in enumerate(docs):
        # A document without windows has no output at all.
        if isinstance(doc, DeferredData):
            if doc.has_windows:
                rows_of[doc.reading].append(i)
                backprops[i] = partial(_no_gradient, model, doc)
        elif "last_hidden_state" in doc.model_output:
            whole[i] = doc
    for reading, rows in rows_of.items():
        numbers = [docs[i].index for i in rows]  # type: ignore[attr-defined]
        vectors[rows] = reading.pooled(model.attrs["pooling"])[numbers]
    if whole:
        pool = _pool_max if model.attrs["pooling"] == "max" else _pool_weighted
        pooled, own_backprops = zip(*pool(model, list(whole.values())), strict=True)
        vectors[list(whole)] = model.ops.xp.stack(pooled)
        backprops.update(zip(whole, own_backprops, strict=True))

    def backprop(d_vectors: Floats2d) -> list[TransformerData]:
        empty = TransformerData.empty()
        return [
            TransformerData(
                empty.wordpieces,
                ModelOutput(last_hidden_state=backprops[i](d_vectors[i])),
                empty.align,
            )
            for i in sorted(backprops)
        ]

    return vectors, backprop


def _pool_weighted(
    model: Model, docs: list[TransformerData]
) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    shares = [_shares(model.attrs["pooling"], wordpiece_weights(doc)) for doc in docs]
    for doc, is_any, own in zip(docs, map(np.any, shares), _on_device(model, shares), strict=True):
        hidden = doc.model_output["last_hidden_state"]
        if not is_any:
            yield _zeros(model, hidden)
            continue
        vector = own.reshape(-1) @ hidden.reshape(-1, hidden.shape[-1])
        yield vector, partial(_d_weighted, own)


def _shares(pooling: str, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """weights (ndarray): See `wordpiece_weights`.
    RETURNS (ndarray): What each row counts in the vector; all 0 without word pieces."""
    total = weights.sum()
    if total == 0:
        return weights
    if pooling == "cls":
        total = len(weights)
        weights = np.zeros_like(weights)
        weights[:, 0] = 1
    return weights / total


def _d_weighted(shares: Any, d_vector: Any) -> Any:
    return shares[:, :, None] * d_vector


def _pool_max(
    model: Model, docs: list[TransformerData]
) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    xp = model.ops.xp
    is_piece = [wordpiece_weights(doc) > 0 for doc in docs]
    for doc, is_any, own in zip(
        docs, map(np.any, is_piece), _on_device(model, is_piece), strict=True
    ):
        hidden = doc.model_output["last_hidden_state"]
        if not is_any:
            yield _zeros(model, hidden)
            continue
        width = hidden.shape[-1]
        rows = xp.where(own.reshape(-1, 1), hidden.reshape(-1, width), -xp.inf)
        which, columns = rows.argmax(axis=0), xp.arange(width)
        yield rows[which, columns], partial(_d_max, xp, hidden.shape, which, columns)


def _d_max(xp: Any, shape: tuple[int, ...], which: Any, columns: Any, d_vector: Any) -> Any:
    d_rows = xp.zeros((shape[0] * shape[1], shape[2]), dtype="f")
    d_rows[which, columns] = d_vector
    return d_rows.reshape(shape)


def _on_device(model: Model, arrays: list[NDArray]) -> list[Any]:
    """arrays (list[ndarray]): On the CPU.
    RETURNS (list[ndarray]): The same where the model computes, copied there all at once."""
    if model.ops.xp is np:
        return list(arrays)
    flat: Any = model.ops.xp.asarray(np.concatenate([array.reshape(-1) for array in arrays]))
    ends = np.cumsum([array.size for array in arrays])
    return [
        flat[end - array.size : end].reshape(array.shape)
        for array, end in zip(arrays, ends.tolist(), strict=True)
    ]


def _zeros(model: Model, hidden: Any) -> tuple[Any, Callable[[Any], Any]]:
    xp = model.ops.xp
    return xp.zeros(hidden.shape[-1], dtype="f"), lambda d_vector: xp.zeros_like(hidden)


def _no_gradient(model: Model, doc: DeferredData, d_vector: Floats2d) -> Floats2d:
    # Other components may read single tokens of the same document, and gradients are added up.
    return model.ops.xp.zeros(doc.shape, dtype="f")


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
