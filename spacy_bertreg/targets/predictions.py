"""Predictions of a regressor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """Predictions for some documents.

    values (ndarray): In the targets' units, shape (documents, targets).
    scaled (ndarray): On the model's scale, of the same shape.
    spread (ndarray | None): Expected distance of values from the prediction, on the model's scale,
        of the same shape; None if the model predicts none. See `Loss.spread`.
    quantiles (ndarray | None): Predicted quantiles on the model's scale, ascending, shape
        (documents, targets, levels); None if the model predicts none.
    """

    values: Floats
    scaled: Floats
    spread: Floats | None = None
    quantiles: Floats | None = None

    @classmethod
    def concatenate(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """Join predictions of one model, at least one, for different documents."""
        columns: dict[str, Any] = {}
        for name, array in vars(parts[0]).items():
            arrays = [vars(part)[name] for part in parts]
            columns[name] = None if array is None else np.concatenate(arrays)
        return cls(**columns)

    def select(self, rows: NDArray[np.bool_]) -> "Predictions":
        """Take the documents for which `rows`, shape (documents,), is true."""
        columns: dict[str, Any] = {n: None if a is None else a[rows] for n, a in vars(self).items()}
        return Predictions(**columns)
