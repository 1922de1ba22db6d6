"""Regression losses: one function returns the values and their gradient.

Targets are on the model's scale (`targets/scale.py`). Outputs of zero stand for "no evidence":
their prediction is the training mean, or, for losses of medians, about the median.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# exp of more than this gives an infinite gradient in float32.
LARGEST_LOG = 50.0
# Predicted standard deviations stay between exp(-3.5) = 0.03 and 33, in those of the target.
LARGEST_LOG_VARIANCE = 7.0


class Loss(ABC):
    """Loss of the predictions for a target. To add one, subclass this, and register a function that
    returns it under `@spacy.registry.losses("my_loss.v1")`.

    n_outputs (int): Number of the model's outputs for one target.
    log_link (bool): Whether outputs are logarithms. Then targets must not be negative, and their
        scale is a multiple of the training mean.
    has_std (bool): Whether `spread` is a standard deviation, and not only proportional to one.
    levels (tuple[float, ...]): Levels of the predicted quantiles; empty for none.
    """

    n_outputs: int = 1
    log_link: bool = False
    has_std: bool = False
    levels: tuple[float, ...] = ()

    @abstractmethod
    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value.

        outputs (ndarray): The model's outputs, shape (values, n_outputs).
        gold (ndarray): The observed values, shape (values,).
        RETURNS (tuple[ndarray, ndarray]): Losses, shape (values,), and their gradient with respect
            to `outputs`, shape (values, n_outputs).
        """

    def point(self, outputs: Floats) -> Floats:
        """Get predictions on the model's scale.

        outputs (ndarray): The model's outputs, shape (..., n_outputs).
        RETURNS (ndarray): Predictions, shape (...).
        """
        return outputs[..., 0]

    def spread(self, outputs: Floats) -> Floats | None:
        """Get the expected distance of values from the prediction, relative to other documents.

        outputs (ndarray): The model's outputs, shape (..., n_outputs).
        RETURNS (ndarray | None): Distances on the model's scale, shape (...); None if the loss
            predicts none.
        """
        return None

    def quantiles(self, outputs: Floats) -> Floats | None:
        """Get predicted quantiles.

        outputs (ndarray): The model's outputs, shape (..., n_outputs).
        RETURNS (ndarray | None): Ascending, shape (..., levels); None if the loss predicts none.
        """
        return None


def mean_loss(
    loss: Loss, outputs: Floats, gold: Floats, weights: Floats | None = None
) -> tuple[float, Floats]:
    """Average a loss over the known values.

    loss (Loss): The loss.
    outputs (ndarray): The model's outputs, shape (documents, targets * n_outputs), those of a
        target side by side.
    gold (ndarray): Observed values, shape (documents, targets); NaN where unknown.
    weights (ndarray | None): Weight of each value, shape (documents, targets), with mean 1 over the
        training data. None for 1.
    RETURNS (tuple[float, ndarray]): The sum of weighted losses, divided by the number of known
        values (0 if nothing is known), and its gradient with respect to `outputs`.
    """
    outputs = np.asarray(outputs, dtype=np.float64)
    known = ~np.isnan(gold)
    n_known = max(int(known.sum()), 1)
    by_target = outputs.reshape(*gold.shape, loss.n_outputs)
    values, gradients = loss.each(by_target[known], gold[known])
    chosen = np.ones(len(values)) if weights is None else weights[known]
    gradient = np.zeros_like(by_target)
    gradient[known] = gradients * chosen[:, None] / n_known
    return float(values @ chosen / n_known), gradient.reshape(outputs.shape)


class SquaredLoss(Loss):
    """Squared error, (prediction - observed)²; predicts the mean."""

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        error = outputs - gold[:, None]
        return error[:, 0] ** 2, 2 * error


class AbsoluteLoss(Loss):
    """Absolute error, |prediction - observed|; predicts the median."""

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        error = outputs - gold[:, None]
        return np.abs(error[:, 0]), np.sign(error)


@dataclass(frozen=True)
class HuberLoss(Loss):
    """Half the squared error up to `delta`, and linear beyond (Huber 1964, Annals of Mathematical
    Statistics 35:73-101).

    delta (float): Error from which on the loss is linear, on the model's scale.
    """

    delta: float = 1.0

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        error = outputs - gold[:, None]
        size = np.abs(error[:, 0])
        inside = error[:, 0] ** 2 / 2
        outside = self.delta * (size - self.delta / 2)
        values = np.where(size <= self.delta, inside, outside)
        return values, np.clip(error, -self.delta, self.delta)


class PoissonLoss(Loss):
    """Deviance of a Poisson distribution with a log link: 2 (y log(y / m) - y + m) with
    m = exp(output). For counts and other values of 0 or more; predicts the mean, consistently for
    any variance (Gourieroux, Monfort & Trognon 1984, Econometrica 52:701-720).
    """

    log_link = True

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        logs = np.clip(outputs[:, 0], -LARGEST_LOG, LARGEST_LOG)
        means = np.exp(logs)
        # y log(y) tends to 0 with y.
        entropy = gold * np.log(np.where(gold > 0, gold, 1.0))
        values = 2 * (entropy - gold * logs - gold + means)
        return values, 2 * (means - gold)[:, None]

    def point(self, outputs: Floats) -> Floats:
        """Get predictions on the model's scale."""
        return np.exp(np.clip(outputs[..., 0], -LARGEST_LOG, LARGEST_LOG))

    def spread(self, outputs: Floats) -> Floats:
        """Get the root of the mean, to which a Poisson distribution's standard deviation is
        proportional."""
        return np.sqrt(self.point(outputs))


class GaussianLoss(Loss):
    """Negative log-likelihood of a normal distribution with predicted mean and variance (Nix &
    Weigend 1994, Proceedings of ICNN, 55-60)."""

    n_outputs = 2
    has_std = True

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        bounded = np.tanh(outputs[:, 1] / LARGEST_LOG_VARIANCE)
        log_variance = LARGEST_LOG_VARIANCE * bounded
        error, precision = outputs[:, 0] - gold, np.exp(-log_variance)
        values = (np.log(2 * np.pi) + log_variance + error**2 * precision) / 2
        d_log_variance = (1 - error**2 * precision) / 2 * (1 - bounded**2)
        return values, np.stack([error * precision, d_log_variance], axis=1)

    def spread(self, outputs: Floats) -> Floats:
        """Get the predicted standard deviation."""
        log_variance = LARGEST_LOG_VARIANCE * np.tanh(outputs[..., 1] / LARGEST_LOG_VARIANCE)
        return np.exp(log_variance / 2)


class PinballLoss(Loss):
    """Pinball loss of several quantiles, averaged (Koenker & Bassett 1978, Econometrica 46:33-50).

    Quantiles can't cross: the first output is the lowest quantile, each further one the step to the
    next, made positive by softplus. Outputs of zero are the quantiles of a standard normal
    distribution.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        """Make the loss of some quantiles.

        levels (Sequence[float]): Ascending, between 0 and 1, with 0.5, which is the prediction.
        RAISES (ValueError): They are not ascending, not between 0 and 1, or lack 0.5.
        """
        self.levels = tuple(levels)
        ascending = list(self.levels) == sorted({level for level in levels if 0 < level < 1})
        if not ascending or 0.5 not in self.levels:
            raise ValueError(
                f"quantiles is {list(levels)} in the loss spacy-bertreg.pinball.v1. Expected "
                "ascending numbers between 0 and 1, one of them 0.5, such as [0.05, 0.5, 0.95]."
            )
        self.n_outputs = len(self.levels)
        normal = np.array([NormalDist().inv_cdf(level) for level in self.levels])
        # Where the output is 0, softplus(output + shift) is the normal distribution's step.
        self._lowest, self._shifts = normal[0], np.log(np.expm1(np.diff(normal)))

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """Compute the loss of each value."""
        levels = np.array(self.levels)
        missing = gold[:, None] - self.quantiles(outputs)
        values = np.maximum(levels * missing, (levels - 1) * missing).mean(axis=1)
        d_quantiles = (np.where(missing < 0, 1.0, 0.0) - levels) / len(levels)
        # Each output moves its own quantile and all above it.
        gradient = np.cumsum(d_quantiles[:, ::-1], axis=1)[:, ::-1].copy()
        gradient[:, 1:] *= 1 / (1 + np.exp(-np.clip(outputs[:, 1:] + self._shifts, -700, 700)))
        return values, gradient

    def point(self, outputs: Floats) -> Floats:
        """Get predictions on the model's scale."""
        return self.quantiles(outputs)[..., self.levels.index(0.5)]

    def quantiles(self, outputs: Floats) -> Floats:
        """Get predicted quantiles."""
        lowest = outputs[..., :1] + self._lowest
        steps = np.logaddexp(0, outputs[..., 1:] + self._shifts)
        return np.concatenate([lowest, lowest + np.cumsum(steps, axis=-1)], axis=-1)

    def outputs(self, quantiles: Floats) -> Floats:
        """Get the outputs for given quantiles, which are kept at least 0.001 apart.

        quantiles (ndarray): Ascending, shape (levels,).
        RETURNS (ndarray): Shape (levels,).
        """
        steps = np.maximum(np.diff(quantiles), 1e-3)
        return np.append(quantiles[0] - self._lowest, np.log(np.expm1(steps)) - self._shifts)


def squared_v1() -> Loss:
    """Make the squared error."""
    return SquaredLoss()


def absolute_v1() -> Loss:
    """Make the absolute error."""
    return AbsoluteLoss()


def huber_v1(delta: float = 1.0) -> Loss:
    """Make Huber's loss.

    delta (float): Error from which on the loss is linear, in standard deviations of the target.
    RETURNS (Loss): The loss.
    RAISES (ValueError): `delta` is not positive.
    """
    if not delta > 0:
        raise ValueError(
            f"delta is {delta} in the loss spacy-bertreg.huber.v1. Expected more than 0."
        )
    return HuberLoss(delta)


def poisson_v1() -> Loss:
    """Make the Poisson deviance with a log link."""
    return PoissonLoss()


def gaussian_v1() -> Loss:
    """Make the negative log-likelihood of a normal distribution."""
    return GaussianLoss()


def pinball_v1(quantiles: list[float] = [0.05, 0.5, 0.95]) -> Loss:  # noqa: B006
    """Make the pinball loss of several quantiles.

    quantiles (list[float]): Ascending, between 0 and 1, with 0.5, which is the prediction.
    RETURNS (Loss): The loss.
    RAISES (ValueError): They are not ascending, not between 0 and 1, or lack 0.5.
    """
    return PinballLoss(quantiles)
