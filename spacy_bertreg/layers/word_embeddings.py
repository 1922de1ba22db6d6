"""The gradient of a transformer's word embeddings, which is mostly zeros."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class WordGradient:
    """For each look-up of word pieces, autograd makes a gradient of the size of the whole
    vocabulary, whose memory the operating system hands out anew: a quarter of a step's time on a
    CPU. Here, all look-ups of a step are in the few rows that it needs, and their gradients are
    added to one of that size, in memory that is used again. Values and gradients are the same.
    """

    def __init__(self) -> None:
        self._spare: torch.Tensor | None = None

    @contextmanager
    def collected(self, model: Any, ids: Sequence[torch.Tensor]) -> Iterator[Callable[[], None]]:
        """Forward passes in this context look up in rows.

        model (PreTrainedModel): A Hugging Face model.
        ids (Sequence[Tensor]): The word pieces of the passes.
        YIELDS (Callable): Adds the gradient, to be called after the backward pass.
        """
        words = _word_embedding(model)
        # On a GPU, torch uses memory again by itself, and would wait for what is compared here.
        if words is None or words.weight.device.type != "cpu" or not words.weight.requires_grad:
            yield lambda: None
            return
        needed = torch.unique(torch.cat([own.flatten() for own in ids]))
        rows = words.weight.detach()[needed].requires_grad_()

        def look_up(module: nn.Module, args: tuple[torch.Tensor], vectors: torch.Tensor) -> Any:
            places = torch.searchsorted(needed, args[0]).clamp(max=len(needed) - 1)
            # A model may look up others than it was given.
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
        """model (PreTrainedModel): That has taken its step, and whose gradients are to go."""
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
