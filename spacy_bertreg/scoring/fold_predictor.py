"""Predicting for texts with all models of a cross-validation, with CV+ intervals."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..comparison.crossval_files import ABOUT, PREDICTIONS, is_crossval
from ..comparison.fold_intervals import FoldModels
from ..data.files import hash_file
from ..evaluation.metrics import Floats
from ..targets.intervals import check_level
from .predictor import PredictedRows, Predictor, PredictorSettings

LEVEL = 0.9


class FoldPredictor:
    """Predicts for texts with the models of a cross-validation's first repeat, all in memory.

    models (FoldModels): The models.
    predictors (Sequence[Predictor]): One with each of them.
    level (float): The share of new values that intervals are to hold.

    Attributes:
    model (str), batch_size (int), covariates (list[str]): See `Predictor`.
    columns (list[str]): For each target `{key}_predicted`, the mean of the models' predictions, and
        the ends of its CV+ interval, `{key}_low` and `{key}_high`.
    """

    def __init__(self, models: FoldModels, predictors: Sequence[Predictor], level: float) -> None:
        """Prepare the intervals.

        RAISES (ValueError): The level is out of range, there are too few documents for it, or
            models predict different targets.
        """
        self._models, self._predictors = models, predictors
        first = predictors[0]
        self.model: str | None = models.name
        self.level: float | None = level
        self.batch_size, self.covariates = first.batch_size, first.covariates
        for path, other in zip(models.paths, predictors, strict=True):
            if other.keys != first.keys:
                raise ValueError(
                    f"{path} predicts {', '.join(other.keys)}, and {models.paths[0]} "
                    f"{', '.join(first.keys)}. Expected the same of all models."
                )
        self._intervals = models.fit_intervals(first.regressors, level)
        ends = ("predicted", "low", "high")
        self.columns = [f"{key}_{end}" for key in first.keys for end in ends]

    @classmethod
    def load(cls, settings: PredictorSettings) -> "FoldPredictor":
        """Load the models, and the code that they need.

        settings (PredictorSettings): What to load, and how.
        RETURNS (FoldPredictor): With the models.
        RAISES (ValueError, FileNotFoundError, ImportError): See `FoldModels.find` and
            `Predictor.load`.
        """
        level = LEVEL if settings.level is None else settings.level
        check_level(level)
        models = FoldModels.find(Path(settings.pipeline), settings.model)
        predictors: list[Predictor] = []
        for path in models.paths:
            own = replace(settings, pipeline=str(path), model=None, level=None)
            # Code is imported once.
            predictors.append(Predictor.load(replace(own, code=None) if predictors else own))
        return cls(models, predictors, level)

    def hash_content(self) -> str:
        """Return the SHA-256 of all that predictions and intervals depend on."""
        files = [self._models.folder / name for name in (ABOUT, PREDICTIONS)]
        parts = [*map(hash_file, files), *(p.hash_content() for p in self._predictors)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __call__(
        self, texts: Sequence[str], covariates: Sequence[Mapping[str, float | None]]
    ) -> PredictedRows:
        """Predict for texts, see `Predictor`. A text that fails with one model is an error."""
        found = [predict(texts, covariates) for predict in self._predictors]
        failed: dict[int, str] = {}
        for predicted in reversed(found):
            failed |= predicted.failed
        kept = [place for place in range(len(texts)) if place not in failed]
        by_model = np.stack(
            [
                _select(predict, predicted, len(texts))[kept]
                for predict, predicted in zip(self._predictors, found, strict=True)
            ],
            axis=-1,
        )
        columns = []
        for place, make_intervals in enumerate(self._intervals):
            predictions = by_model[:, place]
            columns += [predictions.mean(axis=1), *make_intervals(predictions).T]
        return PredictedRows(np.stack(columns, axis=1).tolist(), failed)


AnyPredictor = Predictor | FoldPredictor


def load_predictor(settings: PredictorSettings) -> AnyPredictor:
    """Load a pipeline, or the models of a cross-validation.

    settings (PredictorSettings): What to load, and how.
    RETURNS (Predictor | FoldPredictor): With the pipeline or the models.
    RAISES (ValueError, FileNotFoundError, ImportError): It can't be loaded, or `model` or `level`
        are given for a pipeline.
    """
    if is_crossval(settings.pipeline):
        return FoldPredictor.load(settings)
    for name in ("model", "level"):
        if (value := getattr(settings, name)) is not None:
            raise ValueError(
                f"{name} is {value!r}, but {settings.pipeline} is no folder that `crossval` wrote. "
                f"Expected no {name}."
            )
    return Predictor.load(settings)


def _select(predict: Predictor, predicted: PredictedRows, n: int) -> Floats:
    """Select the predictions of all targets. RETURNS (ndarray): Shape (texts, targets), NaN where a
    text has failed."""
    places = [predict.columns.index(f"{key}_predicted") for key in predict.keys]
    values = np.full((n, len(places)), np.nan)
    scored = [place for place in range(n) if place not in predicted.failed]
    if scored:
        values[scored] = np.array(predicted.rows)[:, places]
    return values
