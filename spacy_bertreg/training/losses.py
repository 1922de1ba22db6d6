"""Losses: one function gives the value and its gradient.

A loss sees each target on the model's scale (`target_scale.py`). Outputs of zero stand for "no
evidence": the prediction that they make is the training mean there, or its like.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# exp of more than this would end as an infinite gradient in 32 bits.
LARGEST_LOG = 50.0
# The predicted standard deviation stays between exp(-3.5) = 0.03 and 33 of the target's own.
LARGEST_LOG_VARIANCE = 7.0


class Loss(ABC):
    """What a target's prediction is measured by. To add one, subclass this, and register a
    function that returns it under `@spacy.registry.losses("my_loss.v1")`.

    n_outputs (int): How many outputs of the model it takes to predict one target.
    log_link (bool): Whether outputs are logarithms. Then targets must not be negative, and their
        scale is a multiple of the training mean.
    has_std (bool): Whether `spread` is a standard deviation, and not only proportional to one.
    levels (tuple[float, ...]): Of the quantiles that it predicts; empty for none.
    """

    n_outputs: int = 1
    log_link: bool = False
    has_std: bool = False
    levels: tuple[float, ...] = ()

    @abstractmethod
    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """outputs (ndarray): The model's, shape (values, n_outputs).
        gold (ndarray): The observed values, shape (values,).
        RETURNS (tuple[ndarray, ndarray]): The loss of each value, shape (values,), and its gradient
            with respect to `outputs`, of their shape.
        """

    def point(self, outputs: Floats) -> Floats:
        """outputs (ndarray): The model's, shape (..., n_outputs).
        RETURNS (ndarray): Predictions on the model's scale, shape (...)."""
        return outputs[..., 0]

    def spread(self, outputs: Floats) -> Floats | None:
        """outputs (ndarray): The model's, shape (..., n_outputs).
        RETURNS (ndarray | None): How far values are expected to lie from the prediction, relative
            to other documents, on the model's scale, shape (...); None if the loss predicts none.
        """
        return None

    def quantiles(self, outputs: Floats) -> Floats | None:
        """outputs (ndarray): The model's, shape (..., n_outputs).
        RETURNS (ndarray | None): Predicted quantiles, ascending, shape (..., levels); None if the
            loss predicts none."""
        return None


def mean_loss(
    loss: Loss, outputs: Floats, gold: Floats, weights: Floats | None = None
) -> tuple[float, Floats]:
    """Mean of a loss over the known values.

    loss (Loss): The loss.
    outputs (ndarray): The model's, shape (documents, targets * n_outputs), a target's side by side.
    gold (ndarray): Shape (documents, targets), NaN where unknown: no part of the mean, and
        gradient 0.
    weights (ndarray | None): How much each value counts, of the shape of `gold`, 1 in the mean over
        the training data. None for 1.
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
    """(prediction - observed)²: predicts the mean."""

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        error = outputs - gold[:, None]
        return error[:, 0] ** 2, 2 * error


class AbsoluteLoss(Loss):
    """|prediction - observed|: predicts the median."""

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        error = outputs - gold[:, None]
        return np.abs(error[:, 0]), np.sign(error)


@dataclass(frozen=True)
class HuberLoss(Loss):
    """Half the squared error up to `delta`, and linear beyond (Huber 1964, Annals of Mathematical
    Statistics 35:73-101).

    delta (float): Where it becomes linear, on the model's scale: in standard deviations of a
        standardised target.
    """

    delta: float = 1.0

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        error = outputs - gold[:, None]
        size = np.abs(error[:, 0])
        inside = error[:, 0] ** 2 / 2
        outside = self.delta * (size - self.delta / 2)
        values = np.where(size <= self.delta, inside, outside)
        return values, np.clip(error, -self.delta, self.delta)


class PoissonLoss(Loss):
    """Deviance of a Poisson distribution with a log link: 2 (y log(y / m) - y + m), where m is
    exp(output). For counts and other values of 0 or more; predicts the mean, consistently even if
    the variance is another (Gourieroux, Monfort & Trognon 1984, Econometrica 52:701-720).
    """

    log_link = True

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        logs = np.clip(outputs[:, 0], -LARGEST_LOG, LARGEST_LOG)
        means = np.exp(logs)
        # y log(y) tends to 0 with y.
        entropy = gold * np.log(np.where(gold > 0, gold, 1.0))
        values = 2 * (entropy - gold * logs - gold + means)
        return values, 2 * (means - gold)[:, None]

    def point(self, outputs: Floats) -> Floats:
        """See `Loss.point`."""
        return np.exp(np.clip(outputs[..., 0], -LARGEST_LOG, LARGEST_LOG))

    def spread(self, outputs: Floats) -> Floats:
        """See `Loss.spread`. The root of the mean, to which a Poisson distribution's standard
        deviation is proportional."""
        return np.sqrt(self.point(outputs))


class GaussianLoss(Loss):
    """Negative log-likelihood of a normal distribution, of which mean and variance are predicted
    (Nix & Weigend 1994, Proceedings of ICNN, 55-60)."""

    n_outputs = 2
    has_std = True

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        bounded = np.tanh(outputs[:, 1] / LARGEST_LOG_VARIANCE)
        log_variance = LARGEST_LOG_VARIANCE * bounded
        error, precision = outputs[:, 0] - gold, np.exp(-log_variance)
        values = (np.log(2 * np.pi) + log_variance + error**2 * precision) / 2
        d_log_variance = (1 - error**2 * precision) / 2 * (1 - bounded**2)
        return values, np.stack([error * precision, d_log_variance], axis=1)

    def spread(self, outputs: Floats) -> Floats:
        """See `Loss.spread`."""
        log_variance = LARGEST_LOG_VARIANCE * np.tanh(outputs[..., 1] / LARGEST_LOG_VARIANCE)
        return np.exp(log_variance / 2)


class PinballLoss(Loss):
    """Pinball loss (Koenker & Bassett 1978, Econometrica 46:33-50) of several quantiles, in the
    mean over them. They can't cross: the first output is the lowest quantile, and each further one
    the step to the next, made positive by softplus. Outputs of zero are the quantiles of a standard
    normal distribution.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        """levels (Sequence[float]): Ascending, between 0 and 1, with 0.5: the prediction.
        RAISES (ValueError): They aren't."""
        self.levels = tuple(levels)
        ascending = list(self.levels) == sorted({level for level in levels if 0 < level < 1})
        if not ascending or 0.5 not in self.levels:
            raise ValueError(
                f"quantiles is {list(levels)} in the loss spacy-bertreg.pinball.v1. Expected "
                "ascending numbers between 0 and 1, one of them 0.5, as [0.05, 0.5, 0.95]."
            )
        self.n_outputs = len(self.levels)
        normal = np.array([NormalDist().inv_cdf(level) for level in self.levels])
        # softplus(output + shift) is the normal distribution's step where the output is 0.
        self._lowest, self._shifts = normal[0], np.log(np.expm1(np.diff(normal)))

    def each(self, outputs: Floats, gold: Floats) -> tuple[Floats, Floats]:
        """See `Loss.each`."""
        levels = np.array(self.levels)
        missing = gold[:, None] - self.quantiles(outputs)
        values = np.maximum(levels * missing, (levels - 1) * missing).mean(axis=1)
        d_quantiles = (np.where(missing < 0, 1.0, 0.0) - levels) / len(levels)
        # Each output moves its own quantile and all above it.
        gradient = np.cumsum(d_quantiles[:, ::-1], axis=1)[:, ::-1].copy()
        gradient[:, 1:] *= 1 / (1 + np.exp(-np.clip(outputs[:, 1:] + self._shifts, -700, 700)))
        return values, gradient

    def point(self, outputs: Floats) -> Floats:
        """See `Loss.point`."""
        return self.quantiles(outputs)[..., self.levels.index(0.5)]

    def quantiles(self, outputs: Floats) -> Floats:
        """See `Loss.quantiles`."""
        lowest = outputs[..., :1] + self._lowest
        steps = np.logaddexp(0, outputs[..., 1:] + self._shifts)
        return np.concatenate([lowest, lowest + np.cumsum(steps, axis=-1)], axis=-1)


def squared_v1() -> Loss:
    """RETURNS (Loss): Squared error."""
    return SquaredLoss()


def absolute_v1() -> Loss:
    """RETURNS (Loss): Absolute error."""
    return AbsoluteLoss()


def huber_v1(delta: float = 1.0) -> Loss:
    """delta (float): Where the loss becomes linear, in the target's standard deviations.
    RETURNS (Loss): Huber's loss.
    RAISES (ValueError): `delta` is not positive."""
    if not delta > 0:
        raise ValueError(
            f"delta is {delta} in the loss spacy-bertreg.huber.v1. Expected more than 0."
        )
    return HuberLoss(delta)


def poisson_v1() -> Loss:
    """RETURNS (Loss): Poisson deviance with a log link."""
    return PoissonLoss()


def gaussian_v1() -> Loss:
    """RETURNS (Loss): Negative log-likelihood of a normal distribution."""
    return GaussianLoss()


def pinball_v1(quantiles: list[float] = [0.05, 0.5, 0.95]) -> Loss:  # noqa: B006
    """quantiles (list[float]): Levels, ascending, one of them 0.5, which is the prediction.
    RETURNS (Loss): Pinball loss of them all."""
    return PinballLoss(quantiles)
