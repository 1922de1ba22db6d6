"""The bridge between thinc and a Hugging Face model, with parameters that can be frozen."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Optimizer
from thinc.types import ArgsKwargs
from torch import nn

from ..freezing import Freeze, block_of, count_blocks, frozen_names
from ..optimizer import EncoderOptimizer
from ..precision import Precision, is_bfloat16
from .encoding_cache import EncodingCache
from .word_embeddings import WordGradient


class FreezableShim(HFShim):
    """spacy-transformers' shim, but what `freeze` names takes no part in training: no gradient,
    hence no optimizer state and no weight decay, and no dropout.

    freeze (Freeze): What is frozen; see `frozen_names`.
    cache (EncodingCache): Outputs to use again while all is frozen.
    precision (Precision): In what to multiply matrices; see `is_bfloat16`.

    After `apply_freeze`, `is_frozen` (bool) says whether nothing of the transformer learns.
    `is_read_by_token` (bool) says whether something has asked for vectors of single tokens, and
    `poolings` (set[str]) which vectors of documents something has asked for.
    """

    def __init__(
        self,
        *args: Any,
        freeze: Freeze,
        cache: EncodingCache,
        precision: Precision = "float32",
        **kwargs: Any,
    ) -> None:
        self.freeze = freeze
        self.cache = cache
        self.precision = precision
        self.is_read_by_token = False
        self.poolings: set[str] = set()
        self.is_frozen = False
        self.has_reported_cuts = False
        self._word_gradient = WordGradient()
        super().__init__(*args, **kwargs)

    def apply_freeze(self, also: Freeze = "none") -> None:
        """Mark the frozen parameters. Called whenever the shim gets a transformer, since neither
        loading nor saving keeps the marks.

        also (Freeze): What to freeze for now beside what `freeze` names.
        RAISES (ValueError): The setting names nothing of this model.
        """
        self.cache.clear()
        self._word_gradient = WordGradient()
        parameters = dict(self._model.named_parameters())
        frozen = frozen_names(self.freeze, parameters) | frozen_names(also, parameters)
        for name, parameter in parameters.items():
            parameter.requires_grad_(name not in frozen)
            if name in frozen:
                parameter.grad = None
        self.is_frozen = len(frozen) == len(parameters)
        self._frozen_modules = _frozen_modules(self._model)

    def autocast(self) -> torch.autocast:
        """RETURNS (autocast): Context of a forward pass, for matrix products in lower precision."""
        if self._mixed_precision:
            return torch.autocast("cuda")
        device = self.device.type
        enabled = is_bfloat16(self.precision, device)
        return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)

    def predict(self, inputs: ArgsKwargs) -> Any:
        """inputs (ArgsKwargs): For the transformer. RETURNS (ModelOutput): What it gives."""
        # Left so: two threads that score with one pipeline would disturb each other.
        if self._model.training:
            self._model.eval()
        with torch.no_grad(), self.autocast():
            return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """RAISES (NotImplementedError): Always; see `begin_update_in_parts`."""
        raise NotImplementedError("A FreezableShim learns by begin_update_in_parts alone.")

    def begin_update_in_parts(
        self, parts: Sequence[ArgsKwargs]
    ) -> tuple[list[torch.Tensor], Callable[[list[torch.Tensor]], None]]:
        """parts (Sequence[ArgsKwargs]): For the transformer, one after the other.
        RETURNS (tuple[list[Tensor], Callable]): The last hidden state of each, and what takes
            their gradients."""
        self._model.train()
        for module in self._frozen_modules:
            # Which would run with dropout, too.
            module.eval()
        ids = [part.kwargs["input_ids"] for part in parts]
        with self.autocast(), self._word_gradient.collected(self._model, ids) as add_gradient:
            outputs = [self._model(*p.args, **p.kwargs).last_hidden_state for p in parts]

        def backprop(gradients: list[torch.Tensor]) -> None:
            if not outputs[0].requires_grad:
                # Nothing learns, or only what takes no part in the output, such as the pooler.
                return
            scaled = self._grad_scaler.scale(gradients, inplace=True)
            torch.autograd.backward(outputs, list(scaled))
            add_gradient()
            own = [p.grad for p in self._model.parameters() if p.grad is not None]
            if self._grad_scaler.unscale(own):
                for gradient in own:
                    gradient.zero_()

        return outputs, backprop

    def expect_reading_by_token(self) -> None:
        """From now on, vectors of single tokens are computed for all documents at once."""
        if not self.is_read_by_token:
            self.is_read_by_token = True
            # Its entries would each compute and keep them beyond the limit of memory.
            self.cache.clear()

    def finish_update(self, optimizer: Optimizer) -> None:
        if self.is_frozen:
            return
        if isinstance(optimizer, EncoderOptimizer) and not self._grad_scaler.found_inf:
            learning = {n: p for n, p in self._model.named_parameters() if p.grad is not None}
            n_blocks = count_blocks(name for name, _ in self._model.named_parameters())
            blocks = {name: block_of(name) for name in learning}
            optimizer.step_encoder(self.id, learning, blocks, n_blocks)
            self._word_gradient.clear(self._model)
            self._grad_scaler.update()
        else:
            super().finish_update(optimizer)

    def __getstate__(self) -> dict[str, Any]:
        # Copies for other processes have no use for what this one has computed.
        new = {"cache": EncodingCache(self.cache.max_bytes), "_word_gradient": WordGradient()}
        return {**self.__dict__, **new}

    def from_bytes(self, bytes_data: bytes) -> "FreezableShim":
        super().from_bytes(bytes_data)
        if self._model is not None:
            self.apply_freeze()
        return self


def _frozen_modules(model: nn.Module) -> list[nn.Module]:
    """RETURNS (list[Module]): Those with parameters of which none learns."""
    found = []
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            found.append(module)
    return found
