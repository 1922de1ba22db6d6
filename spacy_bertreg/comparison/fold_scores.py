"""Scores by fold of a cross-validation, and what they say about a difference of two models."""

import math

import numpy as np
import pandas as pd

from ..evaluation.metrics import Floats, mse, r_squared
from .bootstrap import LEVEL
from .crossval_models import CrossValidation

FOLD_COLUMNS = ("model", "target", "repeat", "fold", "n", "n_train", "r2", "mse")


def score_folds(crossval: CrossValidation) -> pd.DataFrame:
    """Score each model in each fold.

    crossval (CrossValidation): Out-of-fold predictions.
    RETURNS (DataFrame): `FOLD_COLUMNS`; a metric is NaN where it is undefined.
    """
    rows = []
    for model in crossval.models:
        for run in model.runs:
            repeat = int(run.name.removeprefix("repeat-"))
            for target, predicted in run.predictions.items():
                gold = crossval.test.gold[target].to_numpy()
                fold = crossval.folds[target, repeat]
                for number in np.unique(fold[fold >= 0]).tolist():
                    place = fold == number
                    y, x = gold[place], predicted[place]
                    scores = (r_squared(y, x), mse(y, x)) if np.isfinite(x).all() else (None, None)
                    n_train = crossval.n_train.get((target, repeat, number), np.nan)
                    rows.append((model.name, target, repeat, number, len(y), n_train, *scores))
    return pd.DataFrame(rows, columns=list(FOLD_COLUMNS)).astype({"r2": float, "mse": float})


def compare_folds(
    differences: pd.DataFrame, folds: pd.DataFrame, crossval: CrossValidation
) -> pd.DataFrame:
    """Add to differences of models what the folds say about them.

    differences (DataFrame): As in `Comparison`.
    folds (DataFrame): What `score_folds` gives.
    crossval (CrossValidation): What they are of.
    RETURNS (DataFrame): The same rows, with the mean difference over all folds and its corrected
        resampled t interval: `r2_folds`, `r2_folds_low`, `r2_folds_high`, and the same of `mse`.
    RAISES (ValueError): It is not known on how many documents models were trained.
    """
    if folds["n_train"].isna().any():
        row = folds[folds["n_train"].isna()].iloc[0]
        raise ValueError(
            f"{crossval.settings['crossval']['folders'][0]}: crossval.json has no n_train of fold "
            f"{row['fold']} in repeat {row['repeat']} for {row['target']!r}."
        )
    wide = folds.pivot(index=["target", "repeat", "fold"], columns="model", values=["r2", "mse"])
    sizes = folds.drop_duplicates(["target", "repeat", "fold"]).groupby("target")
    ratios = sizes["n"].sum() / sizes["n_train"].sum()
    rows = []
    for _, pair in differences.iterrows():
        target = pair["target"]
        row = {}
        for metric in ("r2", "mse"):
            scores = wide[metric].loc[target]
            by_fold = (scores[pair["model"]] - scores[pair["baseline"]]).to_numpy()
            low, high = corrected_t_interval(by_fold, ratios[target])
            name = f"{metric}_folds"
            row |= {name: by_fold.mean(), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.concat([differences, pd.DataFrame(rows, index=differences.index)], axis=1)


def corrected_t_interval(
    differences: Floats, test_per_train: float, level: float = LEVEL
) -> tuple[float, float]:
    """Compute the corrected resampled t interval of a mean over folds.

    Training sets of a cross-validation overlap, so that folds are alike and their variance is too
    small by itself: 1 / J becomes 1 / J + n_test / n_train (Nadeau & Bengio 2003, Machine Learning
    52:239-281, section 3; over repeats, Bouckaert & Frank 2004, PAKDD).

    differences (ndarray): Of two models' scores, shape (J,), for all folds of all repeats.
    test_per_train (float): Documents of a fold over documents that its models were trained on.
    level (float): Wished coverage, 0 to 1.
    RETURNS (tuple[float, float]): The low and the high end; NaN of fewer than two folds, or if a
        difference is undefined.
    """
    n_folds = len(differences)
    if n_folds < 2 or not np.isfinite(differences).all():
        return np.nan, np.nan
    variance = differences.var(ddof=1) * (1 / n_folds + test_per_train)
    half = t_quantile((1 + level) / 2, n_folds - 1) * math.sqrt(variance)
    return float(differences.mean() - half), float(differences.mean() + half)


def t_quantile(probability: float, df: int) -> float:
    """Compute a quantile of Student's t distribution. SciPy is not needed for this alone.

    probability (float): Above 0.5, below 1.
    df (int): Degrees of freedom, a whole number from 1.
    RETURNS (float): The quantile.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        angle = (low + high) / 2
        if (1 + _within(angle, df)) / 2 < probability:
            low = angle
        else:
            high = angle
    return math.sqrt(df) * math.tan(low)


def _within(angle: float, df: int) -> float:
    """Compute the probability of |t| < sqrt(df) * tan(angle): Abramowitz & Stegun 1964, 26.7.3 and
    26.7.4."""
    cosine = math.cos(angle)
    is_odd = df % 2
    term = cosine if is_odd else 1.0
    total = term if df > 1 else 0.0
    for k in range(3 if is_odd else 2, df - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    if is_odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
