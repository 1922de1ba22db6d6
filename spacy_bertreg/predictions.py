"""What a regressor predicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """Predictions for some documents.

    values (ndarray): In the targets' units, shape (documents, targets).
    scaled (ndarray): On the model's scale, of the same shape.
    spread (ndarray | None): Predicted standard deviations on the model's scale, of the same shape;
        None if the model predicts none.
    quantiles (ndarray | None): Predicted quantiles on the model's scale, ascending, shape
        (documents, targets, levels); None if the model predicts none.
    """

    values: Floats
    scaled: Floats
    spread: Floats | None = None
    quantiles: Floats | None = None
