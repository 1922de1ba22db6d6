"""Run a transformer on windows, in parts of about the same length.

A transformer takes as long for padding as for words. Windows are therefore sorted by length and
read in parts with little padding, whatever documents they are from. Parts have few different
shapes: tensors of ever new sizes fragment the memory, so that the process keeps growing, and in
bfloat16 oneDNN prepares and keeps a program for each number of word pieces.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from thinc.api import ArgsKwargs

from ..training.precision import Precision, resolve_precision
from .backends import uses_openvino
from .openvino_encoder import Encode, torch_on_one_thread
from .packing import can_pack, pack, packed_inputs
from .windows import Ints, Window, model_inputs, padding_position, pieces_limit

# Most word pieces in a part, padding included: enough to keep all cores busy, and few enough to
# stay in a CPU's caches.
PIECES_AT_ONCE = {"cpu": 1024, "cuda": 32768}
# Cost of starting a part, as the number of word pieces that take the same time.
STARTING = {"cpu": 48, "cuda": 2048}
# A part has 1, 2, 3, 4, 6, 8, 12, 16, 24, ... windows.
SIZES = [1, *(m << e for e in range(20) for m in (2, 3))]
# In bfloat16, the number of word pieces in parts with less than 512 is a multiple of 16.
SMALL_PART, GRID = 512, 16


class Part(NamedTuple):
    """Windows that are read together.

    windows (list[int]): Their numbers.
    n_pieces (int): Length that they are padded to, in word pieces.
    """

    windows: list[int]
    n_pieces: int


def padded_lengths(n_windows: Ints, lengths: Ints, few_shapes: bool) -> Ints:
    """Find the lengths to pad parts to. Lengths below 32 stay as they are, those below 64 are
    padded to a multiple of 2, those below 128 to a multiple of 4, and so on.

    n_windows (ndarray): Number of windows in each part.
    lengths (ndarray): Word pieces of the longest window in each part.
    few_shapes (bool): Whether to pad small parts further, so that each has a multiple of GRID word
        pieces.
    RETURNS (ndarray): Word pieces of each window, padding included.
    """
    steps = 1 << np.maximum(0, np.frexp(lengths)[1] - 5)
    if few_shapes:
        is_small = n_windows * _multiples(lengths, steps) < SMALL_PART
        coarse = np.maximum(steps, GRID // np.gcd(n_windows, GRID))
        steps = np.where(is_small, coarse, steps)
    return _multiples(lengths, steps)


def _multiples(lengths: Ints, steps: Ints) -> Ints:
    return -(-lengths // steps) * steps


def cut_into_parts(
    windows: Sequence[Window], device: str, limit: int, few_shapes: bool = False
) -> list[Part]:
    """Sort windows by length, and cut them into the parts that take the least time. More parts have
    less padding, but each takes time to start; dynamic programming finds the optimum.

    windows (Sequence[Window]): What to read.
    device (str): Type of the device, such as "cpu" or "cuda".
    limit (int): Length that windows may be padded to.
    few_shapes (bool): See `padded_lengths`.
    RETURNS (list[Part]): The parts, long windows first.
    """
    most, starting = PIECES_AT_ONCE.get(device, 32768), STARTING.get(device, 2048)
    order = sorted(range(len(windows)), key=lambda number: -len(windows[number]))
    lengths = [len(windows[i]) for i in order]
    padded = _padded_by_length(set(lengths), len(order), most, limit, few_shapes)
    # For the first n windows: the least cost, and the size of their last part.
    costs, last = [0], [0]
    for end in range(1, len(order) + 1):
        cost, size = min(
            (costs[end - size] + size * padded[lengths[end - size]][size], size)
            # Shorter windows fit into larger parts.
            for size in padded[lengths[end - 1]]
            if size <= end and size in padded[lengths[end - size]]
        )
        costs.append(cost + starting)
        last.append(size)
    parts: list[Part] = []
    end = len(order)
    while end:
        begin = end - last[end]
        parts.append(Part(order[begin:end], padded[lengths[begin]][last[end]]))
        end = begin
    return parts[::-1]


def _padded_by_length(
    lengths: Iterable[int], n_windows: int, most: int, limit: int, few_shapes: bool
) -> dict[int, dict[int, int]]:
    """Find the lengths that parts are padded to.

    lengths (Iterable[int]): Lengths of the longest window.
    n_windows (int): Most windows in a part.
    most (int): Most word pieces in a part of more than one window.
    limit (int): Length that windows may be padded to.
    few_shapes (bool): See `padded_lengths`.
    RETURNS (dict[int, dict[int, int]]): For each length, padded lengths by the part's size, as long
        as parts have at most `most` word pieces.
    """
    sizes = np.array([size for size in SIZES if size <= n_windows], dtype=np.int64)
    found = {}
    for length in lengths:
        padded = np.minimum(padded_lengths(sizes, np.full_like(sizes, length), few_shapes), limit)
        n_fitting = max(1, int(np.searchsorted(padded * sizes, most, side="right")))
        fitting = sizes[:n_fitting].tolist(), padded[:n_fitting].tolist()
        found[length] = dict(zip(*fitting, strict=True))
    return found


def read(model: Any, windows: Sequence[Window], take: Callable) -> None:
    """Run the transformer where nothing learns.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    windows (Sequence[Window]): What to read.
    take (Callable): Called with the numbers of a part's windows and their last hidden state, a
        tensor of shape (windows, word pieces, width).
    """
    shim = model.layers[0].shims[0]
    if not windows:
        return
    device = shim.device.type
    limit = max(map(len, windows))
    few_shapes = _needs_few_shapes(shim)
    if few_shapes:
        # Otherwise the longest window of each batch would have a shape of its own.
        limit = pieces_limit(model) or limit
    parts = cut_into_parts(windows, device, limit, few_shapes)
    encode = _prepare_openvino(shim, windows) if _uses_openvino(shim) else None
    if encode is not None:
        with torch_on_one_thread():
            for part, hidden in zip(parts, encode(_arrays(model, windows, parts)), strict=True):
                take(part.windows, hidden)
        return
    # One context for all parts, since autocast converts each weight once in a context.
    with shim.autocast(), _frozen_weights_converted_once(shim):
        for part, arrays in zip(parts, _arrays(model, windows, parts), strict=True):
            hidden = shim.predict(_to_arguments(arrays, shim.device)).last_hidden_state
            with torch.autocast(shim.device.type, enabled=False):
                take(part.windows, hidden.float())


def _needs_few_shapes(shim: Any) -> bool:
    # On CPUs, oneDNN prepares and keeps a program for each shape, and so does OpenVINO.
    if shim.device.type != "cpu":
        return False
    is_bfloat16 = resolve_precision(shim.precision, "cpu") is torch.bfloat16
    return is_bfloat16 or _uses_openvino(shim)


def _uses_openvino(shim: Any) -> bool:
    return uses_openvino(shim.backend, shim.device.type, shim.precision)


def _prepare_openvino(shim: Any, windows: Sequence[Window]) -> Encode | None:
    names = tuple(model_inputs(windows[:1], len(windows[0]), 0))
    int8 = shim.get_int8_ranges() if shim.precision == "int8" else None
    # Beside what is in int8, bfloat16 is faster and loses little.
    others: Precision = shim.precision if int8 is None else "auto"
    precision = resolve_precision(others, shim.device.type)
    required = shim.backend == "openvino" or int8 is not None
    return shim.openvino.prepare(shim._model, names, precision, required=required, int8=int8)


@contextmanager
def _frozen_weights_converted_once(shim: Any) -> Iterator[None]:
    """Let autocast convert frozen weights once: it caches only the weights that need a gradient.
    Nothing in this context may be computed with gradients."""
    frozen: list[torch.nn.Parameter] = []
    if torch.is_autocast_enabled(shim.device.type):
        # By name, not by requires_grad: another thread may be in this context, too.
        named = shim._model.named_parameters()
        frozen = [p for name, p in named if name in shim.frozen and p.is_floating_point()]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def read_and_learn(
    model: Any, windows: Sequence[Window], n_pieces: int
) -> tuple[torch.Tensor, Callable[[torch.Tensor], None]]:
    """Run the transformer in training. A batch has few windows, to which `few_shapes` would add
    much padding.

    model (TransformerModel): A spacy-transformers TransformerModel with our shim.
    windows (Sequence[Window]): What to read.
    n_pieces (int): Length of the longest window.
    RETURNS (tuple[Tensor, Callable]): The last hidden state, shape (windows, n_pieces, width), 0
        where padded, and a function that takes its gradient.
    """
    shim = model.layers[0].shims[0]
    inputs, places = _inputs_and_places(model, windows, n_pieces)
    outputs, backprop_parts = shim.begin_update_in_parts(inputs)
    width = outputs[0].shape[-1]
    hidden = torch.zeros(len(windows), n_pieces, width, device=shim.device)
    # Where each part's word pieces are in its output (read), and in `hidden` (written).
    for (read, written), output in zip(places, outputs, strict=True):
        hidden.view(-1, width)[written] = output.detach().reshape(-1, width)[read].float()

    def backprop(d_hidden: torch.Tensor) -> None:
        gradients = []
        for (read, written), output in zip(places, outputs, strict=True):
            gradient = torch.zeros_like(output).view(-1, width)
            gradient[read] = d_hidden.reshape(-1, width)[written].to(output.dtype)
            gradients.append(gradient.view(output.shape))
        backprop_parts(gradients)

    return hidden, backprop


def _inputs_and_places(
    model: Any, windows: Sequence[Window], n_pieces: int
) -> tuple[list[ArgsKwargs], list[tuple[torch.Tensor, torch.Tensor]]]:
    """Make the inputs of parts, and find the positions of their word pieces, counted row by row: in
    the part, and in all windows padded to n_pieces."""
    shim = model.layers[0].shims[0]
    if can_pack(model.transformer):
        packed = pack(windows, pieces_limit(model) or n_pieces)
        pad_id = model.tokenizer.pad_token_id or 0
        start = padding_position(model.transformer)
        arrays = [packed_inputs(windows, part, pad_id, start) for part in packed]
        shapes = [(p.windows, p.rows, p.starts, p.width) for p in packed]
    else:
        parts = cut_into_parts(windows, shim.device.type, n_pieces)
        arrays = list(_arrays(model, windows, parts))
        shapes = [
            (p.windows, list(range(len(p.windows))), [0] * len(p.windows), p.n_pieces)
            for p in parts
        ]
    places = []
    for numbers, rows, starts, length in shapes:
        own = [np.arange(len(windows[number])) for number in numbers]
        begins = [row * length + start for row, start in zip(rows, starts, strict=True)]
        read = np.concatenate([begin + each for begin, each in zip(begins, own, strict=True)])
        among_all = [n * n_pieces + each for n, each in zip(numbers, own, strict=True)]
        written = to_device(np.concatenate(among_all), shim.device)
        places.append((to_device(read, shim.device), written))
    return [_to_arguments(part, shim.device) for part in arrays], places


def _arrays(
    model: Any, windows: Sequence[Window], parts: Sequence[Part]
) -> Iterator[dict[str, Ints]]:
    pad_id = model.tokenizer.pad_token_id
    for part in parts:
        yield model_inputs([windows[i] for i in part.windows], part.n_pieces, pad_id)


def _to_arguments(arrays: dict[str, Ints], device: torch.device) -> ArgsKwargs:
    tensors = {name: to_device(array, device) for name, array in arrays.items()}
    return ArgsKwargs(args=(), kwargs=tensors)


def to_device(array: NDArray, device: torch.device) -> torch.Tensor:
    """Copy an array to the transformer's device; on the CPU, share its memory. A GPU copies from
    pinned memory while the CPU goes on."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
