"""`spacy-bertreg.AdamW.v1`: learning rates for a transformer that learns in part."""

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thinc.api import Optimizer
from thinc.schedules import warmup_linear

if TYPE_CHECKING:
    import torch

# Rates that fall to 0 in so many steps stay as they are.
FOREVER = 10**15


def AdamW_v1(
    encoder_rate: float = 0.0001,
    head_rate: float = 0.001,
    total_steps: int | str | None = None,
    warmup_steps: int = 100,
    layer_decay: float = 1.0,
    weight_decay: float = 0.01,
    grad_clip: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> "EncoderOptimizer":
    """AdamW (Loshchilov & Hutter 2019) as is usual for fine-tuning. Rates rise linearly from 0
    over `warmup_steps` and fall linearly to 0 at `total_steps`. A step whose gradient is not finite
    is left out, with a warning. Biases and the weights of layer
    norms do not decay.

    encoder_rate (float): Greatest rate of the transformer's top block, and of its pooler.
    head_rate (float): Greatest rate of everything else: the heads.
    total_steps (int | None): Number of batches, as [training] max_steps. None or 0 where it is
        not known: then rates stay at their greatest. A reference as ${training.max_steps} counts as
        None where spaCy resolves this block alone and leaves it as it stands: in nlp.initialize and
        nlp.resume_training, but not in `spacy train`.
    warmup_steps (int): Number of batches until the greatest rate.
    layer_decay (float): Each block's rate is that of the block above times this; the embeddings
        come below the lowest block. 1 for the same rate everywhere. Needs
        spacy-bertreg.TransformerModel.v1, as numbers of blocks are not known of other models.
    weight_decay (float): Share of a weight that is taken off in a step, times the rate.
    grad_clip (float): Greatest norm of the gradient of all of the transformer's parameters
        together, and of each of the head's; 0 for no limit.
    beta1, beta2, eps (float): Adam's.
    RETURNS (EncoderOptimizer): For [training.optimizer].
    RAISES (ValueError): A number is out of its range.
    """
    if isinstance(total_steps, str) and not total_steps.startswith("${"):
        raise ValueError(
            f"total_steps is {total_steps!r} in [training.optimizer]. Expected a number of batches."
        )
    n_steps = total_steps if isinstance(total_steps, int) else 0
    checks = {
        "encoder_rate": encoder_rate >= 0,
        "head_rate": head_rate > 0,
        "total_steps": n_steps >= 0,
        "warmup_steps": 0 <= warmup_steps <= (n_steps or FOREVER),
        "layer_decay": 0 < layer_decay <= 1,
        "weight_decay": weight_decay >= 0,
        "grad_clip": grad_clip >= 0,
    }
    for name, fits in checks.items():
        if not fits:
            raise ValueError(
                f"{name} is {locals()[name]!r} in [training.optimizer]. Expected rates, "
                "total_steps, weight_decay and grad_clip not below 0, layer_decay above 0 and not "
                "above 1, and warmup_steps between 0 and total_steps."
            )
    return EncoderOptimizer(
        warmup_linear(head_rate, warmup_steps, n_steps or FOREVER),
        encoder_scale=encoder_rate / head_rate,
        layer_decay=layer_decay,
        L2=weight_decay,
        grad_clip=grad_clip,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        use_averages=False,
    )


class EncoderOptimizer(Optimizer):
    """thinc's Adam for the heads, and torch's fused AdamW for the transformer."""

    __slots__ = ("_encoder_scale", "_has_reported", "_layer_decay", "_torch_optimizers")

    def __init__(
        self, learn_rate: Any, *, encoder_scale: float, layer_decay: float, **settings: Any
    ) -> None:
        """learn_rate (float | Iterator[float]): Rate of the heads.
        encoder_scale (float): Rate of the transformer's top block, as a share of it.
        layer_decay (float): Rate of a block, as a share of the rate of the block above.
        **settings: As thinc's Optimizer has them.
        """
        super().__init__(learn_rate, **settings)
        self._encoder_scale = encoder_scale
        self._layer_decay = layer_decay
        self._torch_optimizers: dict[int, torch.optim.AdamW] = {}
        self._has_reported = False

    def __call__(self, key: Any, weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> Any:
        """Update one array of parameters; see thinc's Optimizer."""
        if not math.isfinite(float(gradient.sum())):
            self._report_not_finite()
            # Not times 0, which leaves what is not a number as it is.
            gradient.fill(0.0)
            return weights, gradient
        # Parameters of other torch models, as a stock transformer's, have dotted names.
        scale = self._encoder_scale if "." in key[1] else 1.0
        weight_decay = self.L2
        if weights.ndim < 2:
            self.L2 = 0.0
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale * scale)
        finally:
            self.L2 = weight_decay

    def block_rate(self, block: str | int, n_blocks: int) -> float:
        """block (str | int): A block of the transformer; see `model_blocks.find_blocks`.
        n_blocks (int): Number of its blocks.
        RETURNS (float): The rate of its parameters in the current step.
        """
        below_top = {"embeddings": n_blocks}.get(str(block), 0)
        if isinstance(block, int):
            below_top = n_blocks - 1 - block
        return self.learn_rate * self._encoder_scale * self._layer_decay**below_top

    def step_encoder(
        self,
        key: int,
        parameters: "Mapping[str, torch.nn.Parameter]",
        blocks: Mapping[str, str | int],
        n_blocks: int,
    ) -> None:
        """Update a transformer's parameters by their gradients.

        key (int): Tells one transformer from another.
        parameters (Mapping[str, Parameter]): Those with gradients, by name. Where one is another
            object than in the step before, as after loading other weights, the transformer's moving
            averages begin anew.
        blocks (Mapping[str, str | int]): The block of each.
        n_blocks (int): Number of the transformer's blocks.
        """
        import torch

        if not parameters:
            return
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), self.grad_clip or math.inf)
        if not torch.isfinite(norm):
            self._report_not_finite()
            return
        optimizer = self._torch_optimizers.get(key)
        known_names = _names_and_parameters(optimizer)
        if any(known_names.get(name, own) is not own for name, own in parameters.items()):
            optimizer, known_names = None, {}
        groups: dict[tuple, dict[str, Any]] = {}
        for name in parameters:
            if name in known_names:
                continue
            is_vector = parameters[name].ndim < 2
            new: dict[str, Any] = {
                "params": [],
                "names": [],
                "block": blocks[name],
                "decays": not is_vector,
            }
            group = groups.setdefault((blocks[name], is_vector), new)
            group["params"].append(parameters[name])
            group["names"].append(name)
        if optimizer is None:
            optimizer = torch.optim.AdamW(groups.values(), fused=True)
            self._torch_optimizers[key] = optimizer
        else:
            # Unfrozen since the last step.
            for group in groups.values():
                optimizer.add_param_group(group)
        for group in optimizer.param_groups:
            group["lr"] = self.block_rate(group["block"], n_blocks)
            group["weight_decay"] = self.L2 if group["decays"] else 0.0
            group["betas"], group["eps"] = (self.b1, self.b2), self.eps
        optimizer.step()

    def _report_not_finite(self) -> None:
        if not self._has_reported:
            self._has_reported = True
            warnings.warn(
                "A gradient is not finite, so this step is left out; others like it will not be "
                "reported. Where it happens often, the training has diverged: expected lower rates "
                "in [training.optimizer], or precision = 'float32'.",
                stacklevel=2,
            )


def _names_and_parameters(
    optimizer: "torch.optim.AdamW | None",
) -> "dict[str, torch.nn.Parameter]":
    groups = [] if optimizer is None else optimizer.param_groups
    return {n: p for group in groups for n, p in zip(group["names"], group["params"], strict=True)}
