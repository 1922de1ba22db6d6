"""How many operations a BERT takes, and how many the machine can do."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from rounds import alternate


def operations(config: Any, tokenizer: Any, texts: list[str]) -> float:
    """config (BertConfig): The transformer's shape. tokenizer (PreTrainedTokenizerBase): Its own.
    texts (list[str]): What it reads.
    RETURNS (float): Floating-point operations of the matrix products for the texts' word pieces,
        without padding: 2 for each weight and word piece, and in each block 4 times the width for
        each pair of word pieces."""
    data = tokenizer(texts, truncation=True, max_length=512)
    lengths = np.array([len(ids) for ids in data["input_ids"]], dtype=float)
    width, inner = config.hidden_size, config.intermediate_size
    weights = 4 * width * width + 2 * width * inner
    return config.num_hidden_layers * (2 * weights * lengths + 4 * width * lengths**2).sum()


def measure_peaks(device: torch.device) -> dict[str, float]:
    """RETURNS (dict[str, float]): By precision, operations per second of products of large
    matrices."""
    return {name: _peak(getattr(torch, name), device) for name in ("float32", "bfloat16")}


def print_shares(
    found: Mapping[str, float], flops: float, peaks: Mapping[str, float]
) -> dict[str, float]:
    """found (Mapping[str, float]): Documents per second of each side, whose name says its
        precision. flops (float): Operations a document. peaks (Mapping): See `measure_peaks`.
    RETURNS (dict[str, float]): The share of the peak of each side but "auto"."""
    precision = {n: "float32" if "float32" in n else "bfloat16" for n in found if "auto" not in n}
    shares = {name: found[name] * flops / peaks[own] for name, own in precision.items()}
    print(
        f"\n{flops / 1e9:.2f} GFLOP a document; the peak is {peaks['float32'] / 1e9:,.0f} GFLOP/s"
    )
    print(f"in float32 and {peaks['bfloat16'] / 1e9:,.0f} in bfloat16")
    for name, share in shares.items():
        print(f"{name:44} {share:.0%} of the peak")
    return shares


def large_products(dtype: torch.dtype, device: torch.device) -> tuple[Callable[[], Any], float]:
    """RETURNS (tuple[Callable, float]): Multiplies large matrices, and how many operations that
    takes."""
    # Large enough to keep a GPU busy, or quick on two cores.
    size, products = (8192, 50) if device.type == "cuda" else (2048, 5)
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return lambda: [a @ b for _ in range(products)], products * 2 * size**3


def _peak(dtype: torch.dtype, device: torch.device) -> float:
    multiply, n_operations = large_products(dtype, device)
    seconds = alternate({"product": multiply}, 9)["product"]
    return n_operations / float(np.median(seconds))
