"""Linear readout."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...training.ridge import PENALTIES, fit_ridge
from ..features import Floats


@dataclass(frozen=True)
class Ridge:
    """Ridge regression; see `fit_ridge`.

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
        """Fit the readout; folds and seed are not used. See `Readout.fit`.

        penalties (ndarray): To choose from.
        """
        w = np.ones(len(features)) if weights is None else weights
        return cls(*fit_ridge(features, targets, w, penalties))

    @property
    def n_parameters(self) -> int:
        """Get the number of coefficients and intercepts."""
        return self.coefficients.size + self.intercept.size

    def predict(self, features: Floats) -> Floats:
        """See `Readout.predict`."""
        return features @ self.coefficients + self.intercept

    def contributions(
        self, features: Floats, shares: Floats, documents: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """See `Readout.contributions`."""
        # A feature in which no term has a share is a covariate, or 0.
        covariates = np.where(shares.any(axis=0), 0.0, features)
        return covariates @ self.coefficients + self.intercept, shares @ self.coefficients

    def to_dict(self) -> dict[str, Any]:
        """Get the fitted values as lists."""
        return {name: values.tolist() for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Ridge":
        """Create the readout from what `to_dict` gave."""
        return cls(**{name: np.array(values) for name, values in data.items()})
