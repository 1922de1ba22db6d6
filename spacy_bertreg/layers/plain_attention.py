"""Attention by plain matrix products, for training in bfloat16 on CPUs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Word pieces of a window, up to which the weights of all pairs are kept for the backward pass.
LONGEST = 512


class PlainAttention(TorchFunctionMode):
    """In this context, models compute attention by two matrix products with a softmax in float32
    between them, instead of by torch's fused kernel. Results are the same, up to rounding; in
    bfloat16 on a CPU, forward and backward pass take less time (docs/performance.md). Longer
    windows and causal masks are left to the kernel, which needs less memory.
    """

    def __torch_function__(
        self,
        func: Callable,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is nn.functional.scaled_dot_product_attention:
            func = _attend
        return func(*args, **(kwargs or {}))


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Compute what `torch.nn.functional.scaled_dot_product_attention` does."""
    if is_causal or enable_gqa or key.shape[-2] > LONGEST:
        return nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query, key.transpose(-2, -1)).float() * scale
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # Not -inf, which makes NaN of a row in which all is masked.
        scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = nn.functional.dropout(scores.softmax(dim=-1), dropout_p)
    return torch.matmul(weights.to(value.dtype), value)
