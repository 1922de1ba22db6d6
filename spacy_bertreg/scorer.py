"""The registered scorer `spacy-bertreg.regression_scorer.v1`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from spacy.training import Example

from .intervals import Calibration, is_inside
from .metrics import METRICS, Floats
from .target_scale import TargetScale
from .targets import gold_values

# What `spacy train` shows and maximises. Errors are left out: it would show them times 100.
SCORE_WEIGHTS = {"reg_r2": 1.0, **{f"reg_{name}": None for name in METRICS if name != "r2"}}
SCORE_WEIGHTS["reg_per_target"] = None


def make_regression_scorer() -> Callable[..., dict[str, Any]]:
    """RETURNS (Callable): The function `regression_score`, for a component's `scorer`."""
    return regression_score


def regression_score(
    examples: Iterable[Example],
    *,
    output_keys: dict[str, str],
    scale: TargetScale | None = None,
    calibration: Calibration | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Compare predicted with observed targets. An observed value that is missing or NaN is
    unknown and left out.

    examples (Iterable[Example]): Observed values in `example.reference.cats[target]`,
        predictions in `example.predicted.cats[output_keys[target]]`.
    output_keys (dict[str, str]): For each target, the key of its prediction.
    scale (TargetScale | None): Where it transforms a target by a curve, scores on that scale are
        added under `transformed`: of the transformed predictions.
    calibration (Calibration | None): If given, `interval` is added, from `doc._.interval`: `level`,
        `method`, the number of calibration documents `n_calibration`, and on these examples
        `coverage`, the share of observed values inside, and `mean_width`.
    RETURNS (dict[str, Any]): `reg_r2`, `reg_mse`, `reg_rmse`, `reg_mae`, `reg_pearson` and
        `reg_spearman`, each the mean over the targets for which it is defined, and
        `reg_per_target` with the same for each target, under `r2` and so on, and its number of
        observed values `n`. None is what is undefined: everything for n = 0; R² and the
        correlations where the observed values do not vary (n = 1 included).
    RAISES (ValueError): A document has no prediction, or an observed value is not finite.
    """
    examples = list(examples)
    targets = list(output_keys)
    gold = gold_values(examples, targets)
    per_target: dict[str, dict[str, Any]] = {}
    for column, (target, key) in enumerate(output_keys.items()):
        known = np.flatnonzero(~np.isnan(gold[:, column]))
        predicted = np.array([_prediction(examples[i], key) for i in known], dtype=np.float64)
        observed = gold[known, column]
        per_target[target] = {name: metric(observed, predicted) for name, metric in METRICS.items()}
        per_target[target]["n"] = len(known)
        if scale is not None and scale.is_curved[column]:
            transformed = [_transformed(scale, column, v) for v in (observed, predicted)]
            per_target[target]["transformed"] = {
                "transform": scale.transforms[column],
                **{name: metric(*transformed) for name, metric in METRICS.items()},
            }
        if calibration is not None:
            intervals = [examples[i].predicted._.interval[key] for i in known]
            per_target[target]["interval"] = {
                "level": calibration.level,
                "method": calibration.method,
                "n_calibration": calibration.n[column],
                **_coverage(observed, np.array(intervals).reshape(-1, 2)),
            }
    scores: dict[str, Any] = {f"reg_{name}": _mean(per_target, name) for name in METRICS}
    scores["reg_per_target"] = per_target
    return scores


def _prediction(example: Example, key: str) -> float:
    try:
        return example.predicted.cats[key]
    except KeyError:
        raise ValueError(
            f"No prediction under doc.cats[{key!r}] for the text {example.reference.text[:60]!r}. "
            f"It has {sorted(example.predicted.cats)}. Did the regressor run?"
        ) from None


def _transformed(scale: TargetScale, column: int, values: Floats) -> Floats:
    table = np.full((len(values), len(scale.targets)), np.nan)
    table[:, column] = values
    return scale.transform(table)[:, column]


def _coverage(observed: Floats, intervals: Floats) -> dict[str, float | None]:
    if not len(observed):
        return {"coverage": None, "mean_width": None}
    inside, widths = is_inside(observed, intervals), np.diff(intervals, axis=1)
    return {"coverage": float(inside.mean()), "mean_width": float(widths.mean())}


def _mean(per_target: dict[str, dict[str, Any]], metric: str) -> float | None:
    values = [scores[metric] for scores in per_target.values() if scores[metric] is not None]
    return float(np.mean(values)) if values else None
