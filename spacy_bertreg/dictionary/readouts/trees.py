"""Readouts of many trees, by LightGBM. Its models are texts: loading one runs no code."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..features import Floats

SHARED = {
    "objective": "regression",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    # More threads are no faster with so few features, and much slower where others use the cores.
    "num_threads": 1,
}
MIN_DOCUMENTS_IN_LEAF = 20
MAX_ROUNDS = 500


@dataclass(frozen=True)
class Trees:
    """One ensemble of trees for each target.

    models (tuple[str, ...]): LightGBM's texts.
    centers (tuple[float, ...]): The targets' means. The trees predict the difference from them:
        LightGBM itself adds a forest's mean only to those trees that found a split.
    """

    models: tuple[str, ...]
    centers: tuple[float, ...]
    settings: ClassVar[dict[str, Any]]
    min_documents: ClassVar[int] = 5

    @classmethod
    def fit(
        cls,
        features: Floats,
        targets: Floats,
        folds: NDArray[np.int64],
        seed: int,
        weights: Floats | None = None,
    ) -> "Trees":
        """Fit the trees. See `Readout.fit`.

        RAISES (ImportError): LightGBM is not installed.
        """
        lightgbm = _lightgbm()
        models, centers = [], []
        for target in targets.T:
            known = ~np.isnan(target)
            weight = None if weights is None else weights[known]
            center = float(np.average(target[known], weights=weight))
            data = lightgbm.Dataset(
                features[known], target[known] - center, weight=weight, free_raw_data=False
            )
            n_known = int(known.sum())
            # With few documents, a leaf holds at least a tenth of them.
            smallest = max(min(MIN_DOCUMENTS_IN_LEAF, n_known // 10), 1)
            settings = {**SHARED, **cls.settings, "seed": seed, "min_data_in_leaf": smallest}
            rounds = cls._rounds(data, folds[known], settings)
            models.append(lightgbm.train(settings, data, rounds).model_to_string())
            centers.append(center)
        return cls(tuple(models), tuple(centers))

    @classmethod
    def _rounds(cls, data: Any, folds: NDArray[np.int64], settings: dict[str, Any]) -> int:
        return MAX_ROUNDS

    @property
    def n_parameters(self) -> int:
        """Count the parameters: a tree of n leaves has n values and n - 1 thresholds."""
        leaves = [int(n) for m in self.models for n in re.findall(r"^num_leaves=(\d+)", m, re.M)]
        return sum(2 * n - 1 for n in leaves)

    @cached_property
    def _boosters(self) -> list[Any]:
        lightgbm = _lightgbm()
        return [lightgbm.Booster(model_str=model) for model in self.models]

    def predict(self, features: Floats) -> Floats:
        """See `Readout.predict`."""
        return self._predict(features) + np.array(self.centers)

    def _predict(self, features: Floats, **kwargs: Any) -> Floats:
        if not len(features):
            return np.zeros((0, len(self.models)))
        # One thread: more would hang in a process that was forked from another.
        columns = [b.predict(features, num_threads=1, **kwargs) for b in self._boosters]
        return np.stack(columns, axis=-1)

    def shapley(self, features: Floats) -> Floats:
        """Compute exact Shapley values of the features (Lundberg et al. 2020, Nature Machine
        Intelligence 2:56-67).

        features (ndarray): Shape (documents, features).
        RETURNS (ndarray): Shape (documents, features + 1, targets), last the mean prediction. They
            sum to the prediction.
        """
        values = self._predict(features, pred_contrib=True)
        if self.settings["boosting"] == "rf":
            # LightGBM sums the values of a forest's trees, but averages their predictions.
            values = values / np.array([booster.num_trees() for booster in self._boosters])
        values[:, -1] += np.array(self.centers)
        return values

    def contributions(
        self, features: Floats, shares: Floats, documents: NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        """Divide each feature's Shapley value among the terms, by the size of their shares in the
        feature. A feature in which no term has a share counts for no term. See
        `Readout.contributions`."""
        if not len(features):
            return np.zeros((0, len(self.models))), np.zeros((0, len(self.models)))
        values = self.shapley(features)
        base, values = values[:, -1], values[:, :-1]
        sizes = np.abs(shares)
        totals = np.zeros_like(features)
        np.add.at(totals, documents, sizes)
        base = base + np.where(totals[..., None] > 0, 0.0, values).sum(axis=1)
        parts = np.divide(
            sizes, totals[documents], out=np.zeros_like(sizes), where=totals[documents] > 0
        )
        return base, np.einsum("mf,mft->mt", parts, values[documents])

    def to_dict(self) -> dict[str, Any]:
        """Get the models as texts, and the targets' means."""
        return {"models": list(self.models), "centers": list(self.centers)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Trees":
        """Create the readout from what `to_dict` gave."""
        return cls(tuple(data["models"]), tuple(data["centers"]))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.models, self.centers)


class RandomForest(Trees):
    """A random forest (Breiman 2001, Machine Learning 45:5-32): 500 trees, each on 63 % of the
    documents and a half of the features."""

    settings: ClassVar[dict[str, Any]] = {
        "boosting": "rf",
        "bagging_fraction": 0.632,
        "bagging_freq": 1,
        "feature_fraction": 0.5,
        "num_leaves": 63,
    }


class GradientBoosting(Trees):
    """Boosted trees (Friedman 2001, Annals of Statistics 29:1189-1232). Their number, at most 500,
    is chosen by cross-validation on the training documents."""

    settings: ClassVar[dict[str, Any]] = {
        "boosting": "gbdt",
        "learning_rate": 0.03,
        "num_leaves": 8,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.632,
        "bagging_freq": 1,
    }

    @classmethod
    def _rounds(cls, data: Any, folds: NDArray[np.int64], settings: dict[str, Any]) -> int:
        rows = np.arange(len(folds))
        splits = [(rows[folds != fold], rows[folds == fold]) for fold in np.unique(folds)]
        splits = [(a, b) for a, b in splits if len(a) and len(b)]
        if not splits:
            return MAX_ROUNDS // 5
        history = _lightgbm().cv(settings, data, MAX_ROUNDS, folds=splits)
        return int(np.argmin(history["valid l2-mean"])) + 1


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise ImportError(
            "The readouts random_forest and gradient_boosting need LightGBM: "
            "pip install 'spacy-bertreg[dictionary]'"
        ) from error
    return lightgbm
