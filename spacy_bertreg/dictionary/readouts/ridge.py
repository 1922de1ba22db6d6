"""Linear readout. scikit-learn's is not in the base install, chooses the penalty by leaving one out
and takes five times as long."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..features import Floats

# As shares of the number of documents: from hardly any penalty to a strong one.
PENALTIES = 10.0 ** np.arange(-6, 3.01, 0.25)


@dataclass(frozen=True)
class Ridge:
    """Linear regression with a squared penalty on the coefficients of the standardized features
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
        """Fit the readout; folds and seed are not used. See `Readout.fit`.

        penalties (ndarray): To choose from.
        """
        w = np.ones(len(features)) if weights is None else weights
        fits = [_fit_target(features, target, w, penalties) for target in targets.T]
        coefficients, intercepts, chosen = zip(*fits, strict=True)
        return cls(np.stack(coefficients, axis=1), np.array(intercepts), np.array(chosen))

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


def _fit_target(
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
    # The residuals' sum of squares has a part outside the features' span and a part within.
    outside = max((y**2).sum() - (along**2).sum(), 0.0)
    kept = s**2 / (s**2 + n * penalties[:, None])
    residuals = (((1 - kept) * along) ** 2).sum(axis=1) + outside
    criterion = residuals / np.maximum(n - 1 - kept.sum(axis=1), 1e-9) ** 2
    best = penalties[np.argmin(criterion)]
    coefficients = Vt.T @ (s / (s**2 + n * best) * along) / std
    return coefficients, float(center - mean @ coefficients), float(best)
