"""Bridge between thinc and a Hugging Face model, with parameters that can be frozen."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import srsly
import torch
from spacy_transformers.data_classes import HFObjects
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Optimizer
from thinc.types import ArgsKwargs
from torch import nn

from ..training.freezing import UNUSED, Block, Freeze, count_blocks, frozen_names
from ..training.lora import Lora
from ..training.model_blocks import find_blocks, takes_segments
from ..training.optimizer import EncoderOptimizer
from ..training.precision import Precision, resolve_precision
from .adapters import add_adapters, find_dropouts, merged_when_saved
from .backends import Backend
from .encoding_cache import EncodingCache
from .forks import use_one_thread_in_fork
from .half_weights import store_in_bfloat16
from .int8 import Int8Ranges
from .openvino_encoder import OpenVinoEncoder
from .plain_attention import PlainAttention
from .pretrained import EncoderConfig
from .word_embeddings import WordGradient


class FreezableShim(HFShim):
    """spacy-transformers' shim, in which the parameters that `freeze` names take no part in
    training: no gradient, hence no optimizer state and no weight decay, and no dropout.

    hf_model (HFObjects): The Hugging Face model and its tokenizer, empty before initialization.
    freeze (Freeze): What is frozen; see `frozen_names`.
    cache (EncodingCache): Outputs to reuse while all is frozen.
    precision (Precision): Numeric precision of matrix products; see `resolve_precision`.
    backend (Backend): What runs the transformer where nothing learns; see `uses_openvino`.
    lora (Lora | None): Adapters that learn beside the frozen weights.
    dropout (bool): Whether the transformer's own dropout is active in training.

    Attributes, the first four set by `apply_freeze`, `trained` and `trained_with` saved:
    blocks (dict[str, str | int]): Block of each parameter.
    frozen (frozenset[str]): Names of the parameters that do not learn, including unused ones.
    is_frozen (bool): Whether nothing of the transformer learns.
    takes_segments (bool): Whether the transformer takes the segments of word pieces.
    adapters (dict[str, str]): Names of the adapters' parameters that are in place, each with the
        name of the parameter that it is merged into when saved.
    trained (set[str]): Names of all parameters, without adapters, that have been updated since the
        base weights.
    trained_with (list[Freeze]): The `freeze` setting of each training.
    is_read_by_token (bool): Whether something has read vectors of single word pieces.
    saves_bfloat16 (bool): Whether matrices are saved in bfloat16, in half of their size.
    int8 (Int8Ranges | None): What it takes to compute in int8; saved if the precision is int8 and
        the weights are those that it belongs to.
    """

    def __init__(
        self,
        hf_model: HFObjects,
        *,
        freeze: Freeze,
        cache: EncodingCache,
        precision: Precision = "float32",
        backend: Backend = "torch",
        grad_scaler_config: dict[str, Any],
        lora: Lora | None = None,
        dropout: bool = True,
    ) -> None:
        self.freeze = freeze
        self.lora = lora
        self.dropout = dropout
        self.cache = cache
        self.precision = precision
        self.backend = backend
        self.openvino = OpenVinoEncoder()
        self.is_read_by_token = False
        self.saves_bfloat16 = False
        self.int8: Int8Ranges | None = None
        self.blocks: dict[str, Block] = {}
        self.frozen: frozenset[str] = frozenset()
        self.is_frozen = False
        self.takes_segments = False
        self.trained: set[str] = set()
        self.trained_with: list[Freeze] = []
        self.adapters: dict[str, str] = {}
        self._has_trained_adapters = False
        # Adapters that were merged before the weights were loaded.
        self._merged_adapters: list[dict[str, Any]] = []
        self._also_frozen: Freeze = "none"
        self.has_reported_cuts = False
        # Backward passes since the last step.
        self._n_passes = 0
        self._read_blocks_of: nn.Module | None = None
        self._word_gradient = WordGradient()
        super().__init__(
            hf_model,
            mixed_precision=precision == "float16",
            grad_scaler_config=grad_scaler_config,
        )

    def apply_freeze(self, also: Freeze = "none") -> None:
        """Freeze parameters. Called whenever the shim gets a transformer, since torch saves no
        `requires_grad`.

        also (Freeze): What else to freeze for now.
        RAISES (ValueError): The setting does not fit this model; see `frozen_names`.
        """
        self.cache.clear()
        self.openvino.drop()
        self._word_gradient = WordGradient()
        self._also_frozen = also
        if self._read_blocks_of is not self._model:
            self.blocks = find_blocks(self._model)
            self.takes_segments = takes_segments(self._model)
            self._read_blocks_of = self._model
        unused = {name for name, block in self.blocks.items() if block == UNUSED}
        chosen = frozen_names(self.freeze, self.blocks) - self.adapters.keys()
        self.frozen = frozenset(chosen | frozen_names(also, self.blocks) | unused)
        for name, parameter in self._model.named_parameters():
            parameter.requires_grad_(name not in self.frozen)
            if name in self.frozen:
                parameter.grad = None
        self.is_frozen = len(self.frozen) == len(self.blocks)
        self._frozen_modules = _frozen_modules(self._model)
        self._adapter_dropouts = find_dropouts(self._model)

    def add_adapters(self) -> None:
        """Put new adapters into the transformer, unless it has some or the setting has none. Called
        before training, so that scoring does not need peft. Adapters of an earlier training are
        merged into the weights that were loaded.

        RAISES (ImportError, ValueError): peft is not installed, or the targets are not in this
            model.
        """
        if self.lora is None or self.adapters:
            return
        self.adapters = add_adapters(self._model, self.lora, self.blocks)
        self._read_blocks_of = None
        self.apply_freeze(self._also_frozen)

    def list_adapters(self, *, planned: bool = False) -> list[dict[str, Any]]:
        """Describe adapters, for JSON.

        planned (bool): Whether to describe the adapters in place, trained or not, instead of those
            of each training so far.
        RETURNS (list[dict]): For the adapters of each training, `rank`, `alpha`, `dropout`, number
            of `parameters`, and names of the `tensors` that they are merged into.
        """
        done = [] if planned else list(self._merged_adapters)
        if self.lora is None or not self.adapters or not (planned or self._has_trained_adapters):
            return done
        sizes = {name: parameter.numel() for name, parameter in self._model.named_parameters()}
        new = {
            "rank": self.lora.rank,
            "alpha": self.lora.alpha,
            "dropout": self.lora.dropout,
            "parameters": sum(sizes[name] for name in self.adapters),
            "tensors": list(dict.fromkeys(self.adapters.values())),
        }
        return [*done, new]

    def autocast(self) -> torch.autocast:
        """Make the context of a forward pass, for matrix products in the shim's precision."""
        device = self.device.type
        dtype = resolve_precision(self.precision, device)
        return torch.autocast(device, dtype=dtype, enabled=dtype is not None)

    def _attention(self) -> AbstractContextManager[Any]:
        """Make the context of attention in training."""
        device = self.device.type
        is_bfloat16 = resolve_precision(self.precision, device) is torch.bfloat16
        return PlainAttention() if is_bfloat16 and device == "cpu" else nullcontext()

    def get_int8_ranges(self) -> Int8Ranges:
        """Get what it takes to compute in int8.

        RAISES (ValueError): The transformer was not quantized.
        """
        if self.int8 is None:
            raise ValueError(
                "precision is 'int8' in [components.transformer.model], but the transformer was "
                "not quantized. Expected a pipeline that bertreg quantize has written, or another "
                "precision, as 'float32'."
            )
        return self.int8

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the transformer in evaluation mode."""
        # Do not toggle train/eval here: it would race between threads that share the pipeline.
        if self._model.training:
            self._model.eval()
        with torch.no_grad(), self.autocast():
            return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """Raise a NotImplementedError; see `begin_update_in_parts`."""
        raise NotImplementedError("A FreezableShim learns by begin_update_in_parts alone.")

    def begin_update_in_parts(
        self, parts: Sequence[ArgsKwargs]
    ) -> tuple[list[torch.Tensor], Callable[[list[torch.Tensor]], None]]:
        """Run the transformer in training mode.

        parts (Sequence[ArgsKwargs]): Inputs, which are read one after the other.
        RETURNS (tuple[list[Tensor], Callable]): The last hidden state of each part, and what takes
            their gradients.
        RAISES (ValueError): The precision is int8.
        """
        if self.precision == "int8":
            raise ValueError(
                "precision is 'int8' in [components.transformer.model], in which a transformer "
                "can't learn. Expected 'float32' in training: a quantized pipeline is loaded by "
                "spacy.load(path, config={'components.transformer.model.precision': 'float32'})."
            )
        self._model.train()
        # In evaluation mode, a module differs only by its dropout. Not the model, by whose mode
        # `predict` knows that all has to change.
        for module in self._frozen_modules if self.dropout else self._model.children():
            module.eval()
        for module in self._adapter_dropouts:
            # They have a setting of their own.
            module.train()
        ids = [part.kwargs["input_ids"] for part in parts]
        with (
            self.autocast(),
            self._attention(),
            self._word_gradient.collected(self._model, ids) as add_gradient,
        ):
            outputs = [self._model(*p.args, **p.kwargs).last_hidden_state for p in parts]

        def backprop(gradients: list[torch.Tensor]) -> None:
            if not outputs[0].requires_grad:
                return
            scaled = self._grad_scaler.scale(gradients, inplace=True)
            torch.autograd.backward(outputs, list(scaled))
            add_gradient()
            self._n_passes += 1

        return outputs, backprop

    def expect_reading_by_token(self) -> None:
        """From now on, compute all word-piece vectors at once."""
        if not self.is_read_by_token:
            self.is_read_by_token = True
            # It holds pooled vectors, from which the others can't be made.
            self.cache.clear()

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the parameters by the mean of the gradients since the last step. Losses are means
        over a batch, which with accumulate_gradient = k comes in k passes.

        optimizer (Optimizer): The optimizer; spacy-bertreg.AdamW.v1 uses torch's fused AdamW.
        """
        if self.freeze not in self.trained_with:
            self.trained_with.append(self.freeze)
        learning = {n: p for n, p in self._model.named_parameters() if p.grad is not None}
        if self.is_frozen or not learning:
            return
        self.openvino.drop()
        gradients: list[Any] = [parameter.grad for parameter in learning.values()]
        # Not after each pass, which would unscale the gradients of earlier passes again.
        is_finite = not self._grad_scaler.unscale(gradients)
        if self._n_passes > 1:
            for gradient in gradients:
                gradient.div_(self._n_passes)
        self._n_passes = 0
        self.trained.update(learning.keys() - self.adapters.keys())
        self._has_trained_adapters |= any(name in self.adapters for name in learning)
        if isinstance(optimizer, EncoderOptimizer):
            if is_finite:
                blocks = {name: self.blocks[name] for name in learning}
                rows = self._word_gradient.rows(self._model)
                optimizer.step_encoder(self.id, learning, blocks, count_blocks(self.blocks), rows)
            self._word_gradient.clear(self._model)
            self._grad_scaler.update()
        else:
            super().finish_update(optimizer)

    def to_bytes(self) -> bytes:
        """Serialize weights, adapters merged into them; tokenizer; and what has learned."""
        with merged_when_saved(self._model, self.adapters):
            message = srsly.msgpack_loads(super().to_bytes())
        if self.saves_bfloat16 and self._model is not None:
            message["state"] = store_in_bfloat16(message["state"])
        message["trained"] = sorted(self.trained)
        message["trained_with"] = self.trained_with
        message["lora"] = self.list_adapters()
        if self.precision == "int8" and self.int8 is not None and self.int8.fits(self._model):
            message["int8"] = self.int8.to_dict()
        return srsly.msgpack_dumps(message)

    def __getstate__(self) -> dict[str, Any]:
        # Copies for other processes do not need what this one has computed.
        new = {
            "cache": EncodingCache(self.cache.max_bytes),
            "openvino": OpenVinoEncoder(),
            "_word_gradient": WordGradient(),
        }
        return {**self.__dict__, **new}

    def from_bytes(self, bytes_data: bytes) -> "FreezableShim":
        use_one_thread_in_fork()
        message = srsly.msgpack_loads(bytes_data)
        self.config_cls = EncoderConfig(message["config"])
        super().from_bytes(bytes_data)
        # A stock transformer's bytes don't say what has learned.
        self.trained = set(message.get("trained", ()))
        self.trained_with = list(message.get("trained_with", ()))
        self._merged_adapters = list(message.get("lora", ()))
        self.adapters, self._has_trained_adapters = {}, False
        self.int8 = Int8Ranges.from_dict(message["int8"]) if message.get("int8") else None
        if self._model is not None:
            self.apply_freeze()
        return self


def _frozen_modules(model: nn.Module) -> list[nn.Module]:
    """Find the modules that have parameters, none of which learns."""
    found = []
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            found.append(module)
    return found
