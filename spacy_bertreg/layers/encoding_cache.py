"""What a frozen transformer made of the documents that it has seen."""

from collections.abc import Callable

import numpy as np
from spacy.attrs import ORTH, SPACY
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.types import Ragged
from transformers.file_utils import ModelOutput

Key = tuple[bytes, tuple[tuple[int, int], ...]]


class EncodingCache:
    """Outputs of a frozen transformer by content of the document, up to a limit of memory. What
    comes after is not kept: with documents in random order, replacing would keep nothing useful.
    """

    def __init__(self, max_bytes: int) -> None:
        """max_bytes (int): Limit of the memory for outputs; 0 for no cache."""
        self.max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        """Forget all outputs."""
        self.n_bytes = 0
        self._outputs: dict[Key, TransformerData] = {}

    def encode(
        self,
        docs: list[Doc],
        spans: list[list[Span]],
        encode: Callable[[list[Doc]], FullTransformerBatch],
    ) -> "FrozenBatch":
        """Get the outputs for documents, and compute those that are not at hand.

        docs (list[Doc]): The documents.
        spans (list[list[Span]]): The windows of each.
        encode (Callable): Computes the outputs for documents.
        RETURNS (FrozenBatch): The outputs of each document, as a transformer's batch.
        """
        keys = [self._key(doc, windows) for doc, windows in zip(docs, spans, strict=True)]
        # A document without windows has no output, and the transformer can't read nothing at all.
        computed = {key: TransformerData.empty() for key in keys if not key[1]}
        known = self._outputs.keys() | computed.keys()
        new = {key: doc for key, doc in zip(keys, docs, strict=True) if key not in known}
        if new:
            outputs = encode(list(new.values())).doc_data
            for key, output in zip(new, outputs, strict=True):
                computed[key] = _trim(output)
                self._keep(key, computed[key])
        found = [computed.get(key) or self._outputs[key] for key in keys]
        return batch_of(spans, found)

    def _key(self, doc: Doc, windows: list[Span]) -> Key:
        # Not the text alone: tokens decide what belongs together.
        content = doc.to_array([ORTH, SPACY]).tobytes()
        return content, tuple((window.start, window.end) for window in windows)

    def _keep(self, key: Key, output: TransformerData) -> None:
        size = sum(tensor.nbytes for tensor in output.model_output.values())
        if self.n_bytes + size <= self.max_bytes:
            self._outputs[key] = output
            self.n_bytes += size


class FrozenBatch(FullTransformerBatch):
    """Outputs of a transformer that has no use for a gradient."""

    def unsplit_by_doc(self, arrays: list) -> "FrozenBatch":
        return self


def batch_of(spans: list[list[Span]], data: list[TransformerData]) -> FrozenBatch:
    """spans (list[list[Span]]): The windows of each document.
    data (list[TransformerData]): The outputs of each.
    RETURNS (FrozenBatch): All of them as a batch."""
    return FrozenBatch(
        spans=spans,
        wordpieces=WordpieceBatch.empty(),
        model_output=ModelOutput(),
        align=TransformerData.empty().align,
        cached_doc_data=data,
    )


def _trim(output: TransformerData) -> TransformerData:
    """RETURNS (TransformerData): The same without the padding that other documents of the batch
    brought, with the last hidden state alone."""
    hidden = output.model_output["last_hidden_state"]
    n_padded = hidden.shape[1]
    n_pieces = int(output.wordpieces.attention_mask.sum(axis=1).max())
    rows = np.asarray(output.align.dataXd)
    rows = rows // n_padded * n_pieces + rows % n_padded
    return TransformerData(
        wordpieces=WordpieceBatch.empty(),
        model_output=ModelOutput(last_hidden_state=hidden[:, :n_pieces].copy()),
        align=Ragged(rows, output.align.lengths),
    )
