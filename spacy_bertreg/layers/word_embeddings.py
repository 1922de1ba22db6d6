"""Gradient of a transformer's word embeddings, which is mostly zeros."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

NO_ROWS = torch.zeros(0, dtype=torch.int64)


class WordGradient:
    """Gradient of the word embeddings, computed only for the word pieces of a step. For each
    look-up, autograd makes a gradient for the whole vocabulary in fresh memory, which takes a
    quarter of a step's time on a CPU. Here, word pieces are looked up in the few rows that a step
    needs, and their gradient is added to the whole one. Its memory is reused: after a step, only
    these rows are set to 0. Values and gradients are the same.
    """

    def __init__(self) -> None:
        # Zeros of the whole gradient's size, and the rows of the current one that are not zeros;
        # None if autograd has written into it, too.
        self._spare: torch.Tensor | None = None
        self._rows: torch.Tensor | None = NO_ROWS

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
            if needed[places].equal(args[0]):
                return nn.functional.embedding(places, rows)
            # A model may look up other word pieces than it was given.
            self._rows = None
            return vectors

        def add_gradient() -> None:
            if rows.grad is None:
                return
            if words.padding_idx is not None:
                rows.grad[needed == words.padding_idx] = 0.0
            if words.weight.grad is None:
                spare, self._spare = self._spare, None
                words.weight.grad = torch.zeros_like(words.weight) if spare is None else spare
            elif self._rows is NO_ROWS:
                self._rows = None
            words.weight.grad.index_add_(0, needed, rows.grad)
            if self._rows is not None:
                self._rows = torch.unique(torch.cat([self._rows, needed]))

        hook = words.register_forward_hook(look_up)
        try:
            yield add_gradient
        finally:
            hook.remove()

    def rows(self, model: Any) -> dict[str, torch.Tensor | None]:
        """Find where the gradient is not 0.

        model (PreTrainedModel): The Hugging Face model.
        RETURNS (dict[str, Tensor | None]): Row numbers, by the name of the word embeddings'
            parameter; None if they are not known. Empty if the parameter has no gradient, and on a
            GPU, where this was not measured.
        """
        words = _word_embedding(model)
        if words is None or words.weight.grad is None or words.weight.device.type != "cpu":
            return {}
        names = [name for name, p in model.named_parameters() if p is words.weight]
        return dict.fromkeys(names, self._rows if self._rows is not NO_ROWS else None)

    def clear(self, model: Any) -> None:
        """Clear the gradients of a Hugging Face model after its step, and keep the memory of the
        largest."""
        words = _word_embedding(model)
        gradient = None if words is None else words.weight.grad
        used, self._rows = self._rows, NO_ROWS
        if gradient is not None and used is not None and len(used):
            # Clipping may multiply by a number that is not finite, which leaves no zeros.
            self._spare = gradient if gradient[used].isfinite().all() else None
            gradient[used] = 0.0
        for parameter in model.parameters():
            parameter.grad = None


def _word_embedding(model: Any) -> nn.Embedding | None:
    try:
        words = model.get_input_embeddings()
    except NotImplementedError:
        return None
    return words if isinstance(words, nn.Embedding) else None
