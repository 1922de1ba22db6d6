"""Readouts: from a document's features to its targets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Weak beside thousands of documents: it only keeps features apart that say the same.
RIDGE_PENALTY = 1.0


@dataclass(frozen=True)
class Ridge:
    """Linear regression with a squared penalty on the coefficients of the standardised features
    (Hoerl & Kennard 1970, Technometrics 12:55-67).

    coefficients (ndarray): Shape (features, targets), for features as they are.
    intercept (ndarray): Shape (targets,).
    """

    coefficients: Floats
    intercept: Floats

    @classmethod
    def fit(cls, features: Floats, targets: Floats, penalty: float = RIDGE_PENALTY) -> "Ridge":
        """features (ndarray): Shape (documents, features).
        targets (ndarray): Shape (documents, targets), NaN where unknown.
        penalty (float): Added to the diagonal of the standardised features' cross product.
        RETURNS (Ridge): The readout, fitted for each target on the documents where it is known.
        """
        columns = [_fit_one(features, target, penalty) for target in targets.T]
        return cls(
            np.stack([coefficients for coefficients, _ in columns], axis=1),
            np.array([intercept for _, intercept in columns]),
        )

    def predict(self, features: Floats) -> Floats:
        """features (ndarray): Shape (documents, features).
        RETURNS (ndarray): Shape (documents, targets), in the unit of the fitted targets.
        """
        return features @ self.coefficients + self.intercept

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): The fitted values as lists."""
        return {
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Ridge":
        """data (dict): What `to_dict` gave. RETURNS (Ridge): The same readout."""
        return cls(np.array(data["coefficients"]), np.array(data["intercept"]))


def _fit_one(features: Floats, target: Floats, penalty: float) -> tuple[Floats, float]:
    known = ~np.isnan(target)
    X, y = features[known], target[known]
    mean = X.mean(axis=0)
    std = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    Z = (X - mean) / std
    gram = Z.T @ Z + penalty * np.eye(Z.shape[1])
    coefficients = np.linalg.solve(gram, Z.T @ (y - y.mean())) / std
    return coefficients, float(y.mean() - mean @ coefficients)
