"""From windows to a transformer's outputs, in parts of about the same length.

A transformer takes as long for padding as for words. So windows are sorted by length and read in
parts with little padding, whatever documents they are from. Parts have few shapes: tensors of ever
new sizes fragment the memory, so that a process grows with what it reads, and libraries such as
oneDNN prepare and keep a program for each size.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from thinc.api import ArgsKwargs

from .windows import Window, model_inputs

# Word pieces that the transformer reads at once, padding included: enough to keep all cores busy,
# and few enough to stay in a CPU's caches.
PIECES_AT_ONCE = {"cpu": 1024, "cuda": 32768}
# How many word pieces take about the time of starting another part.
STARTING = {"cpu": 48, "cuda": 2048}
# A part has 1, 2, 3, 4, 6, 8, 12, 16, 24, ... windows.
SIZES = np.array([1, *(m << e for e in range(20) for m in (2, 3))], dtype=np.int64)


def padded_lengths(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """lengths (ndarray): In word pieces.
    RETURNS (ndarray): To what to pad them: up to 32 as they are, then to a multiple of 2, from 64
        on of 4, and so on, but never beyond the longest, which may be all that the model can read.
    """
    n_bits = np.frexp(lengths)[1]
    steps = 1 << np.maximum(0, n_bits - 5)
    return np.minimum(-(-lengths // steps) * steps, lengths.max(initial=0))


def parts_of(windows: Sequence[Window], device: str) -> list[list[int]]:
    """windows (Sequence[Window]): What to read. device (str): "cpu" or "cuda".
    RETURNS (list[list[int]]): Their numbers in the parts that take the least time: long ones first,
        and as many parts as save more padding than it takes to start them."""
    most, starting = PIECES_AT_ONCE.get(device, 32768), STARTING.get(device, 2048)
    order = sorted(range(len(windows)), key=lambda number: -len(windows[number]))
    lengths = padded_lengths(np.array([len(windows[i]) for i in order], dtype=np.int64))
    # Of the first so many windows: the least cost, and how many are in their last part.
    costs, last = np.zeros(len(order) + 1, dtype=np.int64), [0]
    for end in range(1, len(order) + 1):
        sizes = SIZES[: np.searchsorted(SIZES, end, side="right")]
        pieces = lengths[end - sizes] * sizes
        n_fitting = max(1, int(np.searchsorted(pieces, most, side="right")))
        own = (costs[end - sizes] + pieces)[:n_fitting]
        best = int(own.argmin())
        costs[end] = own[best] + starting
        last.append(int(sizes[best]))
    parts: list[list[int]] = []
    end = len(order)
    while end:
        parts.append(order[end - last[end] : end])
        end -= last[end]
    return parts[::-1]


def read(model: Any, windows: Sequence[Window], take: Callable) -> None:
    """Read windows where nothing learns.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    windows (Sequence[Window]): What to read.
    take (Callable): Gets, part by part, the windows' numbers and their last hidden state, a tensor
        of shape (windows, word pieces, width).
    """
    shim = model.layers[0].shims[0]
    parts = parts_of(windows, shim.device.type)
    # One context for all parts, since autocast converts each weight once in a context.
    with shim.autocast():
        for numbers, inputs in zip(parts, _inputs(model, windows, parts), strict=True):
            hidden = shim.predict(inputs).last_hidden_state
            with torch.autocast(shim.device.type, enabled=False):
                take(numbers, hidden.float())


def read_and_learn(
    model: Any, windows: Sequence[Window], n_pieces: int
) -> tuple[torch.Tensor, Callable[[torch.Tensor], None]]:
    """Read windows in a training.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    windows (Sequence[Window]): What to read.
    n_pieces (int): Length of the longest.
    RETURNS (tuple[Tensor, Callable]): The last hidden state, of shape (windows, n_pieces, width),
        0 where padded; and what takes its gradient.
    """
    shim = model.layers[0].shims[0]
    parts = parts_of(windows, shim.device.type)
    outputs, backprop_parts = shim.begin_update_in_parts(list(_inputs(model, windows, parts)))
    width = outputs[0].shape[-1]
    hidden = torch.zeros(len(windows), n_pieces, width, device=shim.device)
    for numbers, output in zip(parts, outputs, strict=True):
        hidden[numbers, : output.shape[1]] = output.detach().float()

    def backprop(d_hidden: torch.Tensor) -> None:
        gradients = [
            d_hidden[numbers, : output.shape[1]].to(output.dtype)
            for numbers, output in zip(parts, outputs, strict=True)
        ]
        backprop_parts(gradients)

    return hidden, backprop


def _inputs(
    model: Any, windows: Sequence[Window], parts: Sequence[Sequence[int]]
) -> Iterator[ArgsKwargs]:
    shim = model.layers[0].shims[0]
    pad_id = model.tokenizer.pad_token_id
    lengths = padded_lengths(np.array([len(window) for window in windows], dtype=np.int64))
    for numbers in parts:
        own = [windows[number] for number in numbers]
        arrays = model_inputs(own, lengths[numbers].max(), pad_id)
        tensors = {name: torch.from_numpy(a).to(shim.device) for name, a in arrays.items()}
        yield ArgsKwargs(args=(), kwargs=tensors)
