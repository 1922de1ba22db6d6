"""Regressions as moment equations, with true values in place of predicted ones where known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import Floats

FAMILIES = ("linear", "logistic")
MOST_STEPS = 100
TOLERANCE = 1e-9
# If covariates separate the outcome, the documents that could tell some combination of coefficients
# have nearly certain outcomes, with a mean variance p (1 - p) below this.
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Regression:
    """A regression on documents of which some are coded.

    terms (list[str]): Names of the k coefficients.
    X (ndarray): Covariates with predictions in place of the predicted variable, shape (n, k).
    y (ndarray): The outcome, likewise, shape (n,).
    X_coded (ndarray), y_coded (ndarray): The same for the coded documents, with coded values,
        shapes (n_coded, k) and (n_coded,).
    coded (ndarray): Positions of the coded documents, in their order, shape (n_coded,).
    weights (ndarray): Weights of the coded documents: 1 / sampling probability, scaled to sum to n,
        shape (n_coded,).
    clusters (ndarray | None): Number of each document's cluster, shape (n,); None for none.
    family (str): "linear", or "logistic" for an outcome between 0 and 1.
    """

    terms: list[str]
    X: Floats
    y: Floats
    X_coded: Floats
    y_coded: Floats
    coded: NDArray[np.int64]
    weights: Floats
    clusters: NDArray[np.int64] | None = None
    family: str = "linear"

    @property
    def n(self) -> int:
        """Number of documents."""
        return len(self.y)

    @property
    def n_coded(self) -> int:
        """Number of coded documents."""
        return len(self.y_coded)

    def moments(self, theta: Floats) -> tuple[Floats, Floats]:
        """Compute x (y - E[y | x]) of each document, with predictions, and with what was coded.

        theta (ndarray): Coefficients, shape (k,).
        RETURNS (tuple[ndarray, ndarray]): Shapes (n, k) and (n_coded, k).
        """
        predicted = self.X * (self.y - self._mean(self.X @ theta))[:, None]
        coded = self.X_coded * (self.y_coded - self._mean(self.X_coded @ theta))[:, None]
        return predicted, coded

    def jacobians(self, theta: Floats, power: float) -> Floats:
        """Compute minus the derivative of `total`, shape (k, k)."""
        rest = np.full(self.n, power)
        rest[self.coded] -= power * self.weights
        slope = rest * self._slope(self.X @ theta)
        slope_coded = self.weights * self._slope(self.X_coded @ theta)
        return (self.X.T * slope) @ self.X + (self.X_coded.T * slope_coded) @ self.X_coded

    def total(self, theta: Floats, power: float) -> Floats:
        """Compute the sum of the moments over all documents, estimated by the weighted sum over the
        coded ones, plus `power` times what this estimate misses of the predictions' moments.

        theta (ndarray): Coefficients, shape (k,).
        power (float): How much predictions count: 0 for not at all.
        RETURNS (ndarray): Shape (k,).
        """
        predicted, coded = self.moments(theta)
        rectified = coded - power * predicted[self.coded]
        return power * predicted.sum(axis=0) + self.weights @ rectified

    def influences(self, theta: Floats, power: float) -> tuple[Floats, Floats]:
        """Compute what each document adds to `total`, with weights that were scaled to sum to n.

        The scaling makes `total` a ratio estimator, of which this is the linearisation (Särndal,
        Swensson & Wretman 1992, Model Assisted Survey Sampling, 5.7). For a simple random sample,
        this amounts to a fixed number of coded documents.

        RETURNS (tuple[ndarray, ndarray]): The influences, shape (n, k), and the part of them that
            is due to the sample, shape (n_coded, k).
        """
        predicted, coded = self.moments(theta)
        rectified = coded - power * predicted[self.coded]
        mean = self.weights @ rectified / self.weights.sum()
        sampled = self.weights[:, None] * (rectified - mean)
        influences = power * predicted + mean
        influences[self.coded] += sampled
        return influences, sampled

    def solve(self, power: float, start: Floats | None = None) -> Floats:
        """Find the coefficients at which `total` is 0, by Newton's method with shorter steps where
        a full one would lead away.

        power (float): See `total`.
        start (ndarray | None): Where to begin; None for zeros.
        RETURNS (ndarray): The coefficients, shape (k,).
        RAISES (ValueError): There is no solution, or it was not found.
        """
        theta = np.zeros(self.X.shape[1]) if start is None else start.copy()
        # Scaled, so that the tolerance is the same for columns of any unit, such as years.
        unit = np.sqrt((self.X**2).mean(axis=0))
        unit[unit == 0] = 1.0
        total = self.total(theta, power) / unit / self.n
        scale = max(float(np.abs(self.y_coded).max()), 1e-12)
        for _ in range(MOST_STEPS):
            if np.abs(total).max() <= TOLERANCE * scale:
                if power == 0 and self._is_separated(theta):
                    break
                return theta
            jacobian = self.jacobians(theta, power) / unit / unit[:, None] / self.n
            try:
                step = np.linalg.solve(jacobian, total) / unit
            except np.linalg.LinAlgError:
                break
            for halving in range(12):
                new = theta + step / 2**halving
                new_total = self.total(new, power) / unit / self.n
                if np.abs(new_total).max() < np.abs(total).max():
                    break
            else:
                break
            theta, total = new, new_total
        raise ValueError(
            "The regression has no solution, or it was not found: with the coded documents at "
            "hand, covariates separate the outcome or depend on each other. Expected fewer terms, "
            "or more coded documents."
        )

    def _is_separated(self, theta: Floats) -> bool:
        """Tell whether covariates separate an outcome of 0 or 1, so that some combination of them
        would have an infinite coefficient."""
        if self.family == "linear":
            return False
        squares = (self.X_coded.T * self.weights) @ self.X_coded
        shares = np.linalg.eigvals(np.linalg.solve(squares, self.jacobians(theta, 0.0)))
        return bool(shares.real.min() < LEAST_VARIANCE)

    def _mean(self, linear: Floats) -> Floats:
        if self.family == "linear":
            return linear
        return 1 / (1 + np.exp(-np.clip(linear, -500, 500)))

    def _slope(self, linear: Floats) -> Floats:
        if self.family == "linear":
            return np.ones_like(linear)
        mean = self._mean(linear)
        return mean * (1 - mean)
