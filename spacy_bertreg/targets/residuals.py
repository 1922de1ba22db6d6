"""Errors that a model made on its training documents."""

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .scale import MAX_RESIDUALS, TargetScale


class Residuals:
    """Observed minus predicted of the training documents as they were last seen, for each target,
    on the model's scale. The latest replace the earliest.

    n_targets (int): Number of targets.
    most (int): How many to keep of each, such as one for each training document.
    """

    def __init__(self, n_targets: int = 0, most: int = MAX_RESIDUALS) -> None:
        self._columns: list[deque[float]] = [deque(maxlen=most) for _ in range(n_targets)]

    @classmethod
    def of_scale(cls, scale: TargetScale) -> "Residuals":
        """Take up those that a trained pipeline has kept, to train it further."""
        kept = cls(len(scale.targets))
        if scale.residuals:
            pairs = zip(scale.residuals, scale.std, strict=True)
            kept._extend([error / std for error in column] for column, std in pairs)
        return kept

    def add(self, errors: NDArray[np.float64]) -> None:
        """Add those of a batch: shape (documents, targets), NaN where unknown."""
        self._extend(column[~np.isnan(column)].tolist() for column in errors.T)

    def by_target(self) -> list[list[float]]:
        """Get all, for `TargetScale.with_smearing`."""
        return [list(column) for column in self._columns]

    def _extend(self, columns: Iterable[list[float]]) -> None:
        for kept, new in zip(self._columns, columns, strict=True):
            kept.extend(new)
