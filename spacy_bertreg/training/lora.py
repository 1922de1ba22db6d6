"""Meaning of the setting `lora`: adapters of low rank, which learn beside a frozen transformer."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .freezing import Freeze

SECTION = "[components.transformer.model.lora]"
# What peft adds to the name of a layer that gets adapters.
WRAPPED = ".base_layer"


@dataclass(frozen=True)
class Lora:
    """Settings of LoRA (Hu et al. 2022): a linear layer with the frozen weights W computes
    (W + alpha / rank · B A) x. A and B learn; B begins at 0.

    rank (int): Number of rows of A, and of columns of B.
    alpha (float): Scale of the adapters, multiplied by the rank.
    targets (tuple[str, ...] | None): Names of the linear layers that get adapters, as "query": the
        last part of the module's name, or more of it. None for the default of the architecture.
    dropout (float): Share of the adapters' input that is dropped in training.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] | None = None
    dropout: float = 0.0


def check_lora(lora: Mapping[str, Any] | None, freeze: Freeze) -> Lora | None:
    """Check a setting as far as possible without a model.

    lora (Mapping[str, Any] | None): The setting; missing keys get their defaults. None for no
        adapters.
    freeze (Freeze): The setting `freeze` beside it.
    RETURNS (Lora | None): The setting.
    RAISES (ValueError): It has an unknown key or a wrong value, or `freeze` is not "all".
    """
    if lora is None:
        return None
    if freeze != "all":
        raise ValueError(
            f"freeze is {freeze!r} beside lora in [components.transformer.model]. Expected "
            "freeze = 'all', as adapters learn beside frozen weights; or lora = null."
        )
    keys = [field.name for field in fields(Lora)]
    for key in lora:
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"Unknown key {key!r} in {SECTION}. Expected {', '.join(keys)}.{hint}")
    setting = Lora(**{**lora, "targets": _as_tuple(lora.get("targets"))})
    rank, alpha, targets, dropout = (getattr(setting, key) for key in keys)
    is_list = isinstance(targets, tuple) and targets and all(isinstance(t, str) for t in targets)
    checks = {
        "rank": (isinstance(rank, int) and _is_number(rank) and rank >= 1, "1, 2 or more"),
        "alpha": (_is_number(alpha) and alpha > 0, "a number above 0"),
        "targets": (targets is None or is_list, "a list of layers' names, or null"),
        "dropout": (_is_number(dropout) and 0 <= dropout < 1, "a number from 0 to below 1"),
    }
    for key, (fits, expected) in checks.items():
        if not fits:
            value = lora.get(key)
            raise ValueError(f"{key} is {value!r} in {SECTION}. Expected {expected}.")
    return setting


def name_without_adapters(name: str) -> str:
    """Get a parameter's name in the model without adapters."""
    return name.replace(f"{WRAPPED}.", ".")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
