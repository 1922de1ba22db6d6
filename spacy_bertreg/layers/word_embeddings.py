"""Gradient of a transformer's word embeddings, which is mostly zeros."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class WordGradient:
    """Gradient of the word embeddings for the word pieces of a step alone. For each look-up,
    autograd makes a gradient of the size of the whole vocabulary in fresh memory, which takes a
    quarter of a step's time on a CPU. Here, a step looks up in the few rows that it needs, and
    their gradient is added to the whole one, in memory that is used again. Values and gradients are
    the same.
    """

    def __init__(self) -> None:
        self._spare: torch.Tensor | None = None

    @contextmanager
    def collected(self, model: Any, ids: Sequence[torch.Tensor]) -> Iterator[Callable[[], None]]:
        """Look up word pieces in few rows, in the forward passes in this context.

        model (PreTrainedModel): A Hugging Face model.
        ids (Sequence[Tensor]): The word pieces of the passes.
        YIELDS (Callable): Adds the gradient; call it after the backward pass.
        """
        words = _word_embedding(model)
        # On a GPU, torch reuses memory by itself, and the comparison below would wait for it.
        if words is None or words.weight.device.type != "cpu" or not words.weight.requires_grad:
            yield lambda: None
            return
        needed = torch.unique(torch.cat([batch.flatten() for batch in ids]))
        rows = words.weight.detach()[needed].requires_grad_()

        def look_up(module: nn.Module, args: tuple[torch.Tensor], vectors: torch.Tensor) -> Any:
            places = torch.searchsorted(needed, args[0]).clamp(max=len(needed) - 1)
            # A model may look up other word pieces than it was given.
            return (
                nn.functional.embedding(places, rows) if needed[places].equal(args[0]) else vectors
            )

        def add_gradient() -> None:
            if rows.grad is None:
                return
            if words.padding_idx is not None:
                rows.grad[needed == words.padding_idx] = 0.0
            if words.weight.grad is None:
                spare, self._spare = self._spare, None
                words.weight.grad = (
                    torch.zeros_like(words.weight) if spare is None else spare.zero_()
                )
            words.weight.grad.index_add_(0, needed, rows.grad)

        hook = words.register_forward_hook(look_up)
        try:
            yield add_gradient
        finally:
            hook.remove()

    def clear(self, model: Any) -> None:
        """Clear the gradients of a Hugging Face model after its step, and keep the memory of the
        largest."""
        words = _word_embedding(model)
        if words is not None and words.weight.device.type == "cpu":
            self._spare = words.weight.grad
        for parameter in model.parameters():
            parameter.grad = None


def _word_embedding(model: Any) -> nn.Embedding | None:
    try:
        words = model.get_input_embeddings()
    except NotImplementedError:
        return None
    return words if isinstance(words, nn.Embedding) else None
