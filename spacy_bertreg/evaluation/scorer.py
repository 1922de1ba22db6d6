"""The registered scorer `spacy-bertreg.regression_scorer.v1`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from spacy.training import Example

from ..data.annotations import get_annotation
from ..targets.gold import gold_values
from ..targets.intervals import Calibration, is_inside
from ..targets.scale import TargetScale
from .metrics import METRICS, Floats

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
        added under `transformed`: of the transformed predictions, for the `n` observed values that
        the transform can take.
    calibration (Calibration | None): If given, `interval` is added, from `doc._.interval`: `level`,
        `method`, the number of calibration documents `n_calibration`, and on these examples
        `coverage`, the share of observed values inside, and `mean_width`.
    RETURNS (dict[str, Any]): `reg_r2`, `reg_mse`, `reg_rmse`, `reg_mae`, `reg_pearson` and
        `reg_spearman`, each the mean over the targets for which it is defined, and
        `reg_per_target` with the same by key of `doc.cats`, which is the target's name unless
        `output_key` is another, under `r2` and so on, and the number of observed values `n`. None
        is what is undefined: everything for n = 0; R² and the correlations where the observed
        values do not vary (n = 1 included).
    RAISES (ValueError): A document has no prediction, or an observed value is not finite.
    """
    examples = list(examples)
    targets = list(output_keys)
    gold = gold_values(examples, targets)
    per_target: dict[str, dict[str, Any]] = {}
    for column, key in enumerate(output_keys.values()):
        known = np.flatnonzero(~np.isnan(gold[:, column]))
        predicted = np.array([_prediction(examples[i], key) for i in known], dtype=np.float64)
        observed = gold[known, column]
        per_target[key] = {name: metric(observed, predicted) for name, metric in METRICS.items()}
        per_target[key]["n"] = len(known)
        if scale is not None and scale.is_curved[column]:
            transformed = [scale.transform_unchecked(column, v) for v in (observed, predicted)]
            inside = np.isfinite(transformed).all(axis=0)
            values = [side[inside] for side in transformed]
            per_target[key]["transformed"] = {
                "transform": scale.transforms[column],
                **{name: metric(*values) for name, metric in METRICS.items()},
                "n": int(inside.sum()),
            }
        if calibration is not None:
            intervals = [get_annotation(examples[i].predicted, "interval")[key] for i in known]
            per_target[key]["interval"] = {
                "level": calibration.level,
                "method": calibration.method,
                "n_calibration": calibration.n[column],
                **_coverage(observed, np.array(intervals).reshape(-1, 2)),
            }
    return {**_means(per_target), "reg_per_target": per_target}


def merge_scores(scores: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the scores of a pipeline's regressors, so that none replaces another.

    scores (Mapping[str, dict]): By component, what its scorer gave.
    RETURNS (dict[str, Any]): Of one regressor its scores. Of several, `reg_r2` and so on are the
        means over the targets of all, `reg_per_target` has all, and `{component}_r2` and so on are
        those of one, by which [training.score_weights] may choose.
    """
    if len(scores) < 2:
        return dict(next(iter(scores.values()), {}))
    merged: dict[str, Any] = {}
    per_target: dict[str, dict[str, Any]] = {}
    for component, own in scores.items():
        merged |= own
        merged |= {f"{component}_{name}": own.get(f"reg_{name}") for name in METRICS}
        per_target |= own.get("reg_per_target", {})
    return merged | _means(per_target) | {"reg_per_target": per_target} if per_target else merged


def _prediction(example: Example, key: str) -> float:
    try:
        return example.predicted.cats[key]
    except KeyError:
        raise ValueError(
            f"No prediction under doc.cats[{key!r}] for the text {example.reference.text[:60]!r}. "
            f"It has {sorted(example.predicted.cats)}. Did the regressor run?"
        ) from None


def _coverage(observed: Floats, intervals: Floats) -> dict[str, float | None]:
    if not len(observed):
        return {"coverage": None, "mean_width": None}
    inside, widths = is_inside(observed, intervals), np.diff(intervals, axis=1)
    return {"coverage": float(inside.mean()), "mean_width": float(widths.mean())}


def _means(per_target: Mapping[str, dict[str, Any]]) -> dict[str, float | None]:
    return {f"reg_{name}": _mean(per_target, name) for name in METRICS}


def _mean(per_target: Mapping[str, dict[str, Any]], metric: str) -> float | None:
    values = [scores[metric] for scores in per_target.values() if scores[metric] is not None]
    return float(np.mean(values)) if values else None
