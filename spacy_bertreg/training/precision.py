"""Numeric precision of the transformer's matrix products."""

from typing import Any, Literal

import torch

Precision = Literal["float32", "bfloat16", "float16", "int8", "auto"]


def resolve_precision(precision: Precision, device: str) -> torch.dtype | None:
    """Find the type in which torch's autocast multiplies matrices.

    precision (Precision): "float32", "bfloat16", "float16", "int8", or "auto" for bfloat16 where
        the hardware multiplies it faster.
    device (str): Type of the device, such as "cpu" or "cuda".
    RETURNS (dtype | None): The type; None for float32, without autocast, and for int8, which is
        OpenVINO's.
    RAISES (ValueError): float16 on another device than a GPU, or int8 on another than the CPU.
    """
    if precision == "float16":
        if device != "cuda":
            raise ValueError(
                "precision is 'float16' in [components.transformer.model], which needs a GPU, but "
                f"the transformer is on the device {device!r}. Expected 'float32', 'bfloat16' or "
                "'auto'; spacy.load(path, config={'components.transformer.model.precision': "
                "'auto'}) loads a trained pipeline with another precision."
            )
        return torch.float16
    if precision == "int8" and device != "cpu":
        raise ValueError(
            "precision is 'int8' in [components.transformer.model], which computes on the CPU, but "
            f"the transformer is on the device {device!r}. Expected another precision, as 'auto'."
        )
    if precision == "bfloat16" or (precision == "auto" and _has_fast_bfloat16(device)):
        return torch.bfloat16
    return None


def _has_fast_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    # Older versions of torch have no such function.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(there for name, there in capabilities.items() if name.endswith("bf16"))
