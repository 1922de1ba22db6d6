"""Linear readout."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Of the standardised features' mean cross product: from hardly any penalty to a strong one.
PENALTIES = 10.0 ** np.arange(-6, 3.01, 0.25)


@dataclass(frozen=True)
class Ridge:
    """Linear regression with a squared penalty on the coefficients of the standardised features
    (Hoerl & Kennard 1970, Technometrics 12:55-67), the penalty chosen for each target by
    generalized cross-validation (Golub, Heath & Wahba 1979, Technometrics 21:215-223).

    coefficients (ndarray): Shape (features, targets), for features as they are.
    intercept (ndarray): Shape (targets,).
    penalty (ndarray): The chosen penalties, as shares of the number of documents.
    """

    coefficients: Floats
    intercept: Floats
    penalty: Floats
    min_documents: ClassVar[int] = 1

    @classmethod
    def fit(
        cls,
        features: Floats,
        targets: Floats,
        folds: NDArray[np.int64] | None = None,
        seed: int = 0,
        weights: Floats | None = None,
        *,
        penalties: Floats = PENALTIES,
    ) -> "Ridge":
        """See `Readout.fit`. folds, seed: Not used.
        penalties (ndarray): To choose from."""
        w = np.ones(len(features)) if weights is None else weights
        columns = [_fit_one(features, target, w, penalties) for target in targets.T]
        return cls(
            np.stack([coefficients for coefficients, _, _ in columns], axis=1),
            np.array([intercept for _, intercept, _ in columns]),
            np.array([penalty for _, _, penalty in columns]),
        )

    @property
    def n_parameters(self) -> int:
        """See `Readout.n_parameters`."""
        return self.coefficients.size + self.intercept.size

    def predict(self, features: Floats) -> Floats:
        """See `Readout.predict`."""
        return features @ self.coefficients + self.intercept

    def contributions(
        self, features: Floats, shares: Floats, documents: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """See `Readout.contributions`."""
        # A feature in which no term has a share is a covariate, or 0.
        beside = np.where(shares.any(axis=0), 0.0, features)
        return beside @ self.coefficients + self.intercept, shares @ self.coefficients

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): The fitted values as lists."""
        return {
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept.tolist(),
            "penalty": self.penalty.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Ridge":
        """data (dict): What `to_dict` gave. RETURNS (Ridge): The same readout."""
        return cls(*(np.array(data[k]) for k in ("coefficients", "intercept", "penalty")))


def _fit_one(
    features: Floats, target: Floats, weights: Floats, penalties: Floats
) -> tuple[Floats, float, float]:
    known = ~np.isnan(target)
    X, y, w = features[known], target[known], weights[known]
    n = len(y)
    mean, center = np.average(X, axis=0, weights=w), np.average(y, weights=w)
    std = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
    std = np.where(std > 1e-12, std, np.inf)  # a constant says nothing
    # Weighted least squares are plain ones of rows that are multiplied by the weights' roots.
    root = np.sqrt(w / w.mean())
    U, s, Vt = np.linalg.svd((X - mean) / std * root[:, None], full_matrices=False)
    y = (y - center) * root
    along = U.T @ y
    rest = max((y**2).sum() - (along**2).sum(), 0.0)
    best, lowest = penalties[-1], np.inf
    for penalty in penalties:
        kept = s**2 / (s**2 + n * penalty)
        # Of the residuals' sum of squares, the part within the features' span and the part outside.
        residual = (((1 - kept) * along) ** 2).sum() + rest
        score = residual / max(n - 1 - kept.sum(), 1e-9) ** 2
        if score < lowest:
            best, lowest = penalty, score
    coefficients = Vt.T @ (s / (s**2 + n * best) * along) / std
    return coefficients, float(center - mean @ coefficients), float(best)
