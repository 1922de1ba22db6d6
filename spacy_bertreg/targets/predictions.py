"""What a regressor predicts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """Predictions for some documents.

    values (ndarray): In the targets' units, shape (documents, targets).
    scaled (ndarray): On the model's scale, of the same shape.
    spread (ndarray | None): How far values are expected to lie from the prediction, on the model's
        scale, of the same shape; None if the model predicts none. See `Loss.spread`.
    quantiles (ndarray | None): Predicted quantiles on the model's scale, ascending, shape
        (documents, targets, levels); None if the model predicts none.
    """

    values: Floats
    scaled: Floats
    spread: Floats | None = None
    quantiles: Floats | None = None

    @classmethod
    def concatenate(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """parts (Sequence[Predictions]): Of one model, at least one.
        RETURNS (Predictions): Of all their documents."""
        columns: dict[str, Any] = {}
        for field in fields(cls):
            arrays = [getattr(part, field.name) for part in parts]
            columns[field.name] = None if arrays[0] is None else np.concatenate(arrays)
        return cls(**columns)

    def select(self, rows: NDArray[np.bool_]) -> "Predictions":
        """rows (ndarray): For each document, whether to take it.
        RETURNS (Predictions): Of these documents."""
        columns: dict[str, Any] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            columns[field.name] = None if values is None else values[rows]
        return Predictions(**columns)
