"""Weights stored in half of their size."""

from io import BytesIO

import torch
from torch import nn


def round_weights(model: nn.Module) -> None:
    """Round a model's matrices to the nearest numbers that bfloat16 has; they stay in float32."""
    for tensor in model.state_dict().values():
        if is_matrix(tensor):
            tensor.copy_(tensor.bfloat16())


def store_in_bfloat16(state: bytes) -> bytes:
    """Convert the matrices of saved weights to bfloat16. `load_state_dict` converts them back to
    the model's type, so they load like others.

    state (bytes): A state dict, as `torch.save` writes it.
    RETURNS (bytes): The converted state dict. Biases and the weights of layer norms stay as they
        are: they are a hundredth of the size.
    """
    tensors = torch.load(BytesIO(state), map_location="cpu", weights_only=True)
    halved = {n: t.bfloat16() if is_matrix(t) else t for n, t in tensors.items()}
    file_ = BytesIO()
    torch.save(halved, file_)
    return file_.getvalue()


def is_matrix(tensor: torch.Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.dim() > 1
