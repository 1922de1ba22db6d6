"""Compute a transformer's outputs for documents from their windows.

Where nothing learns, each document gets pooled vectors, which take little memory. All word-piece
vectors are computed in training, and for components that read them, such as spaCy's tagger.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData
from thinc.api import torch2xp
from transformers.file_utils import ModelOutput

from .forks import use_one_thread_in_fork
from .pooled_data import FrozenBatch, PooledData, frozen_batch
from .pooling import POOLINGS, pool_documents, pool_windows, window_weights
from .window_encoder import read, read_and_learn, to_device
from .windows import Window, get_alignment, tokenize, wordpiece_batch


def predict(model: Any, spans: list[list[Span]], *, by_token: bool = False) -> FrozenBatch:
    """Compute outputs where nothing learns.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    spans (list[list[Span]]): The windows of each document.
    by_token (bool): Whether to compute all word-piece vectors now, and not when they are read.
    RETURNS (FrozenBatch): The outputs.
    """
    windows = tokenize(model, spans)
    # A component that has read word-piece vectors will read more: compute them in the same pass.
    if by_token or model.layers[0].shims[0].is_read_by_token:
        return frozen_batch(compute_by_token(model, windows))
    return pooled_batch(model, compute_pooled(model, windows), lambda: windows)


def pooled_batch(
    model: Any,
    vectors: Iterable[NDArray[np.float32]],
    get_windows: Callable[[], list[list[Window]]],
) -> FrozenBatch:
    """Make a batch of pooled vectors.

    model (TransformerModel): As for `predict`.
    vectors (Iterable[ndarray]): Pooled vectors of each document, shape (POOLINGS, width).
    get_windows (Callable): Gets the windows of each document, if something reads all vectors.
    RETURNS (FrozenBatch): The outputs.
    """

    @cache
    def get_outputs() -> list[TransformerData]:
        model.layers[0].shims[0].expect_reading_by_token()
        return compute_by_token(model, get_windows())

    return frozen_batch([PooledData(row, get_outputs, i) for i, row in enumerate(vectors)])


def compute_pooled(model: Any, windows: list[list[Window]]) -> NDArray[np.float32]:
    """Pool each document's word-piece vectors, and drop them part by part.

    model (TransformerModel): As for `predict`.
    windows (list[list[Window]]): The windows of each document.
    RETURNS (ndarray): In host memory, shape (documents, POOLINGS, width); zeros for documents
        without windows.
    """
    use_one_thread_in_fork()
    flat = [window for doc_windows in windows for window in doc_windows]
    weights = [row for doc_windows in windows for row in window_weights(doc_windows)]
    device = model.layers[0].shims[0].device
    order: list[int] = []
    rows = {name: [torch.zeros(0, model.get_dim("nO"), device=device)] for name in POOLINGS}

    def take(numbers: list[int], hidden: torch.Tensor) -> None:
        table = np.zeros(hidden.shape[:2], dtype=np.float32)
        for row, number in zip(table, numbers, strict=True):
            row[: len(weights[number])] = weights[number]
        order.extend(numbers)
        weights_on_device = to_device(table, device)
        for name in POOLINGS:
            rows[name].append(pool_windows(name, hidden, weights_on_device))

    read(model, flat, take)
    places = to_device(np.argsort(np.array(order, dtype=np.int64)), device)
    counts = to_device(np.array([row.sum() for row in weights], dtype=np.float32), device)
    n_windows = np.array([len(doc_windows) for doc_windows in windows], dtype=np.int64)
    docs = to_device(np.repeat(np.arange(len(windows)), n_windows), device)
    vectors = [
        pool_documents(name, torch.cat(rows[name])[places], counts, docs, len(windows))
        for name in POOLINGS
    ]
    return torch.stack(vectors, dim=1).cpu().numpy()


def compute_by_token(model: Any, windows: list[list[Window]]) -> list[TransformerData]:
    """Compute all word-piece vectors, without the padding to the length of other documents.

    model (TransformerModel): As for `predict`.
    windows (list[list[Window]]): The windows of each document.
    RETURNS (list[TransformerData]): The outputs of each, as spacy-transformers has them.
    """
    use_one_thread_in_fork()
    flat = [window for doc_windows in windows for window in doc_windows]
    hidden: list[Any] = [None] * len(flat)

    def take(numbers: list[int], part: torch.Tensor) -> None:
        for number, rows in zip(numbers, part, strict=True):
            hidden[number] = rows[: len(flat[number])]

    read(model, flat, take)
    rest = iter(hidden)
    return [
        _transformer_data(
            model,
            doc_windows,
            torch.nn.utils.rnn.pad_sequence([next(rest) for _ in doc_windows], batch_first=True),
        )
        if doc_windows
        else no_windows(model)
        for doc_windows in windows
    ]


def learn(
    model: Any, spans: list[list[Span]]
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], None]]:
    """Compute outputs in training.

    model (TransformerModel): As for `predict`.
    spans (list[list[Span]]): The windows of each document, at least one in all.
    RETURNS (tuple[FullTransformerBatch, Callable]): The outputs, and a function that takes their
        gradient.
    """
    windows = tokenize(model, spans)
    flat = [window for doc_windows in windows for window in doc_windows]
    hidden, backprop = read_and_learn(model, flat, max(map(len, flat)))
    parts = hidden.split([len(doc_windows) for doc_windows in windows])
    data = [
        _transformer_data(model, doc_windows, part) if doc_windows else no_windows(model)
        for doc_windows, part in zip(windows, parts, strict=True)
    ]
    empty = TransformerData.empty()
    batch = FullTransformerBatch(spans, empty.wordpieces, empty.model_output, empty.align, data)
    return batch, lambda d_batch: backprop(d_batch.model_output["output_0"])


def _transformer_data(model: Any, windows: list[Window], hidden: torch.Tensor) -> TransformerData:
    n_pieces = hidden.shape[1]
    return TransformerData(
        wordpiece_batch(windows, n_pieces, model.tokenizer),
        ModelOutput(last_hidden_state=torch2xp(hidden)),
        get_alignment(windows, n_pieces),
    )


def no_windows(model: Any) -> PooledData:
    """Make the outputs of a document without windows. A plain empty TransformerData would stand for
    outputs that were lost when a document was saved."""
    vectors = np.zeros((len(POOLINGS), model.get_dim("nO")), dtype=np.float32)
    return PooledData(vectors, lambda: [TransformerData.empty()], 0)
