"""A transformer's outputs of documents, computed when something asks for them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import to_numpy, torch2xp
from thinc.types import Ragged
from transformers.file_utils import ModelOutput

from .forks import use_one_thread_in_fork
from .window_encoder import read, read_and_learn, to_device
from .windows import Window, alignment, piece_weights, tokenize, wordpiece_batch

POOLINGS = ("mean", "max", "cls")


class Encoding(NamedTuple):
    """What a head needs of a document.

    vectors (ndarray): In host memory, of shape (POOLINGS, width).
    shape (tuple[int, int]): Windows, and word pieces of the longest.
    """

    vectors: NDArray[np.float32]
    shape: tuple[int, int]


class Reading:
    """Windows of a batch of documents, and what the transformer makes of them. A vector for each
    document takes no memory to speak of; a vector for each word piece does, and is made only for
    components that read such.
    """

    def __init__(self, model: Any, spans: list[list[Span]]) -> None:
        """model (TransformerModel): A spacy-transformers TransformerModel with our shim.
        spans (list[list[Span]]): The windows of each document."""
        self._model = model
        self._windows = tokenize(model, spans)
        self._n_tokens = [len(own[0].doc) if own else 0 for own in spans]
        self._pooled: dict[str, Any] = {}
        self._whole: list[TransformerData] | None = None
        self.width: int = model.get_dim("nO")
        self.shapes = [(len(own), max(map(len, own), default=0)) for own in self._windows]

    def pooled(self, pooling: str) -> Any:
        """pooling (str): "mean", "max" or "cls"; see `pool_wordpieces`.
        RETURNS (ndarray): Shape (documents, width), on the transformer's device."""
        if pooling not in self._pooled:
            # What another component has asked for before, it will again: then one pass is enough.
            asked = self._model.layers[0].shims[0].poolings
            asked.add(pooling)
            self._pool(asked)
        return self._pooled[pooling]

    def encodings(self) -> list[Encoding]:
        """Pool in each way, so that nothing has to be read again.

        RETURNS (list[Encoding]): Of each document, without a reference to the others."""
        self._pool(set(POOLINGS))
        vectors = np.stack([to_numpy(self._pooled[name]) for name in POOLINGS], axis=1)
        return [Encoding(*own) for own in zip(map(np.array, vectors), self.shapes, strict=True)]

    def whole(self) -> list[TransformerData]:
        """RETURNS (list[TransformerData]): All vectors of each document, as spacy-transformers has
        them, but without the padding to the length of other documents."""
        if self._whole is None:
            self._whole = self._compute_whole()
        return self._whole

    def whole_for_tokens(self) -> list[TransformerData]:
        """RETURNS (list[TransformerData]): The same, for the next batches at once."""
        self._model.layers[0].shims[0].expect_reading_by_token()
        return self.whole()

    def _pool(self, poolings: set[str]) -> None:
        names = sorted(poolings - self._pooled.keys())
        if not names:
            return
        use_one_thread_in_fork()
        flat = [window for own in self._windows for window in own]
        weights = [column for own in self._windows if own for column in piece_weights(own)]
        counts = torch.tensor([float(column.sum()) for column in weights])
        device = self._model.layers[0].shims[0].device
        order: list[int] = []
        rows = {name: [torch.zeros(0, self.width, device=device)] for name in names}

        def take(numbers: list[int], hidden: torch.Tensor) -> None:
            table = np.zeros(hidden.shape[:2], dtype=np.float32)
            for row, number in zip(table, numbers, strict=True):
                row[: len(weights[number])] = weights[number]
            own = to_device(table, device)
            order.extend(numbers)
            for name in names:
                rows[name].append(_pool_windows(name, hidden, own))

        read(self._model, flat, take)
        places = to_device(np.argsort(np.array(order, dtype=np.int64)), device)
        n_windows = np.array([len(own) for own in self._windows], dtype=np.int64)
        numbers = np.repeat(np.arange(len(n_windows)), n_windows)
        has_pieces = torch.zeros(len(n_windows)).index_add_(0, torch.from_numpy(numbers), counts)
        docs, has_pieces = to_device(numbers, device), to_device(has_pieces.numpy(), device)
        for name in names:
            windows = torch.cat(rows[name])[places]
            found = _by_document(windows, name, docs, to_device(n_windows, device), has_pieces)
            self._pooled[name] = torch2xp(found)

    def _compute_whole(self) -> list[TransformerData]:
        use_one_thread_in_fork()
        flat = [window for own in self._windows for window in own]
        hidden: list[Any] = [None] * len(flat)

        def take(numbers: list[int], part: torch.Tensor) -> None:
            for number, rows in zip(numbers, part, strict=True):
                hidden[number] = rows[: len(flat[number])]

        read(self._model, flat, take)
        rest = iter(hidden)
        data = []
        for own, n_tokens in zip(self._windows, self._n_tokens, strict=True):
            rows = torch.nn.utils.rnn.pad_sequence([next(rest) for _ in own], True) if own else None
            data.append(data_of(self._model, own, n_tokens, rows))
        return data


class KnownReading:
    """Windows of a batch of documents whose vectors are at hand. They are read anew only if
    something asks for single tokens."""

    def __init__(
        self, model: Any, spans: list[list[Span]], encodings: Sequence[Encoding | None]
    ) -> None:
        """model (TransformerModel): A spacy-transformers TransformerModel with our shim.
        spans (list[list[Span]]): The windows of each document.
        encodings (Sequence[Encoding | None]): Of each; None for those that are not asked for."""
        self._model = model
        self._spans = spans
        self._encodings = encodings
        self._pooled: dict[str, Any] = {}
        self._reading: Reading | None = None
        self.width: int = model.get_dim("nO")
        self.shapes = [own.shape if own else (0, 0) for own in encodings]

    def pooled(self, pooling: str) -> Any:
        """pooling (str): See `Reading.pooled`. RETURNS (ndarray): The same."""
        if pooling not in self._pooled:
            vectors = np.zeros((len(self._encodings), self.width), dtype=np.float32)
            for row, own in zip(vectors, self._encodings, strict=True):
                if own:
                    row[:] = own.vectors[POOLINGS.index(pooling)]
            device = self._model.layers[0].shims[0].device
            self._pooled[pooling] = torch2xp(to_device(vectors, device))
        return self._pooled[pooling]

    def whole_for_tokens(self) -> list[TransformerData]:
        """RETURNS (list[TransformerData]): See `Reading.whole_for_tokens`."""
        if self._reading is None:
            self._reading = Reading(self._model, self._spans)
        return self._reading.whole_for_tokens()


def _pool_windows(pooling: str, hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """hidden (Tensor): Shape (windows, word pieces, width). weights (Tensor): How much each counts.
    RETURNS (Tensor): Shape (windows, width)."""
    if pooling == "mean":
        return (weights[:, None] @ hidden)[:, 0]
    if pooling == "max":
        return hidden.masked_fill(weights[..., None] == 0, -torch.inf).amax(1)
    return hidden[:, 0]


def _by_document(
    rows: torch.Tensor,
    pooling: str,
    docs: torch.Tensor,
    n_windows: torch.Tensor,
    n_pieces: torch.Tensor,
) -> torch.Tensor:
    """rows (Tensor): Shape (windows, width). docs (Tensor): The document of each window.
    n_windows (Tensor), n_pieces (Tensor): How many each document has.
    RETURNS (Tensor): Shape (documents, width); zeros for one without word pieces."""
    found = torch.zeros(len(n_windows), rows.shape[1], device=rows.device)
    if pooling == "max":
        places = docs[:, None].expand_as(rows)
        found.scatter_reduce_(0, places, rows, "amax", include_self=False)
    else:
        found.index_add_(0, docs, rows)
        total = n_pieces if pooling == "mean" else n_windows
        found /= total.clamp(min=1e-9)[:, None]
    return found.masked_fill_((n_pieces == 0)[:, None], 0.0)


def data_of(
    model: Any, windows: list[Window], n_tokens: int, hidden: torch.Tensor | None
) -> TransformerData:
    """model (TransformerModel): That computed the outputs.
    windows (list[Window]): A document's. n_tokens (int): Its length.
    hidden (Tensor | None): Their last hidden state, of shape (windows, word pieces, width).
    RETURNS (TransformerData): The same as spacy-transformers has it."""
    if hidden is None:
        return WindowlessData.empty()
    n_pieces = hidden.shape[1]
    return TransformerData(
        wordpiece_batch(windows, n_pieces, model.tokenizer),
        ModelOutput(last_hidden_state=torch2xp(hidden)),
        alignment(windows, n_tokens, n_pieces),
    )


class WindowlessData(TransformerData):
    """The outputs of a document without windows: none. Where a document with words has a plain
    empty TransformerData, its outputs were lost when it was saved."""


class DeferredData(TransformerData):
    """A document's outputs that are computed, for all documents of the batch, when `model_output`,
    `wordpieces`, `align` or what is made of these is read. Saved or sent to another process, they
    are empty."""

    # Those of a dataclass would read them.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, reading: Reading | KnownReading, index: int) -> None:
        """reading (Reading | KnownReading): Of the batch. index (int): Number of the document."""
        self.reading = reading
        self.index = index

    def pooled(self, pooling: str) -> Any:
        """pooling (str): See `Reading.pooled`. RETURNS (ndarray): Shape (width,)."""
        return self.reading.pooled(pooling)[self.index]

    @property
    def has_windows(self) -> bool:
        """RETURNS (bool): Whether there is anything to read."""
        return self.reading.shapes[self.index][0] > 0

    @property
    def width(self) -> int:
        """RETURNS (int): The length of each vector."""
        return self.reading.width

    @property
    def shape(self) -> tuple[int, int, int]:
        """RETURNS (tuple[int, int, int]): Of the whole last hidden state."""
        return (*self.reading.shapes[self.index], self.width)

    @property
    def wordpieces(self) -> WordpieceBatch:  # type: ignore[override]
        """RETURNS (WordpieceBatch): The document's word pieces."""
        return self._whole().wordpieces

    @property
    def model_output(self) -> ModelOutput:  # type: ignore[override]
        """RETURNS (ModelOutput): With the last hidden state."""
        return self._whole().model_output

    @property
    def align(self) -> Ragged:  # type: ignore[override]
        """RETURNS (Ragged): From tokens to word pieces."""
        return self._whole().align

    def _whole(self) -> TransformerData:
        return self.reading.whole_for_tokens()[self.index]

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Of a document without outputs."""
        return TransformerData.empty().to_dict()

    def __reduce__(self) -> tuple:
        return TransformerData.empty, ()

    def __copy__(self) -> "DeferredData":
        return self

    def __deepcopy__(self, memo: Any) -> "DeferredData":
        return self

    def __repr__(self) -> str:
        return f"DeferredData(shape={self.shape})"


class FrozenBatch(FullTransformerBatch):
    """Outputs of a transformer that has no use for a gradient."""

    def unsplit_by_doc(self, arrays: list) -> "FrozenBatch":
        return self


def batch_of(data: list[TransformerData]) -> FrozenBatch:
    """data (list[TransformerData]): The outputs of each document.
    RETURNS (FrozenBatch): All of them as a batch."""
    empty = TransformerData.empty()
    return FrozenBatch([], empty.wordpieces, empty.model_output, empty.align, data)


def deferred(model: Any, spans: list[list[Span]], *, whole: bool = False) -> FrozenBatch:
    """model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    spans (list[list[Span]]): The windows of each document.
    whole (bool): Whether to compute all vectors at once.
    RETURNS (FrozenBatch): Their outputs, else to be computed when they are asked for."""
    reading = Reading(model, spans)
    # If something has asked for single tokens before, it will again: then one pass is enough.
    if whole or model.layers[0].shims[0].is_read_by_token:
        return batch_of(reading.whole())
    return batch_of([DeferredData(reading, index) for index in range(len(spans))])


def encode(model: Any, spans: list[list[Span]]) -> Sequence[Encoding | TransformerData]:
    """Compute what can be kept for later batches.

    model, spans: As above.
    RETURNS (Sequence[Encoding | TransformerData]): Of each document, in host memory; all vectors
        if something has asked for single tokens."""
    reading = Reading(model, spans)
    if not model.layers[0].shims[0].is_read_by_token:
        return reading.encodings()
    return [_with_hidden(data, to_numpy) for data in reading.whole()]


def known(
    model: Any, spans: list[list[Span]], encodings: Sequence[Encoding | TransformerData | None]
) -> FrozenBatch:
    """Hand out what was computed before.

    model, spans: As above.
    encodings (Sequence[Encoding | TransformerData | None]): What `encode` gave for each document;
        None for one without windows.
    RETURNS (FrozenBatch): The documents' outputs, on the transformer's device."""
    vectors = [own if isinstance(own, Encoding) else None for own in encodings]
    reading = KnownReading(model, spans, vectors)
    data: list[TransformerData] = []
    for index, own in enumerate(encodings):
        if own is None:
            data.append(WindowlessData.empty())
        elif isinstance(own, Encoding):
            data.append(DeferredData(reading, index))
        else:
            data.append(_with_hidden(own, model.ops.asarray))
    return batch_of(data)


def _with_hidden(data: TransformerData, move: Callable[[Any], Any]) -> TransformerData:
    hidden = data.model_output["last_hidden_state"]
    moved = move(hidden)
    if moved is hidden:
        return data
    return TransformerData(data.wordpieces, ModelOutput(last_hidden_state=moved), data.align)


def learning(
    model: Any, spans: list[list[Span]]
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], None]]:
    """model, spans: As above.
    RETURNS (tuple[FullTransformerBatch, Callable]): Their outputs in a training, and what takes
        the gradient."""
    windows = tokenize(model, spans)
    flat = [window for own in windows for window in own]
    n_pieces = max(map(len, flat))
    hidden, backprop = read_and_learn(model, flat, n_pieces)
    data, start = [], 0
    for own, own_spans in zip(windows, spans, strict=True):
        n_tokens = len(own_spans[0].doc) if own else 0
        rows = hidden[start : start + len(own)] if own else None
        data.append(data_of(model, own, n_tokens, rows))
        start += len(own)
    empty = TransformerData.empty()
    batch = FullTransformerBatch(spans, empty.wordpieces, empty.model_output, empty.align, data)
    return batch, lambda d_batch: backprop(d_batch.model_output["output_0"])
