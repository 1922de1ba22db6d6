"""In what numbers a transformer multiplies matrices."""

from typing import Any, Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]


def is_bfloat16(precision: Precision, device: str) -> bool:
    """precision (Precision): "float32", "bfloat16", or "auto" for bfloat16 where the hardware
        multiplies it faster.
    device (str): "cpu" or "cuda".
    RETURNS (bool): Whether matrices are multiplied in bfloat16, by torch's autocast."""
    if precision != "auto":
        return precision == "bfloat16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    # Older versions of torch do not tell.
    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(there for name, there in found.items() if name.endswith("bf16"))
