"""What computes a transformer where nothing learns: torch or OpenVINO."""

from importlib.util import find_spec
from typing import Literal

import torch

from ..training.precision import Precision

Backend = Literal["torch", "openvino", "auto"]


def is_installed() -> bool:
    """Say whether there is what the extra [openvino] brings."""
    return find_spec("openvino") is not None and find_spec("threadpoolctl") is not None


def check_backend(backend: Backend, precision: Precision = "float32") -> Backend:
    """Check that what a backend and a precision need is installed.

    backend (str): "torch", "openvino" or "auto".
    precision (str): "int8" takes OpenVINO, too.
    RETURNS (str): The backend.
    RAISES (ImportError): OpenVINO is not installed.
    """
    if precision == "int8" and not is_installed():
        raise ImportError(
            "precision is 'int8' in [components.transformer.model], which needs OpenVINO: "
            "pip install 'spacy-bertreg[int8]'. spacy.load(path, "
            "config={'components.transformer.model.precision': 'float32'}) loads the pipeline "
            "without it, with the predictions that it had before it was quantized."
        )
    if backend == "openvino" and not is_installed():
        raise ImportError(
            "backend is 'openvino' in [components.transformer.model], which needs OpenVINO: "
            "pip install 'spacy-bertreg[openvino]'. spacy.load(path, "
            "config={'components.transformer.model.backend': 'torch'}) loads a trained pipeline "
            "without it."
        )
    return backend


def uses_openvino(backend: Backend, device: str, precision: Precision = "float32") -> bool:
    """Say whether OpenVINO computes where nothing learns.

    backend (str): "torch", "openvino", or "auto" for OpenVINO where it is installed and the
        processor has AVX-512, on which it was measured to be faster, in float32, too.
    device (str): Type of the device, such as "cpu" or "cuda".
    precision (str): "int8" is computed by OpenVINO, whatever the backend is.
    RETURNS (bool): Whether it does.
    RAISES (ValueError): "openvino" on another device than the CPU.
    """
    if precision == "int8":
        return True
    if backend == "openvino" and device != "cpu":
        raise ValueError(
            "backend is 'openvino' in [components.transformer.model], which computes on the CPU, "
            f"but the transformer is on the device {device!r}. Expected 'torch' or 'auto'."
        )
    if backend == "auto":
        has_avx512 = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        return device == "cpu" and has_avx512 and is_installed()
    return backend == "openvino"
