"""Starting values of a linear head for each loss: a linear regression, and offsets of the outputs
that suit the loss.

For another loss of several outputs, register a function with `working_response` and one with
`starting_offsets`.
"""

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from .losses import (
    LARGEST_LOG_VARIANCE,
    AbsoluteLoss,
    GaussianLoss,
    Loss,
    PinballLoss,
    PoissonLoss,
    SquaredLoss,
)

Floats = NDArray[np.float64]

# Smallest standard deviation of the residuals, in standard deviations of the target.
SMALLEST = 1e-3


def is_exact(loss: Loss) -> bool:
    """Tell whether linear regression is the best that a linear head can learn with a loss."""
    return type(loss) is SquaredLoss


@singledispatch
def working_response(loss: Loss, gold: Floats) -> Floats | None:
    """Get the values that a head's first output is fitted to.

    loss (Loss): The loss.
    gold (ndarray): Observed values on the model's scale.
    RETURNS (ndarray | None): Values of the same shape; None for a loss that may not predict by its
        first output.
    """
    return gold if loss.n_outputs == 1 and not loss.log_link else None


@working_response.register
def _(loss: PoissonLoss, gold: Floats) -> Floats:
    # A logarithm for counts that may be 0. Gold is divided by its mean, so the mean maps to 0.
    return np.log((1 + gold) / 2)


@working_response.register(GaussianLoss)
@working_response.register(PinballLoss)
def _(loss: Loss, gold: Floats) -> Floats:
    return gold


@singledispatch
def starting_offsets(loss: Loss, gold: Floats, fitted: Floats, weights: Floats) -> Floats:
    """Get the constants to add to the outputs (fitted, 0, 0, ...) of all documents.

    loss (Loss): The loss.
    gold (ndarray): Observed values on the model's scale, shape (documents,).
    fitted (ndarray): The regression's values for `working_response`, shape (documents,).
    weights (ndarray): How much each document counts, above 0.
    RETURNS (ndarray): Shape (n_outputs,).
    """
    return np.zeros(loss.n_outputs)


@starting_offsets.register
def _(loss: AbsoluteLoss, gold: Floats, fitted: Floats, weights: Floats) -> Floats:
    return _quantiles(gold - fitted, [0.5], weights)


@starting_offsets.register
def _(loss: PoissonLoss, gold: Floats, fitted: Floats, weights: Floats) -> Floats:
    # Makes the mean of the predictions that of the observed values.
    observed, predicted = weights @ gold, weights @ loss.point(fitted[:, None])
    return np.array([np.log(max(float(observed), 1e-9) / float(predicted))])


@starting_offsets.register
def _(loss: GaussianLoss, gold: Floats, fitted: Floats, weights: Floats) -> Floats:
    variance = max(float(np.average((gold - fitted) ** 2, weights=weights)), SMALLEST**2)
    bounded = np.clip(np.log(variance) / LARGEST_LOG_VARIANCE, -0.99, 0.99)
    return np.array([0.0, LARGEST_LOG_VARIANCE * np.arctanh(bounded)])


@starting_offsets.register
def _(loss: PinballLoss, gold: Floats, fitted: Floats, weights: Floats) -> Floats:
    return loss.outputs(_quantiles(gold - fitted, loss.levels, weights))


def _quantiles(values: Floats, levels: object, weights: Floats) -> Floats:
    return np.quantile(values, levels, weights=weights, method="inverted_cdf")  # type: ignore
