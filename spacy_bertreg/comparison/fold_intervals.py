"""CV+ intervals from the predictions and the kept models of a cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..evaluation.metrics import Floats
from ..pipeline.regressor import Regressor
from ..targets.cv_plus import cv_plus_intervals
from ..targets.transforms import LARGEST_EXPONENT, Bounds, check_range, invert, transform
from .crossval_files import choose_model, read_out_of_fold, read_settings
from .crossval_kept import find_models


@dataclass(frozen=True)
class FoldIntervals:
    """CV+ intervals of one target, on its transformed scale, so that they stay in its range.

    transform (str), bounds (Bounds | None): The target's transform.
    lowest (float): The least value of the target that the models know of.
    errors (tuple[ndarray, ...]): For each fold, the absolute errors on the transformed scale.
    level (float): The share of new values that intervals are to hold.
    """

    transform: str
    bounds: Bounds | None
    lowest: float
    errors: tuple[Floats, ...]
    level: float

    def __call__(self, predictions: Floats) -> Floats:
        """Make intervals.

        predictions (ndarray): In the target's unit, by the model of each fold, shape
            (documents, folds).
        RETURNS (ndarray): Low and high ends in the target's unit, shape (documents, 2).
        """
        transformed = _transform(predictions, self.transform, self.bounds)
        ends = cv_plus_intervals(transformed, self.errors, self.level)
        return np.maximum(invert(ends, self.transform, self.bounds), self.lowest)


@dataclass(frozen=True)
class FoldModels:
    """The models of one repeat of a cross-validation, and what they have predicted.

    folder (Path): What `crossval --keep-models` wrote.
    name (str): Their name.
    paths (list[Path]): The pipeline of each fold.
    table (DataFrame): Their out-of-fold predictions, as `read_out_of_fold` gives them.
    """

    folder: Path
    name: str
    paths: list[Path]
    table: pd.DataFrame

    @classmethod
    def find(cls, folder: Path, model: str | None = None) -> "FoldModels":
        """Find the models of the first repeat. The guarantee of CV+ is about one partition of the
        documents, and each document has one model that has not learned from it.

        folder (Path): What `crossval --keep-models` wrote.
        model (str | None): Which of its models; None if it has one.
        RETURNS (FoldModels): The models.
        RAISES (ValueError, FileNotFoundError): There is no such model, a pipeline is missing, or
            folds are by time.
        """
        table = read_out_of_fold(folder)
        name = choose_model(table, model, folder)
        if read_settings(folder)[0].get("by") == "time":
            raise ValueError(
                f"{folder} has folds by time, whose models have learned from earlier documents "
                "only. CV+ takes models that have learned from all other folds. Expected "
                "crossval --by group or target, or in place of this calibrate --from."
            )
        first = int(table["repeat"].min())
        table = table[table["repeat"] == first]
        return cls(folder, name, find_models(folder, name, first, np.unique(table["fold"])), table)

    def fit_intervals(self, regressors: Sequence[Regressor], level: float) -> list[FoldIntervals]:
        """Prepare the intervals of all targets.

        regressors (Sequence[Regressor]): Of one of the pipelines.
        level (float): Between 0 and 1.
        RETURNS (list[FoldIntervals]): Of each target of each regressor.
        RAISES (ValueError): The level is out of range, or a target has no predictions, some that
            are not finite, or too few documents for the level.
        """
        return [
            self._fit_target(regressor, place, level)
            for regressor in regressors
            for place in range(len(regressor.targets))
        ]

    def _fit_target(self, regressor: Regressor, place: int, level: float) -> FoldIntervals:
        target, scale = regressor.targets[place], regressor.scale
        kind, bounds = scale.transforms[place], scale.bounds[place]
        rows = self.table[self.table["target"] == target]
        if rows.empty:
            raise ValueError(f"{self.folder} has no predictions of {target!r}.")
        if rows[self.name].isna().any():
            raise ValueError(
                f"{self.folder}: some predictions of {target!r} by {self.name!r} are not finite."
            )
        gold, fold = rows["gold"].to_numpy(), rows["fold"].to_numpy()
        transformed = transform(gold, kind, bounds)
        check_range(target, gold, transformed, kind, bounds)
        errors = np.abs(transformed - _transform(rows[self.name].to_numpy(), kind, bounds))
        # One fold may have no known value of this target.
        of_folds = tuple(errors[fold == number] for number in np.unique(self.table["fold"]))
        try:
            cv_plus_intervals(np.zeros((0, len(of_folds))), of_folds, level)
        except ValueError as error:
            raise ValueError(f"{self.folder}, target {target!r}: {error}") from error
        # On the model's scale there is a least value with a log link only.
        lowest = regressor.lowest * scale.std[place] + scale.mean[place]
        return FoldIntervals(kind, bounds, lowest, of_folds, level)


def _transform(predictions: Floats, kind: str, bounds: Bounds | None) -> Floats:
    """Transform predictions. One that is rounded to the end of its range would be infinite."""
    transformed = transform(predictions, kind, bounds)
    return np.nan_to_num(transformed, nan=np.nan, posinf=LARGEST_EXPONENT, neginf=-LARGEST_EXPONENT)
