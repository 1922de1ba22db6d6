"""Count the parameters of a pipeline by block, and those that learn or have learned."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from spacy.language import Language

from .freezing import SHARED_BLOCKS, TOP, UNUSED, Block
from .lora import name_without_adapters

COLUMNS = ["block", "parameters", "trainable", "share"]
TITLES = {TOP: "above the blocks", UNUSED: "not used"}


def has_weights(nlp: Language) -> bool:
    """Tell whether the pipeline has a transformer with weights."""
    models = find_transformers(nlp)
    return bool(models) and all(model.transformer is not None for model in models.values())


def count_trained_tensors(nlp: Language) -> int:
    """Count the tensors of the pipeline's transformers that have learned so far. The adapters of a
    training count as one."""
    shims = [get_shim(model) for model in find_transformers(nlp).values()]
    return sum(len(s.trained) + len(s.list_adapters()) for s in shims if hasattr(s, "trained"))


def find_transformers(nlp: Language) -> Mapping[str, Any]:
    """Find the models of the pipeline's transformers, by name of the component."""
    models = {name: getattr(component, "model", None) for name, component in nlp.pipeline}
    return {name: model for name, model in models.items() if hasattr(model, "transformer")}


def get_shim(model: Any) -> Any:
    """Get the shim that holds the Hugging Face model of a transformer's model."""
    return model.layers[0].shims[0]


def own_parameters(model: Any) -> Iterator[tuple[str, Any]]:
    """List a transformer's own parameters, under their names without adapters."""
    adapters = getattr(get_shim(model), "adapters", {})
    for name, parameter in model.transformer.named_parameters():
        if name not in adapters:
            yield name_without_adapters(name), parameter


def describe_adapters(model: Any, is_trained: bool, is_frozen: bool) -> list[dict[str, Any]]:
    """Describe the adapters of each training so far, or those that would learn."""
    shim = get_shim(model)
    if not hasattr(shim, "list_adapters"):
        return []
    if is_trained:
        return shim.list_adapters()
    if is_frozen:
        return []
    # A loaded pipeline has none before it is trained.
    shim.add_adapters()
    return shim.list_adapters(planned=True)


def count_by_block(model: Any, is_trained: bool, is_frozen: bool) -> pd.DataFrame:
    """Count the parameters of each block of a transformer, and those that have learned or would."""
    shim = get_shim(model)
    found = getattr(shim, "blocks", None) or _find_blocks(model.transformer)
    blocks = {name_without_adapters(name): block for name, block in found.items()}
    rows = []
    for tensor, parameter in own_parameters(model):
        block = blocks[tensor]
        learns = parameter.requires_grad and block != UNUSED and not is_frozen
        if is_trained and hasattr(shim, "trained"):
            learns = tensor in shim.trained
        rows.append((_rank(block), _title(block), parameter.numel(), parameter.numel() * learns))
    table = pd.DataFrame(rows, columns=["rank", *COLUMNS[:3]])
    return table.groupby(["rank", "block"]).sum().reset_index()[COLUMNS[:3]]


def _find_blocks(encoder: Any) -> dict[str, Block]:
    from .model_blocks import find_blocks  # imports torch

    return find_blocks(encoder)


def _rank(block: Block) -> float:
    """Get the place of a block in the report, from the bottom up."""
    if isinstance(block, int):
        return block
    return {SHARED_BLOCKS: 0, TOP: float("inf"), UNUSED: float("inf")}.get(block, -1)


def _title(block: Block) -> str:
    return f"block {block + 1}" if isinstance(block, int) else TITLES.get(block, block)


def count_head(component: Any, width: int) -> int:
    """Count a head's parameters; an untrained head counts as one for a single target."""
    sizes = [
        node.get_param(name).size
        for node in component.model.walk()
        for name in node.param_names
        if node.has_param(name)
    ]
    return sum(sizes) if sizes else width + 1
