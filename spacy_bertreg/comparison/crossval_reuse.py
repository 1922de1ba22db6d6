"""Take over from a finished cross-validation what another one would train again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..training.resume import describe_changes
from .crossval_files import ABOUT, PREDICTIONS, read_out_of_fold
from .crossval_run import CrossvalRun, config_key
from .crossval_trainings import Training
from .test_set import TestSet


def find_reusable(
    folder: Path, run: CrossvalRun, trainings: Sequence[Training], documents: TestSet
) -> dict[str, dict[str, list[float]]]:
    """Find trainings of a finished cross-validation that differs in its models alone.

    folder (Path): Its folder, which `read_finished` has checked.
    run (CrossvalRun), trainings (Sequence[Training]), documents (TestSet): What is asked for now.
    RETURNS (dict): By the trainings' names and by target, predictions for the fold's documents, NaN
        where the value is not known: those of models with the same config and settings.
    RAISES (ValueError): The predictions are not as `crossval` writes them.
    """
    if not all((folder / name).is_file() for name in (ABOUT, PREDICTIONS)):
        return {}
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    before, models = about["identity"], list(dict.fromkeys(t.model for t in trainings))
    if describe_changes(_without_models(before), _without_models(run.identity)):
        return {}
    same = {m for m in models if before.get(config_key(m)) == run.identity[config_key(m)]}
    if not same:
        return {}
    predictions = read_out_of_fold(folder).set_index(["target", "repeat", "fold", "id"])
    same &= set(predictions)
    reusable = {}
    for training in trainings:
        place = training.model, training.repeat, training.fold, training.seed
        scores = [
            score
            for score in about["scores"]
            if (score["model"], score["repeat"], score["fold"], score["seed"]) == place
        ]
        # One that diverged is trained again: predictions that are not finite are not read.
        if training.model not in same or not scores or any(s["mse"] is None for s in scores):
            continue
        column = predictions[training.model]
        result: dict[str, list[float]] = {}
        for score in scores:
            values = _select(column, score["target"], training, documents)
            if values is not None:
                result[score["target"]] = values
        if len(result) == len(scores):
            reusable[training.name] = result
    return reusable


def _select(
    predictions: pd.Series, target: str, training: Training, documents: TestSet
) -> list[float] | None:
    """Select the predictions for a fold. RETURNS (list | None): None if one is missing."""
    places = training.parts.test
    keys = [(target, training.repeat, training.fold, documents.ids[place]) for place in places]
    found = predictions.reindex(pd.MultiIndex.from_tuples(keys))
    is_known = documents.gold[target].notna().to_numpy()[places]
    return None if found[is_known].isna().any() else found.tolist()


def _without_models(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what names the models: their configs say all that `overrides` does."""
    names = ["the models", "overrides", *map(config_key, identity["the models"])]
    return {name: value for name, value in identity.items() if name not in names}
