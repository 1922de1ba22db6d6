"""What a frozen transformer made of the documents that it has seen."""

import hashlib
import sys
from typing import Any

import numpy as np
from spacy.attrs import ORTH, SPACY
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import TransformerData

from .outputs import Encoding, FrozenBatch, encode, known

# What a dict takes for an entry, in bytes, beside the key and the value.
SLOT = 64


class EncodingCache:
    """Outputs of a frozen transformer by content of the document, in host memory, up to a limit.
    What comes after is not kept: with documents in random order, replacing would keep nothing
    useful.
    """

    def __init__(self, max_bytes: int) -> None:
        """max_bytes (int): Limit of the memory for outputs, all that belongs to them included; 0
        for no cache."""
        self.max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        """Forget all outputs."""
        self.n_bytes = 0
        self._encodings: dict[bytes, Encoding | TransformerData] = {}

    def encode(self, model: Any, docs: list[Doc], spans: list[list[Span]]) -> FrozenBatch:
        """Get the outputs for documents, and compute those that are not at hand.

        model (TransformerModel): A spacy-transformers TransformerModel with our shim.
        docs (list[Doc]): The documents.
        spans (list[list[Span]]): The windows of each.
        RETURNS (FrozenBatch): The outputs of each document, as a transformer's batch.
        """
        keys = [_key(doc, windows) for doc, windows in zip(docs, spans, strict=True)]
        found = {key: self._encodings[key] for key in keys if key in self._encodings}
        # A document without windows has no output, and the transformer can't read nothing at all.
        new = {k: own for k, own in zip(keys, spans, strict=True) if own and k not in found}
        if new:
            for key, encoding in zip(new, encode(model, list(new.values())), strict=True):
                found[key] = encoding
                self._keep(key, encoding)
        return known(model, spans, [found.get(key) for key in keys])

    def _keep(self, key: bytes, encoding: Encoding | TransformerData) -> None:
        size = SLOT + _size(key) + _size(encoding)
        if self.n_bytes + size <= self.max_bytes:
            self._encodings[key] = encoding
            self.n_bytes += size


def _key(doc: Doc, windows: list[Span]) -> bytes:
    # Not the text alone: tokens decide what belongs together. Hashed, since a long document has
    # more bytes than its vectors.
    bounds = [len(doc), *(bound for window in windows for bound in (window.start, window.end))]
    content = np.array(bounds, dtype=np.int64).tobytes() + doc.to_array([ORTH, SPACY]).tobytes()
    return hashlib.blake2b(content, digest_size=32).digest()


def _size(value: Any) -> int:
    """RETURNS (int): The bytes that a value takes with all that it holds."""
    todo, seen, size = [value], set(), 0
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        if isinstance(one, np.ndarray):
            # Else counted already. An array of torch has a base, too.
            size += 0 if one.base is None else one.nbytes
        elif isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list | tuple):
            todo += one
        todo += [vars(one)] if hasattr(one, "__dict__") else []
    return size
