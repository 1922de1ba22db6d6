"""Calibrate a regressor with the out-of-fold predictions of a cross-validation."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.docbin import iterate_docs
from ..data.tables.columns import parse_dates
from ..evaluation.metrics import Floats
from ..pipeline.regressor import Regressor
from ..targets.intervals import Calibration
from ..targets.predictions import Predictions
from .crossval_files import choose_model, find_data, read_out_of_fold, read_settings


def calibrate_from_folds(
    component: Regressor,
    name: str,
    folder: Path,
    model: str | None,
    level: float,
    half_life: float | None,
) -> Calibration:
    """Find widths of intervals from the errors of models that were trained as the regressor was, on
    other folds.

    Intervals are prediction ± width, where predictions are the regressor's own. So this is the
    jackknife with folds, and not CV+, which needs the predictions of all models of the folds
    (Barber, Candès, Ramdas & Tibshirani 2021, Annals of Statistics 49:486-507).

    component (Regressor): The trained regressor.
    name (str): Its name, for the errors.
    folder (Path): What `crossval` wrote.
    model (str | None): Which of its models was trained as the regressor was; None if it has one.
    level (float): Between 0 and 1.
    half_life (float | None): See `age_weights`; None for the same weight.
    RETURNS (Calibration): The calibration. Its `n` counts documents, of however many repeats.
    RAISES (ValueError, FileNotFoundError): There is no such model, a target is missing, or there
        are too few documents.
    """
    table = read_out_of_fold(folder)
    model = choose_model(table, model, folder)
    smeared = component.scale.residuals
    for i, target in enumerate(component.targets):
        if table.loc[table["target"] == target, model].isna().all():
            raise ValueError(
                f"{folder} has no predictions of {target!r} by {model!r}, as {name!r} has."
            )
        if component.scale.is_curved[i] and len(smeared) and len(smeared[i]):
            raise ValueError(
                f"{name!r} smears its predictions of {target!r}, so that their errors on the "
                "transformed scale are unknown. Expected smearing = false, or other documents in "
                "place of --from."
            )
    # Other models of the folder may predict more targets.
    table = table[table["target"].isin(component.targets)]
    if table[model].isna().any():
        raise ValueError(f"{folder}: some predictions of {model!r} are not finite.")
    wide = table.pivot(index=["repeat", "id"], columns="target", values=["gold", model])
    gold, values = (
        wide[column][list(component.targets)].to_numpy(dtype=float) for column in ("gold", model)
    )
    scaled = component.scale.scale(values)
    ids = wide.index.get_level_values("id")
    weights = np.full(len(ids), 1 / table["repeat"].nunique())
    if half_life is not None:
        data = read_settings(folder)[0].get("data")
        files = find_data(data)
        if not files:
            raise ValueError(
                f"--half-life needs the documents' dates, but {data}, from which {folder} was "
                "made, does not exist. Expected it in its old place."
            )
        docs = enumerate(chain.from_iterable(map(iterate_docs, files)), start=1)
        times = {str(d.user_data.get("id", place)): d.user_data.get("time") for place, d in docs}
        weights *= age_weights([times.get(one) for one in ids], half_life, str(data))
    calibration = Calibration.fit(
        Predictions(values, scaled),
        component.scale.scale(gold),
        level,
        "plain",
        component.targets,
        weights,
    )
    n = table.groupby("target")["id"].nunique()
    return replace(calibration, n=tuple(int(n[target]) for target in component.targets))


def age_weights(times: list[str | None], half_life: float, path: str) -> Floats:
    """Weigh documents by their age before the latest.

    times (list[str | None]): Their dates.
    half_life (float): After how many days a document counts half, above 0.
    path (str): Where they are from, for the errors.
    RETURNS (ndarray): Weights of up to 1, shape (documents,).
    RAISES (ValueError): The half-life is not positive, or a document has no date.
    """
    if not half_life > 0:
        raise ValueError(f"half_life is {half_life}. Expected a number of days above 0.")
    dates = parse_dates(pd.Series(times, dtype=object))
    if dates.isna().any():
        wrong = times[int(dates.isna().argmax())]
        raise ValueError(
            f"{path} has a document with the time {wrong!r}. Expected a date in each for "
            "--half-life, as `convert --time COLUMN` writes it."
        )
    days = (dates.max() - dates) / pd.Timedelta(days=1)
    return np.asarray(0.5 ** (days / half_life), dtype=np.float64)
