"""From features to targets: what each readout offers, and which there are."""

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .ridge import Ridge
from .trees import GradientBoosting, RandomForest

Floats = NDArray[np.float64]


class Readout(Protocol):
    """What `dictionary_regressor` asks of a readout.

    min_documents (int): How many documents with a known target it takes to fit it.
    """

    min_documents: ClassVar[int]

    @classmethod
    def fit(
        cls,
        features: Floats,
        targets: Floats,
        folds: NDArray[np.int64],
        seed: int,
        weights: Floats | None = None,
    ) -> "Readout":
        """features (ndarray): Shape (documents, features).
        targets (ndarray): Shape (documents, targets), NaN where unknown.
        folds (ndarray): For each document, the fold that it belongs to; groups are kept whole.
        seed (int): Of everything random.
        weights (ndarray | None): How much each document counts, above 0; None for all the same.
        RETURNS (Readout): Fitted for each target on the documents where it is known.
        """

    @property
    def n_parameters(self) -> int:
        """RETURNS (int): How many numbers were fitted."""

    def predict(self, features: Floats) -> Floats:
        """features (ndarray): Shape (documents, features).
        RETURNS (ndarray): Shape (documents, targets), in the unit of the fitted targets.
        """

    def contributions(
        self, features: Floats, shares: Floats, documents: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """features (ndarray): Shape (documents, features). shares (ndarray): What each match adds
            to them, shape (matches, features). documents (ndarray): The document of each match.
        RETURNS (tuple[ndarray, ndarray]): What a prediction is without any term, shape (documents,
            targets), and what each match adds to it, shape (matches, targets). They sum to the
            prediction.
        """

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): The fitted state, of numbers and texts."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Readout":
        """data (dict): What `to_dict` gave. RETURNS (Readout): The same readout."""


READOUTS: dict[str, type[Readout]] = {
    "ridge": Ridge,
    "random_forest": RandomForest,
    "gradient_boosting": GradientBoosting,
}
