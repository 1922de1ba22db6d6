"""A cross-validation as a set of models: what `crossval` wrote, and baselines on the same folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.docbin import iterate_docs
from ..evaluation.metrics import Floats
from .crossval_files import KEY, find_data, models_of, read_out_of_fold, read_settings
from .models import COSTS, LINE, MEAN, Model, Run, fit_line
from .test_set import TestSet, make_test_set


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold predictions of models that were trained on the same folds.

    test (TestSet): The documents. An observed value is NaN where the document is in no fold, as the
        first period is with folds by time.
    models (list[Model]): With a run for each repeat; then the baselines.
    folds (dict[tuple[str, int], ndarray]): By target and repeat, the fold in which each document is
        predicted, shape (documents,); -1 for none.
    n_train (dict[tuple[str, int, int], int]): By target, repeat and fold, on how many documents
        models were trained, those that chose the best epoch included.
    settings (dict[str, Any]): For comparison.json: `test`, `train` and `crossval`.
    """

    test: TestSet
    models: list[Model]
    folds: dict[tuple[str, int], NDArray[np.int64]]
    n_train: dict[tuple[str, int, int], int]
    settings: dict[str, Any]

    def describe(self) -> str:
        """Say how often models were trained."""
        settings = self.settings["crossval"]
        repeats = "" if settings["repeats"] == 1 else f", {settings['repeats']} repeats"
        return f"cross-validation ({settings['k']} folds by {settings['by']}{repeats})"


def read_crossval(folders: Sequence[str | Path]) -> CrossValidation:
    """Read what `crossval` wrote.

    folders (Sequence[str | Path]): One or more, of the same documents and folds.
    RETURNS (CrossValidation): The models of all.
    RAISES (ValueError, FileNotFoundError): A folder is none that `crossval` wrote, or has other
        documents or folds; two models have one name.
    """
    first = Path(folders[0])
    settings, n_train = read_settings(first)
    table = read_out_of_fold(first)
    for folder in map(Path, folders[1:]):
        table = _join(table, read_out_of_fold(folder), first, folder)
    names = models_of(table)
    data = settings.get("data")
    for name in (MEAN, LINE):
        if name in names:
            raise ValueError(f"{first} has a model {name!r}. The name is taken. Expected another.")
    documents = _documents(table, first, data)
    places = {name: place for place, name in enumerate(documents.ids)}
    place_of_row = np.array([places[name] for name in table["id"]])
    runs: dict[str, dict[str, Run]] = {name: {} for name in names}
    folds = {}
    for (target, repeat), rows in table.groupby(["target", "repeat"], sort=False):
        place = place_of_row[rows.index]
        fold = np.full(len(documents.ids), -1)
        fold[place] = rows["fold"]
        folds[str(target), int(repeat)] = fold
        for name in names:
            run = runs[name].setdefault(f"repeat-{repeat}", Run(f"repeat-{repeat}", str(first), {}))
            run.predictions[str(target)] = np.full(len(documents.ids), np.nan)
            run.predictions[str(target)][place] = rows[name]
    models = [_model(name, "predictions", list(own.values())) for name, own in runs.items()]
    by = str(settings.get("by", "group"))
    models += _baselines(documents, folds, by == "time")
    predicted = {target: np.zeros(len(documents.ids), dtype=bool) for target, _ in folds}
    for (target, _), fold in folds.items():
        predicted[target] |= fold >= 0
    gold = pd.DataFrame({t: documents.gold[t].where(known) for t, known in predicted.items()})
    used = {
        "k": int(table["fold"].nunique()),
        "repeats": int(table["repeat"].nunique()),
        "by": by,
        "folders": [str(folder) for folder in folders],
    }
    return CrossValidation(
        TestSet(**{**vars(documents), "gold": gold}),
        models,
        folds,
        n_train,
        {"test": documents.path, "train": None, "crossval": used},
    )


def _join(table: pd.DataFrame, other: pd.DataFrame, first: Path, folder: Path) -> pd.DataFrame:
    """Put another cross-validation's models beside those of the first."""
    names = models_of(other)
    if twice := [name for name in names if name in table]:
        raise ValueError(f"{first} and {folder} both have a model {twice[0]!r}. Expected one each.")
    joined = table.merge(other, on=KEY, how="outer", suffixes=("", " of other"), indicator=True)
    differs = joined["_merge"] != "both"
    for column in ("fold", "gold"):
        differs |= joined[column] != joined[f"{column} of other"]
    if differs.any():
        row = joined[differs].iloc[0]
        raise ValueError(
            f"{folder} has other folds than {first}, as for the id {row['id']!r} in repeat "
            f"{row['repeat']}. Expected the same documents, folds and seeds."
        )
    return joined[[*table.columns, *names]]


def _documents(table: pd.DataFrame, folder: Path, data: Any) -> TestSet:
    """Collect the documents, from the file that was cross-validated if it is still there."""
    if files := find_data(data):
        documents = make_test_set(chain.from_iterable(map(iterate_docs, files)), str(data))
        if unknown := set(table["id"]) - set(documents.ids):
            raise ValueError(
                f"{data} has no document {min(unknown)!r}, which {folder} predicts. Expected the "
                "documents that were cross-validated."
            )
        return documents
    first = table.drop_duplicates("id")
    ids = first["id"].tolist()
    groups = [group or name for group, name in zip(first["group"], ids, strict=True)]
    gold = table.drop_duplicates(["target", "id"]).pivot(
        index="id", columns="target", values="gold"
    )
    gold = gold.loc[ids, list(dict.fromkeys(table["target"]))].reset_index(drop=True)
    nothing = [""] * len(ids)
    lengths = np.zeros(len(ids), dtype=np.int64)
    return TestSet(str(folder), ids, groups, nothing, [None] * len(ids), lengths, gold)


def _baselines(
    documents: TestSet, folds: dict[tuple[str, int], NDArray[np.int64]], by_time: bool
) -> list[Model]:
    """Fit the mean and the line on length anew in each fold, on what models were trained on."""
    has_lengths = bool(documents.lengths.any())
    names = (MEAN, LINE) if has_lengths else (MEAN,)
    if by_time and not has_lengths:
        # The first period, with which the first fold is trained, is not among the predictions.
        return []
    log_length = np.log1p(documents.lengths)
    runs: dict[tuple[str, str], dict[str, Floats]] = {}
    for (target, repeat), fold in folds.items():
        gold = documents.gold[target].to_numpy()
        predicted = {name: np.full(len(gold), np.nan) for name in names}
        for number in np.unique(fold[fold >= 0]):
            train = (fold < number if by_time else fold != number) & ~np.isnan(gold)
            mean, slope, middle = fit_line(log_length[train], gold[train])
            test = fold == number
            predicted[MEAN][test] = mean
            if has_lengths:
                predicted[LINE][test] = mean + slope * (log_length[test] - middle)
        for name, values in predicted.items():
            runs.setdefault((name, f"repeat-{repeat}"), {})[target] = values
    return [
        _model(name, "baseline", [Run(run, "", own) for (n, run), own in runs.items() if n == name])
        for name in names
    ]


def _model(name: str, kind: Literal["predictions", "baseline"], runs: list[Run]) -> Model:
    return Model(name, kind, runs, dict.fromkeys(COSTS))
