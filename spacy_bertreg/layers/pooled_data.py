"""A transformer's outputs for documents that nothing learns from: pooled vectors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.types import Ragged
from transformers.file_utils import ModelOutput

from .pooling import POOLINGS


class PooledData(TransformerData):
    """A document's pooled vectors. `model_output`, `wordpieces` and `align`, which have a vector
    for each word piece, are computed for all documents of the batch when one of them is first read.
    A copy that is saved, or sent to another process, is empty.
    """

    # The methods of a dataclass would compute the outputs.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        vectors: NDArray[np.float32],
        get_outputs: Callable[[], Sequence[TransformerData]],
        index: int,
    ) -> None:
        """vectors (ndarray): In host memory, shape (POOLINGS, width).
        get_outputs (Callable): Gets all outputs of the batch's documents.
        index (int): Number of the document in the batch.
        """
        self.vectors = vectors
        self._get_outputs = get_outputs
        self._index = index

    def get_vector(self, pooling: str) -> NDArray[np.float32]:
        """Get the document's vector, shape (width,), by one of POOLINGS."""
        return self.vectors[POOLINGS.index(pooling)]

    @property
    def width(self) -> int:
        """Get the length of each vector."""
        return self.vectors.shape[1]

    @property
    def wordpieces(self) -> WordpieceBatch:  # type: ignore[override]
        """Get the document's word pieces."""
        return self._get_outputs()[self._index].wordpieces

    @property
    def model_output(self) -> ModelOutput:  # type: ignore[override]
        """Get the last hidden state."""
        return self._get_outputs()[self._index].model_output

    @property
    def align(self) -> Ragged:  # type: ignore[override]
        """Get the alignment of tokens to word pieces."""
        return self._get_outputs()[self._index].align

    def to_dict(self) -> dict[str, Any]:
        """Get the outputs of an empty document, for saving."""
        return TransformerData.empty().to_dict()

    def __reduce__(self) -> tuple:
        return TransformerData.empty, ()

    def __copy__(self) -> "PooledData":
        return self

    def __deepcopy__(self, memo: Any) -> "PooledData":
        return self

    def __repr__(self) -> str:
        return f"PooledData(width={self.width})"


class FrozenBatch(FullTransformerBatch):
    """A batch of outputs that takes no gradient."""

    def unsplit_by_doc(self, arrays: list) -> "FrozenBatch":
        return self


def frozen_batch(data: list[TransformerData]) -> FrozenBatch:
    """Join the outputs of documents to a batch."""
    empty = TransformerData.empty()
    return FrozenBatch([], empty.wordpieces, empty.model_output, empty.align, data)
