"""Run a transformer in OpenVINO, converted in memory from the weights that torch holds.

OpenVINO fuses what torch computes one after the other, and lays weights out for the processor. It
is used where nothing learns; torch trains.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.utils import logging

from .compiled_model import CompiledModel, Inputs, compiling
from .int8 import Int8Ranges

Encode = Callable[[Iterable[Inputs]], Iterator[torch.Tensor]]

# Windows and word pieces of the input that is traced, and of the one that is compared: another, so
# that a shape which tracing took for a constant shows.
TRACED, COMPARED = (2, 8), (3, 12)
# Most that outputs may differ from torch's, as a share of the greatest: rounding, and no more.
TOLERANCE = {None: 1e-3, torch.bfloat16: 0.2}
# In int8, from torch's with the same rounding.
INT8_TOLERANCE = 0.2
# Kernels that OpenVINO keeps for shapes that have occurred, each in memory of its own. Its default
# is 5,000.
KERNELS = 100


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which reports each import and conversion, unless the
    user has opted out. OpenVINO does without where its package openvino_telemetry is missing.

    RETURNS (ModuleType): OpenVINO.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    openvino = import_module("openvino")
    stub = import_module("openvino.tools.ovc.telemetry_stub")
    # Where others have imported it before, with telemetry.
    for name, module in list(sys.modules.items()):
        if name.startswith("openvino.tools.ovc") and hasattr(module, "tm"):
            module.tm = stub  # type: ignore[attr-defined]
    return openvino


@contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Let torch use one thread, for the calling thread alone. Otherwise, after each operation, its
    other threads wait actively for the next one, on cores that OpenVINO computes on."""
    # torch.set_num_threads would also set the number for threads that start in the meantime.
    threadpoolctl = import_module("threadpoolctl")
    with threadpoolctl.ThreadpoolController().limit(limits=1, user_api="openmp"):
        yield


class OpenVinoEncoder:
    """A transformer as OpenVINO has compiled it, anew for changed weights, another precision or
    number of threads, and in a forked process.
    """

    def __init__(self) -> None:
        self._compiled: CompiledModel | None = None
        self._made_for: tuple = ()
        # What could not be converted.
        self._refused: torch.nn.Module | None = None

    def drop(self) -> None:
        """Forget what is compiled, as when weights change."""
        self._compiled, self._made_for = None, ()

    def prepare(
        self,
        transformer: torch.nn.Module,
        names: Sequence[str],
        precision: torch.dtype | None,
        *,
        required: bool,
        int8: Int8Ranges | None = None,
    ) -> Encode | None:
        """Convert and compile the transformer, unless that has been done.

        transformer (PreTrainedModel): A Hugging Face model on the CPU.
        names (Sequence[str]): Names of its inputs.
        precision (dtype | None): Type of matrix products, or of those that are not in int8; None
            for float32.
        required (bool): Whether to raise an error if it can't be converted, and not to warn.
        int8 (Int8Ranges | None): What it takes to compute in int8; None not to.
        RETURNS (Callable | None): Computes last hidden states, shape (windows, word pieces, width),
            from inputs by name, one after the other. None if the transformer can't be converted.
        RAISES (ValueError): It can't be converted, or its weights are not those of `int8`.
        """
        threads = torch.get_num_threads()
        # torch counts what is done to a tensor in place.
        weights = [(p.data_ptr(), p._version) for p in transformer.parameters()]
        made_for = (os.getpid(), tuple(names), precision, threads, weights, int8)
        with compiling:
            if self._refused is transformer and not required:
                return None
            if made_for != self._made_for or self._compiled is None:
                self.drop()
                runs = transformer if int8 is None else int8.apply(transformer)
                tolerance = TOLERANCE[precision] if int8 is None else INT8_TOLERANCE
                try:
                    self._compiled = _compile(runs, names, precision, threads, tolerance)
                except Exception as error:  # whatever OpenVINO or tracing raise
                    problem = f"OpenVINO can't run this transformer: {error}"
                    if required:
                        setting = "backend = 'torch'" if int8 is None else "precision = 'float32'"
                        raise ValueError(
                            f"{problem}\nExpected {setting} in [components.transformer.model]."
                        ) from error
                    self._refused = transformer
                    warnings.warn(f"{problem}\nIt runs in torch.", stacklevel=2)
                    return None
                self._made_for = made_for
            return self._compiled.infer


def _compile(
    transformer: torch.nn.Module,
    names: Sequence[str],
    precision: torch.dtype | None,
    threads: int,
    tolerance: float,
) -> CompiledModel:
    openvino = import_openvino()
    transformer.eval()
    with torch.no_grad(), torch.autocast("cpu", enabled=False), _quiet():
        traced = tuple(map(torch.from_numpy, _example(names, TRACED).values()))
        converted = openvino.convert_model(
            _LastHiddenState(transformer, names), example_input=traced
        )
        model = openvino.Core().compile_model(
            converted,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32" if precision is None else "bf16",
                "INFERENCE_NUM_THREADS": threads,
                "PERFORMANCE_HINT": "THROUGHPUT",
                # Otherwise, several processes would share one core.
                "ENABLE_CPU_PINNING": False,
                "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
            },
        )
        compiled = CompiledModel(model)
        _compare(transformer, compiled, _example(names, COMPARED), tolerance)
    return compiled


def _compare(transformer: Any, compiled: CompiledModel, arrays: Inputs, tolerance: float) -> None:
    """Raise a ValueError unless OpenVINO's outputs are torch's."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    expected = transformer(**tensors).last_hidden_state
    [found] = compiled.infer([arrays])
    # What padding gets is not read, and may differ.
    is_word = tensors["attention_mask"] == 1
    difference = (found - expected)[is_word].abs().max() / expected[is_word].abs().max()
    if not difference <= tolerance:
        raise ValueError(
            f"its outputs differ from torch's by {difference:.2g} of the greatest. Expected at "
            f"most {tolerance:g}."
        )


def _example(names: Sequence[str], shape: tuple[int, int]) -> dict[str, NDArray[np.int64]]:
    """Make inputs of windows, of which the last one is padded."""
    arrays = {name: np.zeros(shape, dtype=np.int64) for name in names}
    # Different word pieces, which every vocabulary has.
    arrays["input_ids"] += 2 + np.arange(shape[1]) % 3
    arrays["attention_mask"] += 1
    arrays["attention_mask"][-1, -3:] = 0
    return arrays


class _LastHiddenState(torch.nn.Module):
    """A transformer with one output, whose inputs come in the order of `names`."""

    def __init__(self, transformer: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.transformer = transformer
        self.names = tuple(names)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.transformer(**dict(zip(self.names, inputs, strict=True))).last_hidden_state


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what tracing says about code that is transformers'."""
    before = logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(before)
