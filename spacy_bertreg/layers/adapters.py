"""LoRA adapters in a Hugging Face model: put in place by the library peft, and merged into the
weights that are saved."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from ..training.freezing import UNUSED, Block
from ..training.lora import SECTION, WRAPPED, Lora

# peft's name of adapters where only one set is in place.
ADAPTER = "default"
# Query and value, as Hu et al. (2022), in architectures that peft has no default for.
BERT_TARGETS = ["query", "value"]
MORE_TARGETS = {"distilbert": ["q_lin", "v_lin"], "modernbert": ["Wqkv"], "mpnet": ["q", "v"]}


def add_adapters(model: Any, lora: Lora, blocks: Mapping[str, Block]) -> dict[str, str]:
    """Put new adapters into a model, without a change in what it computes: A is drawn from torch's
    random numbers, B is 0.

    model (PreTrainedModel): A Hugging Face model without adapters.
    lora (Lora): The setting.
    blocks (Mapping[str, str | int]): Block of each parameter of the model, by name.
    RETURNS (dict[str, str]): Names of the adapters' parameters, each with the name of the parameter
        that it will be merged into.
    RAISES (ImportError, ValueError): peft is not installed; a target names no layer of this model,
        or there is no default for its architecture.
    """
    peft = _import_peft()
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and blocks.get(f"{name}.weight", UNUSED) != UNUSED
    }
    targets = lora.targets or _default_targets(peft, model, linear)
    names = list(dict.fromkeys(name for target in targets for name in _match(target, linear)))
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        # Full names, so that peft finds only these layers.
        target_modules="|".join(map(re.escape, names)),
        # Conv1D keeps its weights transposed.
        fan_in_fan_out=any(isinstance(linear[name], Conv1D) for name in names),
    )
    peft.inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    return {
        name: f"{target}.weight"
        for target in names
        for name, _ in model.get_submodule(target).named_parameters(prefix=target)
        if not name.startswith(f"{target}{WRAPPED}.")
    }


def find_dropouts(model: nn.Module) -> list[nn.Module]:
    """Find the modules of adapters that drop a share of their input."""
    return [module for name, module in model.named_modules() if name.endswith("lora_dropout")]


@contextmanager
def merged_when_saved(model: nn.Module, adapters: Mapping[str, str]) -> Iterator[None]:
    """In this context, let `model.state_dict()` return the weights with the adapters merged, under
    their names without adapters. The model itself is not changed.

    model (Module): The model.
    adapters (Mapping[str, str]): What `add_adapters` returned; empty without adapters.
    """
    layers = {weight.removesuffix(".weight") for weight in adapters.values()}
    hooks = [
        model.get_submodule(layer).register_state_dict_post_hook(_merge) for layer in sorted(layers)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _merge(layer: Any, state: Any, prefix: str, local_metadata: dict[str, Any]) -> None:
    of_layer = {key: state.pop(key) for key in list(state) if key.startswith(prefix)}
    wrapped = f"{prefix.removesuffix('.')}{WRAPPED}."
    kept = {key.removeprefix(wrapped): of_layer[key] for key in of_layer if key.startswith(wrapped)}
    with torch.no_grad():
        kept["weight"] = kept["weight"] + layer.get_delta_weight(ADAPTER)
    state.update({f"{prefix}{key}": tensor for key, tensor in kept.items()})
    # Versions of modules, which torch saves too.
    for key in [key for key in state._metadata if key.startswith(prefix)]:
        del state._metadata[key]


def _match(target: str, linear: Iterable[str]) -> list[str]:
    """Find the layers whose names are a target, or end in it."""
    matches = [name for name in linear if f".{name}".endswith(f".{target}")]
    if not matches:
        ends = _last_parts(linear)
        near = difflib.get_close_matches(target, ends, n=3, cutoff=0.3) or ends
        raise ValueError(
            f"targets has {target!r} in {SECTION}, which names no linear layer of this model. "
            f"Near names: {', '.join(near)}."
        )
    return matches


def _default_targets(peft: Any, model: Any, linear: Iterable[str]) -> list[str]:
    architecture = model.config.model_type
    known = peft.utils.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    targets = {**MORE_TARGETS, **known}.get(architecture, BERT_TARGETS)
    if targets is BERT_TARGETS and not set(BERT_TARGETS) <= set(_last_parts(linear)):
        raise ValueError(
            f"targets is null in {SECTION}, but there is no default for a {architecture!r}. "
            f"Expected some of its linear layers: {', '.join(_last_parts(linear))}."
        )
    return list(targets)


def _last_parts(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))


def _import_peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise ImportError(
            f"Training with {SECTION} needs peft: pip install 'spacy-bertreg[peft]'. Scoring does "
            "not."
        ) from error
    return peft
