"""What a frozen transformer made of the documents that it has seen."""

from collections.abc import Callable

from spacy.attrs import ORTH, SPACY
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import TransformerData

from .outputs import DeferredData, FrozenBatch, batch_of

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
        encode: Callable[[list[list[Span]]], FrozenBatch],
    ) -> FrozenBatch:
        """Get the outputs for documents, and compute those that are not at hand.

        docs (list[Doc]): The documents.
        spans (list[list[Span]]): The windows of each.
        encode (Callable): Computes the outputs for documents' windows.
        RETURNS (FrozenBatch): The outputs of each document, as a transformer's batch.
        """
        keys = [self._key(doc, windows) for doc, windows in zip(docs, spans, strict=True)]
        # A document without windows has no output, and the transformer can't read nothing at all.
        computed = {key: TransformerData.empty() for key in keys if not key[1]}
        known = self._outputs.keys() | computed.keys()
        new = {key: own for key, own in zip(keys, spans, strict=True) if key not in known}
        if new:
            outputs = encode(list(new.values())).doc_data
            for key, output in zip(new, outputs, strict=True):
                computed[key] = output
                self._keep(key, output)
        return batch_of([computed.get(key) or self._outputs[key] for key in keys])

    def _key(self, doc: Doc, windows: list[Span]) -> Key:
        # Not the text alone: tokens decide what belongs together.
        content = doc.to_array([ORTH, SPACY]).tobytes()
        return content, tuple((window.start, window.end) for window in windows)

    def _keep(self, key: Key, output: TransformerData) -> None:
        if isinstance(output, DeferredData):
            size = output.reading.pool_all()
        else:
            size = sum(tensor.nbytes for tensor in output.model_output.values())
        if self.n_bytes + size <= self.max_bytes:
            self._outputs[key] = output
            self.n_bytes += size
