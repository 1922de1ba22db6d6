"""Predictions and scores of a cross-validation, from what each training has predicted."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.folds import Fold
from ..evaluation.metrics import mse, r_squared
from .crossval_files import ABOUT, DOCUMENT_COLUMNS
from .models import LINE, MEAN
from .test_set import TestSet


@dataclass(frozen=True)
class Training:
    """One model in one fold.

    model (str): The model's name.
    repeat (int), fold (int): From 1.
    seed (int): Of the training.
    parts (Fold): The documents' places.
    """

    model: str
    repeat: int
    fold: int
    seed: int
    parts: Fold

    @property
    def name(self) -> str:
        """A name for its files."""
        return f"{self.model}-repeat-{self.repeat}-fold-{self.fold}"

    def of(self, model: str) -> "Training":
        """Give that of another model in the same fold."""
        return replace(self, model=model)


def check_names(names: Iterable[str]) -> None:
    """Raise a ValueError if there are no models, or one has a name that can't be a column's and a
    file's."""
    names = list(names)
    if not names:
        raise ValueError("No model is named. Expected at least one, as full=configs/bert.cfg.")
    for name in names:
        if name in (*DOCUMENT_COLUMNS, MEAN, LINE) or not re.fullmatch(r"\w[\w-]*", name):
            raise ValueError(
                f"A model is named {name!r}. Expected letters, digits, _ and -, and none of "
                f"{', '.join(DOCUMENT_COLUMNS)}."
            )


def predictions_table(
    documents: TestSet,
    trainings: Sequence[Training],
    results: Mapping[str, Mapping[str, Sequence[float]]],
    groups: Sequence[str],
) -> pd.DataFrame:
    """Put all predictions side by side.

    documents (TestSet): The documents.
    trainings (Sequence[Training]): The trainings.
    results (Mapping): By the trainings' names and by target, predictions for the fold's documents.
    groups (Sequence[str]): The group of each document, empty for none.
    RETURNS (DataFrame): See `cross_validate`; rows are in the order of repeats, targets, documents.
    """
    models = list(dict.fromkeys(training.model for training in trainings))
    targets = predicted_targets(documents, results)
    parts = []
    for repeat in dict.fromkeys(training.repeat for training in trainings):
        chosen = [training for training in trainings if training.repeat == repeat]
        fold_of = np.zeros(len(documents.ids), dtype=int)
        for training in chosen:
            fold_of[training.parts.test] = training.fold
        for target in targets:
            gold = documents.gold[target].to_numpy()
            table = pd.DataFrame(
                {
                    "target": target,
                    "id": documents.ids,
                    "group": list(groups),
                    "repeat": repeat,
                    "fold": fold_of,
                    "gold": gold,
                    **{model: np.full(len(gold), np.nan) for model in models},
                }
            )
            for training in chosen:
                if target in results[training.name]:
                    column = table[training.model].to_numpy().copy()
                    column[training.parts.test] = results[training.name][target]
                    table[training.model] = column
            parts.append(table[(fold_of > 0) & ~np.isnan(gold)])
    return pd.concat(parts, ignore_index=True)


def score_trainings(
    documents: TestSet,
    trainings: Sequence[Training],
    results: Mapping[str, Mapping[str, Sequence[float]]],
) -> list[dict[str, Any]]:
    """Score each training on its fold.

    documents (TestSet), trainings (Sequence[Training]), results (Mapping): See
        `predictions_table`.
    RETURNS (list[dict]): For each training and target `model`, `target`, `repeat`, `fold`, `seed`,
        `n_train`, `n_dev` and `n_test` (documents), `n` (known values), `r2` and `mse`, None where
        undefined.
    """
    rows = []
    for training in trainings:
        for target in predicted_targets(documents, results):
            if target not in results[training.name]:
                continue
            gold = documents.gold[target].to_numpy()[training.parts.test]
            known = ~np.isnan(gold)
            predicted = np.array(results[training.name][target], dtype=float)[known]
            rows.append(
                {
                    "model": training.model,
                    "target": target,
                    "repeat": training.repeat,
                    "fold": training.fold,
                    "seed": training.seed,
                    "n_train": len(training.parts.train),
                    "n_dev": len(training.parts.dev),
                    "n_test": len(training.parts.test),
                    "n": int(known.sum()),
                    "r2": _finite(r_squared(gold[known], predicted)),
                    "mse": _finite(mse(gold[known], predicted)),
                }
            )
    return rows


def predicted_targets(documents: TestSet, results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the documents' targets that any model predicts."""
    predicted = {target for result in results.values() for target in result}
    return [str(target) for target in documents.gold.columns if target in predicted]


def summarize_folds(folder: Path) -> pd.DataFrame:
    """Summarize a cross-validation for people: R² of each model and target over its folds."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    rows = []
    scores = pd.DataFrame(about["scores"])
    for (model, target), group in scores.groupby(["model", "target"], sort=False):
        r2 = group["r2"].astype(float)
        rows.append(
            {
                "model": model,
                "target": target,
                "R², mean over folds": f"{r2.mean():.3f}",
                "lowest": f"{r2.min():.3f}",
                "highest": f"{r2.max():.3f}",
                "folds": len(group),
                "documents": group["n"].sum() // about["settings"]["repeats"],
            }
        )
    return pd.DataFrame(rows)


def _finite(value: float | None) -> float | None:
    """Make what a training that diverged scores undefined."""
    return value if value is not None and math.isfinite(value) else None
