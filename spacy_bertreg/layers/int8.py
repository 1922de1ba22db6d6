"""int8 with calibration: post-training quantization of a transformer's linear layers.

What a layer multiplies is rounded to 8 bits: activations with one step a layer, whose range is
taken from texts, and weights with one a row. Before that, channels with large activations are
divided by a factor, by which their weights are multiplied (SmoothQuant: Xiao et al. 2023, ICML).
How far this goes is chosen by the error on the texts, and layers that lose too much stay in float.
Biases make up for the mean error of the rounded weights (Nagel et al. 2019, ICCV, section 4.2).
Attention's products, embeddings, activation functions and layer norms stay in float, too: in
bfloat16 where the processor is faster with it, and in float32 elsewhere.

Only what was measured is kept: weights are rounded anew when OpenVINO compiles the transformer.
"""

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .half_weights import is_matrix

Arrays = Mapping[str, NDArray[np.int64]]

# Shares of the differences between channels that may be moved from activations to weights.
SMOOTHING = (0.7, 0.8, 0.9, 1.0)
# Largest error of a layer's outputs; see `_choose_range`. In a trained BERT, layers with a larger
# one read some activations so large that the steps are coarse for all others.
MAX_ERROR = 2.2e-3
# Word pieces on which errors are computed.
ROWS = 1000
# Steps of rounded activations, from 0, and of weights, to both sides of 0.
ACTIVATION_STEPS, WEIGHT_STEPS = 255, 127
TINY = 1e-5


@dataclass(frozen=True)
class LayerRange:
    """What a linear layer in int8 takes beside its weights.

    low, high (float): Range of its inputs, divided by `factors`.
    factors (ndarray): What each channel of the inputs is divided by, shape (channels,).
    mean (ndarray): Mean of the inputs, shape (channels,).
    """

    low: float
    high: float
    factors: NDArray[np.float32]
    mean: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Int8Ranges:
    """What a transformer in int8 takes beside its weights.

    weights (str): Hash of the weights that it belongs to; see `hash_weights`.
    layers (dict[str, LayerRange]): Of each layer in int8, by name.
    """

    weights: str
    layers: dict[str, LayerRange]

    @classmethod
    def measure(cls, transformer: nn.Module, batches: Sequence[Arrays]) -> "Int8Ranges":
        """Run a transformer on calibration texts.

        transformer (PreTrainedModel): A Hugging Face model on the CPU.
        batches (Sequence[Mapping]): Its inputs by name, without padding, which would count.
        RETURNS (Int8Ranges): The ranges.
        RAISES (ValueError): No linear layer can be computed in int8.
        """
        seen = _collect(transformer, batches)
        layers: dict[str, LayerRange] = {}
        for names in _with_same_inputs(seen):
            linear = [transformer.get_submodule(name) for name in names]
            found, error = _choose_range(linear, seen[names[0]])
            if error <= MAX_ERROR:
                layers.update(dict.fromkeys(names, found))
        if not layers:
            raise ValueError(
                f"No linear layer of this {type(transformer).__name__} can be computed in int8: "
                f"of {len(seen)}, each has an error above {MAX_ERROR}."
            )
        return cls(hash_weights(transformer), layers)

    def fits(self, transformer: nn.Module) -> bool:
        """Tell whether they belong to the weights of a transformer."""
        return self.weights == hash_weights(transformer)

    def apply(self, transformer: nn.Module) -> nn.Module:
        """Make a transformer that rounds as int8 does, for OpenVINO to compile.

        transformer (PreTrainedModel): The transformer that was measured, on the CPU.
        RETURNS (PreTrainedModel): A copy, which shares all weights that are not rounded.
        RAISES (ValueError): Its weights have changed.
        """
        if not self.fits(transformer):
            raise ValueError(
                "precision is 'int8' in [components.transformer.model], but the transformer's "
                "weights have changed since it was quantized. Expected another precision, as "
                "'float32', or a pipeline that is quantized again: bertreg quantize."
            )
        shared = {id(tensor): tensor for tensor in transformer.parameters()}
        copied = copy.deepcopy(transformer, shared)
        for name, layer_range in self.layers.items():
            parent, _, own = name.rpartition(".")
            layer: Any = transformer.get_submodule(name)
            setattr(copied.get_submodule(parent), own, _RoundingLinear(layer, layer_range))
        return copied

    def to_dict(self) -> dict[str, Any]:
        """Turn into arrays, numbers and strings for msgpack."""
        return {"weights": self.weights, "layers": {n: asdict(r) for n, r in self.layers.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Int8Ranges":
        """Read what `to_dict` made."""
        return cls(data["weights"], {n: LayerRange(**r) for n, r in data["layers"].items()})


def hash_weights(model: nn.Module) -> str:
    """Return the SHA-256 of a model's weights, the same for weights that are stored in half of
    their size."""
    total = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        rounded = tensor.bfloat16() if is_matrix(tensor) else tensor
        total.update(name.encode())
        total.update(rounded.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


class _Seen:
    """Collects a layer's inputs.

    low, high, total (Tensor): Least, greatest, and sum over word pieces, shape (channels,).
    n (int): Number of word pieces.
    rows (list[Tensor]): Some of them, shape (rows, channels).
    """

    low: torch.Tensor
    high: torch.Tensor
    total: torch.Tensor

    def __init__(self, rows_each: int) -> None:
        self.rows_each = rows_each
        self.n = 0
        self.rows: list[torch.Tensor] = []

    def add(self, inputs: torch.Tensor) -> None:
        rows = inputs.detach().reshape(-1, inputs.shape[-1])
        low, high, total = rows.amin(dim=0), rows.amax(dim=0), rows.sum(dim=0)
        if self.n:
            low, high = torch.minimum(low, self.low), torch.maximum(high, self.high)
            total = total + self.total
        self.low, self.high, self.total = low, high, total
        self.n += len(rows)
        # Spread over the text: the first word piece, of a special token, is unlike others.
        places = torch.linspace(0, len(rows) - 1, min(self.rows_each, len(rows))).long()
        self.rows.append(rows[places].clone())


def _collect(transformer: nn.Module, batches: Sequence[Arrays]) -> dict[str, _Seen]:
    linear = {n: part for n, part in transformer.named_modules() if isinstance(part, nn.Linear)}
    seen = {name: _Seen(math.ceil(ROWS / max(1, len(batches)))) for name in linear}
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, own=seen[name]: own.add(inputs[0]))
        for name, layer in linear.items()
    ]
    transformer.eval()
    try:
        with torch.no_grad():
            for arrays in batches:
                transformer(**{name: torch.from_numpy(array) for name, array in arrays.items()})
    finally:
        for hook in hooks:
            hook.remove()
    return {name: own for name, own in seen.items() if own.n}


def _with_same_inputs(seen: Mapping[str, _Seen]) -> list[list[str]]:
    """Find the layers that read the same vectors, as those of queries, keys and values: with the
    same factors, OpenVINO rounds these once."""
    found: dict[bytes, list[str]] = {}
    for name, own in seen.items():
        key = own.low.numpy().tobytes() + own.high.numpy().tobytes() + own.total.numpy().tobytes()
        found.setdefault(key, []).append(name)
    return list(found.values())


def _choose_range(layers: Sequence[Any], seen: _Seen) -> tuple[LayerRange, float]:
    """Find the factors with the least error, and that error: of the outputs for a word piece, the
    share of their squared distance from the median, on average, with each output in units of its
    standard deviation. So, large outputs and word pieces do not outweigh the others."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    rows = torch.cat(seen.rows)
    exact = rows @ weight.T
    unit = exact.std(dim=0).clamp(min=TINY * float(exact.std()) + TINY**2)
    middle = exact.median(dim=0).values
    distances = ((exact - middle) / unit).square().sum(dim=1).clamp(min=TINY**2)
    largest = torch.maximum(-seen.low, seen.high).clamp(min=TINY)
    largest_weight = weight.abs().amax(dim=0).clamp(min=TINY)
    mean = (seen.total / seen.n).numpy()
    found = []
    for share in SMOOTHING:
        factors = largest**share / largest_weight ** (1 - share)
        low, high = float((seen.low / factors).min()), float((seen.high / factors).max())
        step, zero = _activation_steps(low, high)
        rounded = torch.fake_quantize_per_tensor_affine(
            rows / factors, step, zero, 0, ACTIVATION_STEPS
        )
        difference = rounded @ _round_rows(weight * factors).T - exact
        # The mean is made up for by the bias.
        difference = (difference - difference.mean(dim=0)) / unit
        error = float((difference.square().sum(dim=1) / distances).mean())
        found.append((LayerRange(low, high, factors.numpy(), mean), error))
    return min(found, key=lambda pair: pair[1])


def _activation_steps(low: float, high: float) -> tuple[float, int]:
    """Return the step of activations, and how many of them are below 0, which is one of them."""
    low, high = min(0.0, low), max(0.0, high)
    step = max(high - low, TINY) / ACTIVATION_STEPS
    return step, round(-low / step)


def _round_rows(weight: torch.Tensor) -> torch.Tensor:
    steps = weight.abs().amax(dim=1).clamp(min=TINY) / WEIGHT_STEPS
    zeros = torch.zeros(len(weight), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(
        weight, steps, zeros, 0, -WEIGHT_STEPS, WEIGHT_STEPS
    )


class _RoundingLinear(nn.Module):
    """A linear layer in float that rounds what it multiplies, by the operations from which OpenVINO
    makes products in int8."""

    def __init__(self, layer: nn.Linear, layer_range: LayerRange) -> None:
        super().__init__()
        factors, mean = torch.tensor(layer_range.factors), torch.tensor(layer_range.mean)
        weight = layer.weight.detach() * factors
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        self.step, self.zero = _activation_steps(layer_range.low, layer_range.high)
        self.inverse_factors = nn.Buffer(1 / factors)
        self.weight = nn.Buffer(weight)
        self.bias = nn.Buffer(bias + (weight - _round_rows(weight)) @ (mean / factors))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        rounded = torch.fake_quantize_per_tensor_affine(
            inputs * self.inverse_factors, self.step, self.zero, 0, ACTIVATION_STEPS
        )
        return nn.functional.linear(rounded, _round_rows(self.weight), self.bias)
