"""Find where in a Hugging Face encoder each parameter lies: in the embeddings, in a block, above
all blocks, or outside of what the package uses."""

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any

import torch
from torch import nn

from .freezing import EMBEDDINGS, SHARED_BLOCKS, TOP, UNUSED, Block

# "encoder.layer.3.", "h.3.", "encoder.blocks.1.0.": the block is what stands before the last dot.
BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)(?:\.\d+)+(?=\.)")
# ALBERT's blocks share one set of parameters.
SHARED_BLOCK = re.compile(r"(?:^|\.)albert_layer_groups\.")
# A convolution that some DeBERTa models add to the output of their first block.
FIRST_BLOCK = re.compile(r"^encoder\.conv\.")
# A mixture of experts uses some of its experts for a text; the others learn from other texts.
EXPERT = "expert"
# Word pieces of the forward pass: enough for models that pool neighbours.
N_PIECES = 8


def find_blocks(model: nn.Module) -> dict[str, Block]:
    """Find where each parameter lies, from the autograd graph of one forward pass. A parameter is
    used if the last hidden state depends on it. A used parameter lies above all blocks if the top
    block's output does not depend on it, such as the final layer norm of ModernBERT or GPT-2. A
    block is higher the more parameters lie below it; a decoder's blocks come above its encoder's.

    model (Module): A Hugging Face model. It is not changed, and no random number is drawn.
    RETURNS (dict[str, str | int]): For each parameter's name, the number of its block, from 0 at
        the bottom; "blocks (shared)"; "top" above all blocks; "unused" if the last hidden state
        does not depend on it, such as BERT's pooler; or "embeddings" for parameters that come
        before the blocks or serve them all, such as relative positions.
    RAISES (ValueError): The model can't read word pieces.
    """
    names = [name for name, _ in model.named_parameters()]
    prefixes = list(dict.fromkeys(p for name in names if (p := _block_prefix(name)) is not None))
    used, below = _trace(model, prefixes)
    # Modules that are never called, such as a list of blocks, have no output.
    order = sorted(prefixes, key=lambda prefix: len(below.get(prefix, ())))
    numbers = {prefix: number for number, prefix in enumerate(order)}
    below_top = (below.get(order[-1]) if order else None) or used
    # The graph does not show how gradients reach Reformer's reversible blocks.
    hidden = [p for p in order if not any(name.startswith(f"{p}.") for name in used)]
    used |= {name for name in names if _block_prefix(name) in hidden}
    return {name: _place(name, numbers, used, below_top) for name in names}


def takes_segments(model: nn.Module) -> bool:
    """Tell whether a Hugging Face model takes `token_type_ids`. ModernBERT and DistilBERT don't,
    though their tokenizers may return them."""
    return "token_type_ids" in signature(model.forward).parameters


def _block_prefix(name: str) -> str | None:
    match = BLOCK.search(name)
    return name[: match.end()] if match else None


def _place(name: str, numbers: Mapping[str, int], used: set[str], below_top: set[str]) -> Block:
    if name not in used and EXPERT not in name:
        return UNUSED
    prefix = _block_prefix(name)
    if prefix is not None and prefix in numbers:
        return numbers[prefix]
    if FIRST_BLOCK.search(name):
        return 0
    if SHARED_BLOCK.search(name):
        return SHARED_BLOCKS
    return EMBEDDINGS if name in below_top else TOP


def _trace(model: nn.Module, prefixes: Iterable[str]) -> tuple[set[str], dict[str, set[str]]]:
    """Run one forward pass, and follow its graph back.

    model (Module): The model.
    prefixes (Iterable[str]): Names of the blocks' modules.
    RETURNS (tuple): Names of the parameters that the last hidden state depends on, and those that
        the output of each block depends on.
    """
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    mode = model.training
    roots: dict[str, list[Any]] = {}

    def record_output(prefix: str) -> Callable:
        return lambda module, args, output: roots.update({prefix: _graph_nodes(output)})

    hooks = [model.get_submodule(p).register_forward_hook(record_output(p)) for p in prefixes]
    device = next(model.parameters()).device
    pieces = torch.zeros(1, N_PIECES, dtype=torch.long, device=device)
    inputs = {"input_ids": pieces, "attention_mask": torch.ones_like(pieces)}
    if takes_segments(model):
        inputs["token_type_ids"] = torch.zeros_like(pieces)
    try:
        model.eval()
        model.requires_grad_(True)
        # BigBird makes new modules, with random numbers, when it first reads a short text.
        with torch.enable_grad(), torch.random.fork_rng(devices=[]):
            hidden = model(**inputs).last_hidden_state
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The transformer {type(model).__name__} can't read word pieces alone: {error}. "
            "Expected one that takes input_ids and attention_mask, and gives a last hidden state."
        ) from error
    finally:
        model.train(mode)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(flags[name])
        for hook in hooks:
            hook.remove()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    below = {prefix: _parameters_below(nodes, names) for prefix, nodes in roots.items()}
    return _parameters_below(_graph_nodes(hidden), names), below


def _graph_nodes(output: Any) -> list[Any]:
    """List the graph's nodes of all tensors in a module's output."""
    if isinstance(output, torch.Tensor):
        return [] if output.grad_fn is None else [output.grad_fn]
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        return [node for part in output for node in _graph_nodes(part)]
    return []


def _parameters_below(nodes: Iterable[Any], names: Mapping[int, str]) -> set[str]:
    todo, seen, found = list(nodes), set(nodes), set()
    while todo:
        node = todo.pop()
        # Nodes that accumulate gradients of parameters.
        if hasattr(node, "variable"):
            found.add(names.get(id(node.variable), ""))
        new = {next_node for next_node, _ in node.next_functions if next_node is not None} - seen
        seen |= new
        todo += new
    return found
