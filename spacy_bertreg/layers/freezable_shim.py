"""The bridge between thinc and a Hugging Face model, with parameters that can be frozen."""

from collections.abc import Callable
from typing import Any

from spacy_transformers.layers.hf_shim import HFShim
from thinc.types import ArgsKwargs

FREEZE_VALUES = ("none", "all")


class FreezableShim(HFShim):
    """spacy-transformers' shim, but what `freeze` names takes no part in training: no gradient,
    hence no optimizer state and no weight decay, and no dropout.

    freeze (str): "none" or "all" of the transformer's parameters.
    """

    def __init__(self, *args: Any, freeze: str, **kwargs: Any) -> None:
        self.freeze = freeze
        super().__init__(*args, **kwargs)

    def apply_freeze(self) -> None:
        """Mark the frozen parameters. Called whenever the shim gets a transformer, since neither
        loading nor saving keeps the marks."""
        for parameter in self._model.parameters():
            parameter.requires_grad_(self.freeze == "none")

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        if self.freeze == "all":
            # As in prediction: without dropout, and there is nothing to compute backwards.
            return self.predict(inputs), lambda grads: inputs
        return super().begin_update(inputs)

    def from_bytes(self, bytes_data: bytes) -> "FreezableShim":
        super().from_bytes(bytes_data)
        if self._model is not None:
            self.apply_freeze()
        return self
