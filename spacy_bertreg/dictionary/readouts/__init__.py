"""Readouts: regressions from features to targets."""

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..features import Floats
from .ridge import Ridge
from .trees import GradientBoosting, RandomForest


class Readout(Protocol):
    """What `dictionary_regressor` needs of a readout.

    min_documents (int): Least number of documents with a known target to fit it to.
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
        """Fit a readout for each target, on the documents where it is known.

        features (ndarray): Shape (documents, features).
        targets (ndarray): Shape (documents, targets), NaN where unknown.
        folds (ndarray): For each document, the fold that it belongs to; groups are kept whole.
        seed (int): Seed of everything random.
        weights (ndarray | None): How much each document counts, above 0; None for all the same.
        RETURNS (Readout): The fitted readout.
        """

    @property
    def n_parameters(self) -> int:
        """Get the number of fitted numbers."""

    def predict(self, features: Floats) -> Floats:
        """Predict the targets.

        features (ndarray): Shape (documents, features).
        RETURNS (ndarray): Shape (documents, targets), in the unit of the fitted targets.
        """

    def contributions(
        self, features: Floats, shares: Floats, documents: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Divide the predictions among the matches.

        features (ndarray): Shape (documents, features).
        shares (ndarray): What each match adds to the features, shape (matches, features).
        documents (ndarray): The document of each match.
        RETURNS (tuple[ndarray, ndarray]): The predictions without any term, shape (documents,
            targets), and what each match adds, shape (matches, targets). They sum to the
            prediction.
        """

    def to_dict(self) -> dict[str, Any]:
        """Get the fitted state, of numbers and texts."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Readout":
        """Create the readout from what `to_dict` gave."""


READOUTS: dict[str, type[Readout]] = {
    "ridge": Ridge,
    "random_forest": RandomForest,
    "gradient_boosting": GradientBoosting,
}
