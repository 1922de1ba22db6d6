"""From documents to a transformer's outputs, window by window, in bounded memory."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Span
from spacy_transformers.align import get_alignment, get_alignment_via_offset_mapping
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import Model, torch2xp
from transformers.file_utils import ModelOutput

from .pool_wordpieces import POOLINGS, wordpiece_weights

# Word pieces, padding included, that the transformer reads at once where nothing learns.
PIECES_AT_ONCE = 8192


def encode_windows(
    model: Model, spans: list[list[Span]], is_train: bool
) -> tuple[FullTransformerBatch, Callable]:
    """What spacy-transformers' forward pass does, but windows with more word pieces than the
    transformer can read are cut by the tokenizer, which is reported once.

    model (Model): A spacy-transformers TransformerModel.
    spans (list[list[Span]]): The windows of each document.
    is_train (bool): Whether a gradient will come back.
    RETURNS (tuple[FullTransformerBatch, Callable]): The outputs, and the way back.
    """
    windows = [span for doc_spans in spans for span in doc_spans]
    wordpieces, align = _tokenize(model, windows)
    if is_train:
        output, backprop = model.layers[0](wordpieces, True)
    else:
        output, backprop = _in_parts(model, wordpieces), _no_gradient
    batch = FullTransformerBatch(
        spans=spans, wordpieces=wordpieces, model_output=output, align=align
    )
    return batch, lambda d_batch: backprop(d_batch.model_output)


def pool_windows(model: Model, spans: list[Span]) -> TransformerData:
    """Read one document's windows in parts, and keep what each pooling makes of them: the outputs
    of a long document would take more memory than the transformer does.

    model (Model): A spacy-transformers TransformerModel.
    spans (list[Span]): The document's windows.
    RETURNS (TransformerData): With `pooled_mean`, `pooled_max` and `pooled_cls`, each of shape
        (1, width), in place of the last hidden state.
    """
    covers = np.zeros(len(spans[0].doc), dtype=np.int64)
    for span in spans:
        covers[span.start : span.end] += 1
    parts = [_pool_part(model, part, covers) for part in _parts(spans)]
    sums, maxima, firsts, counts = (torch.stack(column) for column in zip(*parts, strict=True))
    pooled = {
        "mean": sums.sum(0) / counts.sum().clamp(min=1e-9),
        "max": maxima.amax(0),
        "cls": firsts.sum(0) / len(spans),
    }
    if not counts.sum():
        pooled = {name: torch.zeros_like(vector) for name, vector in pooled.items()}
    outputs = {f"pooled_{name}": torch2xp(pooled[name][None]) for name in POOLINGS}
    empty = TransformerData.empty()
    return TransformerData(WordpieceBatch.empty(), ModelOutput(**outputs), empty.align)


def _parts(spans: list[Span], size: int = 64) -> Iterator[list[Span]]:
    for start in range(0, len(spans), size):
        yield spans[start : start + size]


def _pool_part(
    model: Model, spans: list[Span], covers: NDArray[np.int64]
) -> tuple[torch.Tensor, ...]:
    # As a document of its own: aligning takes time for each token of the document, for each part.
    first, last = min(s.start for s in spans), max(s.end for s in spans)
    part = spans[0].doc[first:last].as_doc()
    windows = [part[span.start - first : span.end - first] for span in spans]
    batch, _ = encode_windows(model, [windows], False)
    hidden: Any = batch.model_output["last_hidden_state"]
    (doc_data,) = batch.doc_data
    weights = wordpiece_weights(doc_data, covers[first:last])
    return _pool(hidden, torch.as_tensor(weights, device=hidden.device))


def _pool(hidden: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
    flat = hidden.reshape(-1, hidden.shape[-1])
    is_piece = (weights > 0).reshape(-1, 1)
    return (
        weights.reshape(-1) @ flat,
        torch.where(is_piece, flat, -torch.inf).amax(0),
        hidden[:, 0].sum(0),
        weights.sum(),
    )


def _tokenize(model: Any, windows: list[Span]) -> tuple[WordpieceBatch, Any]:
    tokenizer = model.tokenizer
    texts = [window.text for window in windows]
    limit = min(
        tokenizer.model_max_length,
        getattr(model.transformer.config, "max_position_embeddings", None) or np.inf,
    )
    cut = {"truncation": True, "max_length": int(limit)} if np.isfinite(limit) else {}
    data = tokenizer(
        texts,
        add_special_tokens=True,
        return_attention_mask=True,
        return_offsets_mapping=tokenizer.is_fast,
        return_tensors="np",
        return_token_type_ids=None,
        padding="longest",
        **cut,
    )
    data["input_texts"] = [tokenizer.convert_ids_to_tokens(ids) for ids in data["input_ids"]]
    data["pad_token"] = tokenizer.pad_token
    wordpieces = WordpieceBatch.from_batch_encoding(data)
    if tokenizer.is_fast:
        _report_cuts(model, data.encodings, int(limit) if cut else 0)
        align = get_alignment_via_offset_mapping(windows, data["offset_mapping"])
    else:
        align = get_alignment(windows, wordpieces.strings, tokenizer.all_special_tokens)
    return wordpieces, align


def _report_cuts(model: Any, encodings: list[Any], limit: int) -> None:
    shim = model.layers[0].shims[0]
    # Special tokens and padding are marked by 1.
    lost = [
        sum(rest.special_tokens_mask.count(0) for rest in encoding.overflowing)
        for encoding in encodings
    ]
    if any(lost) and not shim.has_reported_cuts:
        shim.has_reported_cuts = True
        warnings.warn(
            f"The transformer reads {limit} word pieces at once, but {np.count_nonzero(lost)} of "
            f"{len(lost)} windows in this batch have more: {sum(lost):,} word pieces are not "
            "read. Others like these will not be reported. Expected smaller windows in "
            "[components.transformer.model.get_spans], as spacy-transformers.strided_spans.v1 with "
            "window = 128 and stride = 96; a single word can't be divided.",
            stacklevel=2,
        )


def _in_parts(model: Model, wordpieces: WordpieceBatch) -> Any:
    """RETURNS (ModelOutput): The last hidden state of all windows, read a few at a time."""
    n_windows, n_pieces = wordpieces.input_ids.shape
    size = max(PIECES_AT_ONCE // n_pieces, 1)
    if n_windows <= size:
        return model.layers[0].predict(wordpieces)
    whole = None
    for start in range(0, n_windows, size):
        part = model.layers[0].predict(wordpieces[start : start + size]).last_hidden_state
        if whole is None:
            whole = part.new_empty(n_windows, *part.shape[1:])
        whole[start : start + size] = part
    return ModelOutput(last_hidden_state=whole)


def _no_gradient(d_output: Any) -> None:
    raise RuntimeError("A forward pass without training has no gradient.")
