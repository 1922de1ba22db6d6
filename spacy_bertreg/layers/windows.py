"""Windows of documents as word pieces, and which tokens the word pieces belong to."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Span
from spacy_alignments.tokenizations import get_alignments
from spacy_transformers.data_classes import WordpieceBatch
from thinc.types import Ragged
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """What a transformer reads at once.

    ids (ndarray): Word pieces, special tokens included.
    type_ids (ndarray | None): Their segments, for transformers that have segments.
    first, last (ndarray): For each word piece, the first and the last token of the document that it
        belongs to. For special tokens, which belong to no token, `last < first`.
    gaps (ndarray): Tokens between the first and the last of a word piece that don't belong to it,
        such as control characters, which slow tokenizers drop.
    n_tokens (int): Length of the document.
    """

    ids: Ints
    type_ids: Ints | None
    first: Ints
    last: Ints
    gaps: Ints
    n_tokens: int

    def __len__(self) -> int:
        return len(self.ids)


def tokenize(model: Any, spans: list[list[Span]]) -> list[list[Window]]:
    """Split windows into word pieces. Windows with more word pieces than the transformer can read
    are cut, with one warning.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    spans (list[list[Span]]): The windows of each document.
    RETURNS (list[list[Window]]): The windows as word pieces.
    """
    tokenizer = model.tokenizer
    flat = [span for doc_spans in spans for span in doc_spans]
    if not flat:
        return [[] for _ in spans]
    limit = pieces_limit(model)
    cut = {"truncation": True, "max_length": limit} if limit else {}
    data = tokenizer(
        [span.text for span in flat],
        return_offsets_mapping=tokenizer.is_fast,
        return_attention_mask=False,
        # None for the tokenizer's default.
        return_token_type_ids=None if model.layers[0].shims[0].takes_segments else False,
        **cut,
    )
    if tokenizer.is_fast:
        _report_cuts(model, data.encodings, limit or 0)
        ranges = _tokens_by_offsets(flat, data["offset_mapping"])
    else:
        ranges = map(partial(_tokens_by_text, tokenizer), flat, data["input_ids"])
    ids = _arrays(data["input_ids"])
    type_ids = _arrays(data["token_type_ids"]) if "token_type_ids" in data else [None] * len(flat)
    windows = (
        Window(pieces, types, *ends, len(span.doc))
        for span, pieces, types, ends in zip(flat, ids, type_ids, ranges, strict=True)
    )
    return [[next(windows) for _ in doc_spans] for doc_spans in spans]


def pieces_limit(model: Any) -> int | None:
    """Find how many word pieces the transformer can read at once.

    model (TransformerModel): A spacy-transformers TransformerModel.
    RETURNS (int | None): The number, special tokens included; None if neither the transformer nor
        its tokenizer has a limit.
    """
    positions = _n_positions(model.transformer) or VERY_LARGE_INTEGER
    limit = min(model.tokenizer.model_max_length, positions)
    return None if limit >= VERY_LARGE_INTEGER else int(limit)


def _n_positions(transformer: Any) -> int | None:
    """Count the positions of a Hugging Face model; None if there is no limit."""
    padding = padding_position(transformer)
    n_positions = getattr(transformer.config, "max_position_embeddings", None)
    if padding is not None and n_positions:
        return n_positions - padding - 1
    # XLNet says -1.
    return n_positions if n_positions and n_positions > 0 else None


def padding_position(transformer: Any) -> int | None:
    """Find the position of padding in a Hugging Face model that counts positions from behind it. Of
    RoBERTa's 514 positions, 512 are left for word pieces.

    transformer (PreTrainedModel): The model.
    RETURNS (int | None): The position; None where positions are counted from 0.
    """
    for module in (transformer, *transformer.children()):
        padding = getattr(getattr(module, "position_embeddings", None), "padding_idx", None)
        if padding is not None:
            return int(padding)
    return None


def _arrays(rows: Sequence[Sequence[int]]) -> list[Ints]:
    """Convert rows of different lengths to arrays, all at once."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    return _split(flat, lengths)


def _split(flat: Ints, lengths: Ints) -> list[Ints]:
    edges = [0, *lengths.cumsum().tolist()]
    return [flat[begin:end] for begin, end in pairwise(edges)]


def _tokens_by_offsets(spans: list[Span], offsets: list[Any]) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Find the first and the last token of each word piece from its place in the window's text.

    spans (list[Span]): The windows.
    offsets (list): For each window, start and end of each word piece in its text.
    RETURNS (Iterator[tuple[ndarray, ndarray, ndarray]]): First and last tokens and no gaps, for
        each window.
    """
    docs = {id(span.doc): span.doc for span in spans}
    arrays = {key: doc.to_array([IDX, LENGTH]).astype(np.int64) for key, doc in docs.items()}
    tokens = [arrays[id(span.doc)][span.start : span.end] for span in spans]
    n_tokens, n_pieces = (np.array([len(row) for row in rows]) for rows in (tokens, offsets))
    # As if all windows stood one behind the other in one text, so that one search finds all.
    shifts = np.array([0, *(rows[-1].sum() + 2 for rows in tokens[:-1])]).cumsum()
    starts, lengths = np.concatenate(tokens).T
    starts = starts + np.repeat(shifts, n_tokens)
    pairs = chain.from_iterable(chain.from_iterable(offsets))
    places = np.fromiter(pairs, np.int64, 2 * int(n_pieces.sum())).reshape(-1, 2)
    in_doc = shifts + [span.start_char for span in spans]
    begin, end = (places + np.repeat(in_doc, n_pieces)[:, None]).T
    before = np.array([span.start for span in spans]) - (n_tokens.cumsum() - n_tokens)
    before = np.repeat(before, n_pieces)
    first = before + np.searchsorted(starts + lengths, begin, side="right")
    last = before + np.searchsorted(starts, end, side="left") - 1
    # Special tokens begin and end at the same place.
    last = np.where(end > begin, last, first - 1)
    no_gaps = repeat(np.zeros(0, dtype=np.int64))
    return zip(_split(first, n_pieces), _split(last, n_pieces), no_gaps, strict=False)


def _tokens_by_text(tokenizer: Any, span: Span, ids: list[int]) -> tuple[Ints, Ints, Ints]:
    """Find the first and the last token of each word piece, and gaps, by its text: Hugging Face's
    slow tokenizers do not say where in the text a word piece is."""
    strings = tokenizer.convert_ids_to_tokens(ids)
    special = set(tokenizer.all_special_tokens)
    if not any(token in span.text for token in special):
        # Or "<s>" would be found in the letter s.
        strings = ["" if string in special else string for string in strings]
    _, tokens = get_alignments([token.text for token in span], strings)
    first = np.array([min(numbers, default=0) for numbers in tokens], dtype=np.int64)
    last = np.array([max(numbers, default=-1) for numbers in tokens], dtype=np.int64)
    gaps = np.setdiff1d(np.arange(len(span)), [n for numbers in tokens for n in numbers])
    return span.start + first, span.start + last, span.start + gaps


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
            "read. Later cuts will not be reported. Expected smaller windows in "
            "[components.transformer.model.get_spans], such as "
            "spacy-transformers.strided_spans.v1 with window = 128 and stride = 96; a single word "
            "can't be divided.",
            stacklevel=2,
        )


def get_alignment(windows: list[Window], n_pieces: int) -> Ragged:
    """Align the tokens of a document to word pieces.

    windows (list[Window]): The document's windows.
    n_pieces (int): Length of a window, padding included.
    RETURNS (Ragged): For each token, the positions of its word pieces in the concatenated windows,
        as in `TransformerData`.
    """
    tokens, places = [], []
    for number, window in enumerate(windows):
        lengths = np.maximum(window.last - window.first + 1, 0)
        piece = np.repeat(np.arange(len(window)), lengths)
        within = np.arange(len(piece)) - np.repeat(lengths.cumsum() - lengths, lengths)
        token = window.first[piece] + within
        is_covered = ~np.isin(token, window.gaps)
        tokens.append(token[is_covered])
        places.append(number * n_pieces + piece[is_covered])
    token = np.concatenate([np.zeros(0, dtype=np.int64), *tokens])
    place = np.concatenate([np.zeros(0, dtype=np.int64), *places])
    order = np.argsort(token, kind="stable")
    lengths = np.bincount(token, minlength=windows[0].n_tokens if windows else 0)
    return Ragged(place[order].astype("i"), lengths.astype("i"))  # type: ignore[arg-type]


def wordpiece_batch(windows: list[Window], n_pieces: int, tokenizer: Any) -> WordpieceBatch:
    """Convert windows, padded to `n_pieces`, to spacy-transformers' form."""
    inputs: dict[str, Any] = model_inputs(windows, n_pieces, tokenizer.pad_token_id)
    return WordpieceBatch(
        strings=[tokenizer.convert_ids_to_tokens(ids) for ids in inputs["input_ids"].tolist()],
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"].astype("f"),
        lengths=[len(window) for window in windows],
        token_type_ids=inputs.get("token_type_ids"),
    )


def model_inputs(windows: Sequence[Window], n_pieces: int, pad_id: int | None) -> dict[str, Ints]:
    """Make a Hugging Face model's inputs.

    windows (Sequence[Window]): Some windows.
    n_pieces (int): Length to pad them to.
    pad_id (int | None): The word piece to pad with.
    RETURNS (dict[str, ndarray]): Arrays of shape (windows, n_pieces).
    """
    inputs = {
        "input_ids": _padded([window.ids for window in windows], n_pieces, pad_id or 0),
        "attention_mask": _padded([np.ones(len(w)) for w in windows], n_pieces, 0),
    }
    types = [window.type_ids for window in windows if window.type_ids is not None]
    if types:
        inputs["token_type_ids"] = _padded(types, n_pieces, 0)
    return inputs


def _padded(rows: Sequence[NDArray], n_columns: int, value: int) -> Ints:
    table = np.full((len(rows), n_columns), value, dtype=np.int64)
    for row, numbers in zip(table, rows, strict=True):
        row[: len(numbers)] = numbers
    return table
