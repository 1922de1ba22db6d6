"""Sparse linear weights."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .candidates import Occurrences
from .features import Floats

# Share of the penalty that is on the sum of the weights' absolute values, which makes weights zero;
# the rest is on the sum of their squares.
L1_SHARE = 0.5
# Penalties as shares of the one at which all weights are zero, from strong to weak.
PENALTIES = np.geomspace(0.1, 0.001, 10)
# Greatest duality gap, as a share of the target's variance.
TOLERANCE = 1e-3
MAX_ITERATIONS = 5000


class ElasticNet:
    """Linear regression with a penalty on the weights' absolute values and squares (Zou & Hastie
    2005, JRSS B 67:301-320), by SciPy's L-BFGS-B: a weight is the difference of two numbers of 0 or
    more, whose sum is penalised.

    Coordinate descent, as in scikit-learn, is slow here. With its own intercept, each step in a
    sparse column takes as long as in a dense one. With a column of ones, it takes thousands of
    rounds, because the words of texts of similar length sum to a multiple of that column.

    setting (str): What a setting is called.
    n_settings (int): Number of penalties.
    n_threads (int): Number of torch's threads.
    """

    setting = "penalty"
    n_settings = len(PENALTIES)

    def __init__(self) -> None:
        """Look up the number of threads."""
        import torch

        self.n_threads = torch.get_num_threads()

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """Fit the penalties from strong to weak. See `WeightEstimator.fit`.

        RAISES (ImportError): SciPy is not installed.
        """
        try:
            from scipy import optimize, sparse
        except ImportError as error:
            raise ImportError(
                "learn = \"elastic_net\" needs SciPy: pip install 'spacy-bertreg[dictionary]'"
            ) from error
        # A copy, as duplicates are summed in place.
        parts = (occurrences.values, occurrences.candidates.copy(), occurrences.starts.copy())
        n_documents, n_candidates = occurrences.n_documents, len(occurrences.terms)
        by_document = sparse.csr_matrix(parts, (n_documents, n_candidates))
        by_document.sum_duplicates()
        X = by_document.tocsc()
        del parts, by_document
        counts = np.ones(n_documents) if weights is None else weights / weights.mean()
        y = target - np.average(target, weights=weights)
        variance = np.maximum(X.power(2).T @ counts - (X.T @ counts) ** 2 / n_documents, 0)
        variance /= n_documents
        slopes = X.T @ (counts * y) / n_documents
        greatest = np.abs(slopes).max() / L1_SHARE
        term_weights = np.zeros(n_candidates)
        for penalty in PENALTIES[: last + 1]:
            size = max(greatest * penalty, 1e-12)
            l1, l2 = size * L1_SHARE, size * (1 - L1_SHARE)
            # Frequent words have steep columns, rare ones flat. In this unit, all are alike.
            unit = 1 / np.sqrt(variance + l2)
            # Most weights stay zero. The search is among the others, and is repeated as long as
            # there are zeros whose slope is above the penalty (Friedman, Hastie & Tibshirani 2010,
            # Journal of Statistical Software 33(1), section 2.6).
            is_active = (term_weights != 0) | (np.abs(slopes) > l1)
            while is_active.any():
                active = np.flatnonzero(is_active)
                loss = _Loss(X[:, active], y, counts, l1, l2, unit[active])
                found = optimize.minimize(
                    loss,
                    loss.split(term_weights[active]),
                    jac=True,
                    method="L-BFGS-B",
                    bounds=optimize.Bounds(0, np.inf),
                    callback=loss.stop_when_close,
                    options={"maxiter": MAX_ITERATIONS, "ftol": 0.0, "gtol": 1e-12},
                )
                term_weights[active] = loss.join(found.x)
                slopes = l2 * term_weights - X.T @ loss.weigh_errors(term_weights[active])
                is_new = (np.abs(slopes) > l1) & ~is_active
                if not is_new.any() or loss.is_close(term_weights[active], slopes):
                    break
                is_active |= is_new
            yield term_weights.copy()


class _Loss:
    """Half the mean squared error, with the best intercept, and the penalties.

    X (csc_matrix): Documents by candidates.
    y (ndarray): The target, of mean 0.
    counts (ndarray): How much each document counts, 1 in the mean.
    l1, l2 (float): Penalties of the weights' absolute values and halved squares.
    unit (ndarray): Unit of each weight, by which the numbers that are searched for are multiplied.
    """

    def __init__(
        self, X: Any, y: Floats, counts: Floats, l1: float, l2: float, unit: Floats
    ) -> None:
        self._X, self._y, self._counts, self._unit = X, y, counts, unit
        self._l1, self._l2 = l1, l2
        self._gap = np.inf
        self._largest_gap = TOLERANCE * np.average(y**2, weights=counts)

    def split(self, term_weights: Floats) -> Floats:
        """Split weights into their positive and negative parts."""
        scaled = term_weights / self._unit
        return np.concatenate([np.maximum(scaled, 0), np.maximum(-scaled, 0)])

    def join(self, parts: Floats) -> Floats:
        """Make weights of their parts."""
        positive, negative = parts.reshape(2, -1)
        return self._unit * (positive - negative)

    def weigh_errors(self, term_weights: Floats) -> Floats:
        """Compute the errors, with the best intercept, each times its share of the loss."""
        errors = self._y - self._X @ term_weights
        errors -= np.average(errors, weights=self._counts)
        return errors * self._counts / len(errors)

    def __call__(self, parts: Floats) -> tuple[float, Floats]:
        """Compute the loss and its gradient."""
        term_weights = self.join(parts)
        weighted = self.weigh_errors(term_weights)
        slopes = self._l2 * term_weights - self._X.T @ weighted
        sizes = self._l1 * (self._unit @ parts.reshape(2, -1).sum(axis=0))
        loss, self._gap = self._measure(term_weights, weighted, sizes, slopes)
        gradient = np.concatenate(
            [self._unit * (self._l1 + slopes), self._unit * (self._l1 - slopes)]
        )
        return loss, gradient

    def is_close(self, term_weights: Floats, slopes: Floats) -> bool:
        """Tell whether the loss is close to its least value, given the slopes of all weights, those
        that are held at zero included."""
        sizes = self._l1 * np.abs(term_weights).sum()
        _, gap = self._measure(term_weights, self.weigh_errors(term_weights), sizes, slopes)
        return bool(gap <= self._largest_gap)

    def stop_when_close(self, intermediate_result: Any) -> None:
        """Stop the search where the loss is close to its least value."""
        if self._gap <= self._largest_gap:
            raise StopIteration

    def _measure(
        self, term_weights: Floats, weighted: Floats, sizes: float, slopes: Floats
    ) -> tuple[float, float]:
        """Compute the loss and the duality gap, which bounds the distance to the least loss: the
        dual solution is the errors, shrunk until no slope is above the penalty."""
        squares = float(len(weighted) * (weighted / self._counts) @ weighted)
        squares += float(self._l2 * term_weights @ term_weights)
        steepest = np.abs(slopes).max()
        shrunk = 1.0 if steepest <= self._l1 else self._l1 / steepest
        gap = squares * (1 + shrunk**2) / 2 + sizes - shrunk * (weighted @ self._y)
        return squares / 2 + sizes, float(gap)
