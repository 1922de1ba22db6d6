"""Outputs of a frozen transformer, kept for the next time that a document comes up in training."""

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import ORTH, SPACY
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import TransformerData
from thinc.api import to_numpy
from transformers.file_utils import ModelOutput

from .outputs import compute_by_token, compute_pooled, no_windows, pooled_batch
from .pooled_data import FrozenBatch, frozen_batch
from .pooling import POOLINGS
from .windows import tokenize

# Bytes that a dict takes for an entry, beside the key and the value.
SLOT = 64


class EncodingCache:
    """Outputs of a frozen transformer by content of the document, in host memory. When the memory
    is full, new outputs are not kept: as documents come in random order, replacing old ones would
    not help.
    """

    def __init__(self, max_bytes: int) -> None:
        """max_bytes (int): Limit of the memory for outputs and all that belongs to them; 0 for no
        cache."""
        self.max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        """Forget all outputs."""
        self.n_bytes = 0
        self._outputs: dict[bytes, NDArray[np.float32] | TransformerData] = {}

    def predict(self, model: Any, docs: list[Doc], spans: list[list[Span]]) -> FrozenBatch:
        """Get the outputs for documents, and compute those that are not in the cache.

        model (TransformerModel): A spacy-transformers TransformerModel with our shim.
        docs (list[Doc]): The documents.
        spans (list[list[Span]]): The windows of each document.
        RETURNS (FrozenBatch): The outputs.
        """
        by_token = model.layers[0].shims[0].is_read_by_token
        keys = [_key(doc, doc_spans) for doc, doc_spans in zip(docs, spans, strict=True)]
        found: dict[bytes, Any] = {key: self._outputs[key] for key in keys if key in self._outputs}
        # A document without windows has no output, and the transformer can't read empty input.
        new = {k: s for k, s in zip(keys, spans, strict=True) if s and k not in found}
        if new:
            windows = tokenize(model, list(new.values()))
            if by_token:
                outputs = [_move(data, to_numpy) for data in compute_by_token(model, windows)]
            else:
                # Copies, so that an entry does not hold the vectors of its neighbours.
                outputs = [row.copy() for row in compute_pooled(model, windows)]
            for key, output in zip(new, outputs, strict=True):
                found[key] = output
                self._keep(key, output)
        if by_token:
            to_device = model.ops.asarray
            data = [_move(found[k], to_device) if k in found else no_windows(model) for k in keys]
            return frozen_batch(data)
        zeros = np.zeros((len(POOLINGS), model.get_dim("nO")), dtype=np.float32)
        rows = [found.get(key, zeros) for key in keys]
        return pooled_batch(model, rows, lambda: tokenize(model, spans))

    def _keep(self, key: bytes, output: NDArray[np.float32] | TransformerData) -> None:
        size = SLOT + _size(key) + _size(output)
        if self.n_bytes + size <= self.max_bytes:
            self._outputs[key] = output
            self.n_bytes += size


def _key(doc: Doc, windows: list[Span]) -> bytes:
    # By tokens, as the same text can be split differently. Hashed, as the ids of a long document
    # take more memory than its vectors.
    bounds = [len(doc), *(bound for window in windows for bound in (window.start, window.end))]
    content = np.array(bounds, dtype=np.int64).tobytes() + doc.to_array([ORTH, SPACY]).tobytes()
    return hashlib.blake2b(content, digest_size=32).digest()


def _move(data: TransformerData, move: Callable[[Any], Any]) -> TransformerData:
    hidden = move(data.model_output["last_hidden_state"])
    return TransformerData(data.wordpieces, ModelOutput(last_hidden_state=hidden), data.align)


def _size(value: Any) -> int:
    """Count the bytes of a value and all that it holds."""
    todo, seen, size = [value], set(), 0
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        size += sys.getsizeof(item)
        if isinstance(item, np.ndarray):
            # Otherwise counted already. An array that shares memory with torch has a base, too.
            size += 0 if item.base is None else item.nbytes
        elif isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list | tuple):
            todo += item
        todo += [vars(item)] if hasattr(item, "__dict__") else []
    return size
