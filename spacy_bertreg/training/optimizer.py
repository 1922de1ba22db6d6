"""`spacy-bertreg.AdamW.v1`: an optimizer with rates for the heads and each block."""

import math
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from thinc.api import Optimizer
from thinc.schedules import warmup_linear

from .freezing import EMBEDDINGS

if TYPE_CHECKING:
    import torch

    from .seen_rows import SeenRows

# Number of steps in which a rate that falls to 0 stays about the same.
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
    """Make AdamW (Loshchilov & Hutter 2019) as is usual for fine-tuning: rates rise linearly from 0
    over `warmup_steps` and fall linearly to 0 at `total_steps`, and biases and layer norms do not
    decay; on a CPU, neither do the embeddings of words that have not occurred in training. Steps
    whose gradient is not finite are left out, with a warning.

    encoder_rate (float): Highest rate of the transformer's top block, and of what lies above it.
    head_rate (float): Highest rate of everything else: the heads.
    total_steps (int | str | None): Number of batches, as [training] max_steps. None or 0 if it is
        not known: rates then stay at their highest. A reference such as ${training.max_steps},
        which spaCy leaves as text in nlp.initialize and nlp.resume_training, counts as None.
    warmup_steps (int): Number of batches until the highest rate.
    layer_decay (float): Rate of a block as a share of the rate of the block above; the embeddings
        come below the lowest block. Needs spacy-bertreg.TransformerModel.v1: blocks of other models
        are not known.
    weight_decay (float): Share of a weight that is taken off in a step, times the rate.
    grad_clip (float): Highest norm of the gradient of all parameters of the transformer together,
        and of each parameter of the heads; 0 for no limit.
    beta1, beta2, eps (float): Settings of Adam.
    RETURNS (EncoderOptimizer): The optimizer for [training.optimizer].
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

    __slots__ = (
        "_encoder_scale",
        "_has_reported",
        "_layer_decay",
        "_seen_rows",
        "_torch_optimizers",
    )

    def __init__(
        self, learn_rate: Any, *, encoder_scale: float, layer_decay: float, **settings: Any
    ) -> None:
        """Make an optimizer.

        learn_rate (Schedule): Rate of the heads.
        encoder_scale (float): Rate of the transformer's top block as a share of it.
        layer_decay (float): Rate of a block as a share of the rate of the block above.
        **settings: Settings of thinc's Optimizer.
        """
        super().__init__(learn_rate, **settings)
        self._encoder_scale = encoder_scale
        self._layer_decay = layer_decay
        self._torch_optimizers: dict[int, torch.optim.AdamW] = {}
        # By the transformer's id and the name of the table.
        self._seen_rows: dict[tuple[int, str], SeenRows] = {}
        self._has_reported = False

    def __call__(self, key: Any, weights: Any, gradient: Any, *, lr_scale: float = 1.0) -> Any:
        """Update one array of parameters; see thinc's Optimizer."""
        if not math.isfinite(float(gradient.sum())):
            self._report_not_finite()
            # NaN times 0 is NaN.
            gradient.fill(0.0)
            return weights, gradient
        # Parameters of torch models, as a stock transformer's, have dotted names.
        scale = self._encoder_scale if "." in key[1] else 1.0
        weight_decay = self.L2
        if weights.ndim < 2:
            self.L2 = 0.0
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale * scale)
        finally:
            self.L2 = weight_decay

    def block_rate(self, block: str | int, n_blocks: int) -> float:
        """Get the rate of a block's parameters in the current step.

        block (str | int): A block of the transformer; see `model_blocks.find_blocks`.
        n_blocks (int): Number of the transformer's blocks.
        RETURNS (float): The rate.
        """
        below_top = n_blocks if block == EMBEDDINGS else 0
        if isinstance(block, int):
            below_top = n_blocks - 1 - block
        return self.learn_rate * self._encoder_scale * self._layer_decay**below_top

    def step_encoder(
        self,
        key: int,
        parameters: "Mapping[str, torch.nn.Parameter]",
        blocks: Mapping[str, str | int],
        n_blocks: int,
        rows: "Mapping[str, torch.Tensor | None]" = MappingProxyType({}),
    ) -> None:
        """Update a transformer's parameters by their gradients.

        key (int): Id of the transformer.
        parameters (Mapping[str, Parameter]): Those with gradients, by name. If one is another
            object than in the step before, as after loading other weights, the transformer's moving
            averages begin anew.
        blocks (Mapping[str, str | int]): Block of each parameter.
        n_blocks (int): Number of the transformer's blocks.
        rows (Mapping[str, Tensor | None]): Of tables with a gradient for few rows, their numbers;
            None for all. Rows that have had no gradient so far stay as they are.
        """
        import torch

        from .seen_rows import SeenRows

        if not parameters:
            return
        tables = []
        for name, numbers in rows.items():
            table = self._seen_rows.get((key, name))
            if table is None or table.table is not parameters[name]:
                table = SeenRows(parameters[name])
                self._seen_rows[key, name] = table
            table.gather(numbers)
            tables.append(table)
            parameters = {**parameters, name: table.part}
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), self.grad_clip or math.inf)
        if not torch.isfinite(norm):
            self._report_not_finite()
            return
        optimizer = self._torch_optimizers.get(key)
        known = _named_parameters(optimizer)
        if any(
            known.get(name, parameter) is not parameter for name, parameter in parameters.items()
        ):
            optimizer, known = None, {}
        groups: dict[tuple, dict[str, Any]] = {}
        for name, parameter in parameters.items():
            if name in known:
                continue
            block, decays = blocks[name], parameter.ndim >= 2
            new: dict[str, Any] = {"params": [], "names": [], "block": block, "decays": decays}
            group = groups.setdefault((block, decays), new)
            group["params"].append(parameter)
            group["names"].append(name)
        if optimizer is None:
            optimizer = torch.optim.AdamW(groups.values(), fused=True)
            self._torch_optimizers[key] = optimizer
        else:
            # Parameters that were unfrozen since the last step.
            for group in groups.values():
                optimizer.add_param_group(group)
        for group in optimizer.param_groups:
            group["lr"] = self.block_rate(group["block"], n_blocks)
            group["weight_decay"] = self.L2 if group["decays"] else 0.0
            group["betas"], group["eps"] = (self.b1, self.b2), self.eps
        for table in tables:
            table.extend_averages(optimizer)
        optimizer.step()
        for table in tables:
            table.scatter()

    def _report_not_finite(self) -> None:
        if not self._has_reported:
            self._has_reported = True
            warnings.warn(
                "A gradient is not finite, so this step is left out; others like it will not be "
                "reported. Where it happens often, the training has diverged: expected lower rates "
                "in [training.optimizer], or precision = 'float32'.",
                stacklevel=2,
            )


def _named_parameters(optimizer: "torch.optim.AdamW | None") -> "dict[str, torch.nn.Parameter]":
    groups = [] if optimizer is None else optimizer.param_groups
    return {n: p for group in groups for n, p in zip(group["names"], group["params"], strict=True)}
