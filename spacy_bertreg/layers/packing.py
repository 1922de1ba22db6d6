"""Pack short windows into rows, so that a transformer learns from them almost without padding.

A training batch has few windows, of very different lengths. Cut into parts of similar length, a
fifth of the input is padding, and each part computes a gradient of all weights. Here, short windows
share a row. Each attends only to itself, and counts positions from its own start, so outputs and
gradients are those of windows read one by one (Krell et al. 2021, arXiv:2107.02027).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .windows import Ints, Window

# Transformers that take positions, and an attention mask for each pair of word pieces.
MODEL_TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
# Rows are as long as the longest window, or one of WIDTHS if that is longer. The length is a
# multiple of MULTIPLE, so that there are few shapes.
WIDTHS, MULTIPLE = (32, 64, 128), 8
# Most word pieces in a part, without padding.
PIECES_AT_ONCE = 1024
# Cost of starting a part, as the number of word pieces that take the same time.
STARTING = 128
# Length of a row at which attention takes as long as everything else.
ATTENTION = 1024


class Packed(NamedTuple):
    """Rows that are read together.

    windows (list[int]): The windows' numbers.
    rows, starts (list[int]): The row of each, and where it starts there.
    n_rows, width (int): Shape of the part.
    """

    windows: list[int]
    rows: list[int]
    starts: list[int]
    n_rows: int
    width: int


def can_pack(transformer: Any) -> bool:
    """Tell whether a Hugging Face model, on a CPU, can read packed windows. On a GPU, packing was
    not measured."""
    config = transformer.config
    return (
        config.model_type in MODEL_TYPES
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and getattr(config, "_attn_implementation", None) in ("eager", "sdpa")
        and not config.is_decoder
        and transformer.device.type == "cpu"
    )


def pack(windows: Sequence[Window], limit: int) -> list[Packed]:
    """Sort windows by length, cut them into the parts that take the least time, and fill the rows
    of each.

    windows (Sequence[Window]): What to read.
    limit (int): Greatest length of a row: the word pieces that the transformer can read at once.
    RETURNS (list[Packed]): The parts, long windows first.
    """
    order = sorted(range(len(windows)), key=lambda number: -len(windows[number]))
    lengths = np.array([len(windows[i]) for i in order], dtype=np.int64)
    totals = np.concatenate([[0], lengths.cumsum()])
    # Possible lengths of the rows of a part that begins with each window.
    multiples = -(-lengths // MULTIPLE) * MULTIPLE
    widths = np.minimum(np.stack([np.maximum(multiples, width) for width in (0, *WIDTHS)]), limit)
    # For the first n windows: the least cost, if rows could be filled completely, and the start of
    # their last part.
    costs, starts = np.zeros(len(order) + 1), [0]
    for end in range(1, len(order) + 1):
        first = min(int(np.searchsorted(totals, totals[end] - PIECES_AT_ONCE)), end - 1)
        n_pieces = totals[end] - totals[first:end]
        found = costs[first:end] + _cost(-(-n_pieces // widths[:, first:end]), widths[:, first:end])
        start = int(found.min(axis=0).argmin())
        costs[end] = found[:, start].min()
        starts.append(first + start)
    parts = []
    end = len(order)
    while end:
        start = starts[end]
        ways = [
            _fill_rows(order[start:end], lengths[start:end].tolist(), width)
            for width in sorted(set(widths[:, start].tolist()))
        ]
        parts.append(min(ways, key=lambda part: _cost(part.n_rows, part.width)))
        end = start
    return parts[::-1]


def _cost(n_rows: Any, width: Any) -> Any:
    return n_rows * width * (1 + width / ATTENTION) + STARTING


def _fill_rows(numbers: list[int], lengths: list[int], width: int) -> Packed:
    # First fit, long windows first: needs at most 22 % more rows than the best packing.
    filled: list[int] = []
    rows, starts = [], []
    for length in lengths:
        row = next((i for i, n in enumerate(filled) if n + length <= width), len(filled))
        if row == len(filled):
            filled.append(0)
        rows.append(row)
        starts.append(filled[row])
        filled[row] += length
    return Packed(numbers, rows, starts, len(filled), width)


def packed_inputs(
    windows: Sequence[Window], part: Packed, pad_id: int, padding_position: int | None
) -> dict[str, Ints]:
    """Make a Hugging Face model's inputs.

    windows (Sequence[Window]): All windows.
    part (Packed): Which are read, and where.
    pad_id (int): The word piece to pad with.
    padding_position (int | None): Position of padding in a model that counts positions from behind
        it, such as RoBERTa; None for other models.
    RETURNS (dict[str, ndarray]): Arrays of shape (rows, width); the attention mask has the shape
        (rows, width, width).
    """
    shape = part.n_rows, part.width
    ids = np.full(shape, pad_id, dtype=np.int64)
    positions = np.full(shape, padding_position or 0, dtype=np.int64)
    types, owners = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    for number, row, start in zip(part.windows, part.rows, part.starts, strict=True):
        window = windows[number]
        place = row, slice(start, start + len(window))
        ids[place], owners[place] = window.ids, number
        if window.type_ids is not None:
            types[place] = window.type_ids
        if padding_position is None:
            positions[place] = np.arange(len(window))
        else:
            is_word = window.ids != padding_position
            positions[place] = is_word.cumsum() * is_word + padding_position
    mask = (owners[:, :, None] == owners[:, None, :]).astype(np.int64)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": types,
        "position_ids": positions,
    }
