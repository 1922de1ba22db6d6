"""The registered scorer `spacy-bertreg.regression_scorer.v1`."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from spacy.training import Example

from ..data.annotations import get_annotation
from ..targets.gold import gold_values
from ..targets.intervals import Calibration, is_inside
from ..targets.scale import TargetScale
from .metrics import METRICS, Floats, compute_metrics

# What `spacy train` shows and maximises. Errors are left out: it would show them times 100.
SCORE_WEIGHTS = {"reg_r2": 1.0, **{f"reg_{name}": None for name in METRICS if name != "r2"}}
SCORE_WEIGHTS["reg_per_target"] = None


def make_regression_scorer() -> Callable[..., dict[str, Any]]:
    """Make the scorer for a component's `scorer` setting: `regression_score`."""
    return regression_score


def regression_score(
    examples: Iterable[Example],
    *,
    output_keys: dict[str, str],
    scale: TargetScale | None = None,
    calibration: Calibration | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Compare predictions with observed values. Values that are missing or NaN are left out.

    examples (Iterable[Example]): Observed values in `example.reference`, see `observed_values`, and
        predictions in `example.predicted.cats[output_keys[target]]`.
    output_keys (dict[str, str]): For each target, the key of its prediction.
    scale (TargetScale | None): For targets with a curved transform, `transformed` is added: the
        metrics on the transformed scale, over the `n` values that the transform can take.
    calibration (Calibration | None): If given, `interval` is added, from `doc._.interval`: `level`,
        `method`, the number of calibration documents `n_calibration`, and on these examples
        `coverage`, the share of observed values inside, and `mean_width`.
    RETURNS (dict[str, Any]): `reg_r2`, `reg_mse`, `reg_rmse`, `reg_mae`, `reg_pearson` and
        `reg_spearman`, each the mean over the targets for which it is defined; and
        `reg_per_target`: by key of `doc.cats`, `r2` and so on, and `n`, the number of observed
        values. Undefined metrics are None: all for n = 0; R² where the observed values do not vary
        (n = 1 included); the correlations where these or the predictions do not vary.
    RAISES (ValueError): A document has no prediction, or an observed value is not finite.
    """
    examples = list(examples)
    gold = gold_values(examples, list(output_keys))
    per_target: dict[str, dict[str, Any]] = {}
    for column, key in enumerate(output_keys.values()):
        known = np.flatnonzero(~np.isnan(gold[:, column]))
        predicted = np.array([_prediction(examples[i], key) for i in known], dtype=np.float64)
        observed = gold[known, column]
        metrics: dict[str, Any] = {**compute_metrics(observed, predicted), "n": len(known)}
        if scale is not None and scale.is_curved[column]:
            transformed = [scale.transform_unchecked(column, v) for v in (observed, predicted)]
            inside = np.isfinite(transformed).all(axis=0)
            metrics["transformed"] = {
                "transform": scale.transforms[column],
                **compute_metrics(*(values[inside] for values in transformed)),
                "n": int(inside.sum()),
            }
        if calibration is not None:
            intervals = [get_annotation(examples[i].predicted, "interval")[key] for i in known]
            metrics["interval"] = {
                "level": calibration.level,
                "method": calibration.method,
                "n_calibration": calibration.n[column],
                **_coverage(observed, np.array(intervals).reshape(-1, 2)),
            }
        per_target[key] = metrics
    return _with_means(per_target)


def merge_scores(by_component: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Join the scores of a pipeline's regressors, so that none replaces another.

    by_component (Mapping[str, dict]): What each scorer gave, by the component's name.
    RETURNS (dict[str, Any]): The scores of a single regressor as they are. For several, `reg_r2`
        and so on are means over the targets of all, `reg_per_target` has all targets, and
        `{component}_r2` and so on are the scores of one, for [training.score_weights].
    """
    if len(by_component) < 2:
        return dict(next(iter(by_component.values()), {}))
    merged: dict[str, Any] = {}
    per_target: dict[str, dict[str, Any]] = {}
    for component, scores in by_component.items():
        merged |= scores
        merged |= {f"{component}_{name}": scores.get(f"reg_{name}") for name in METRICS}
        per_target |= scores.get("reg_per_target", {})
    return merged | _with_means(per_target) if per_target else merged


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


def _with_means(per_target: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Add the mean of each metric over the targets for which it is defined."""
    means: dict[str, Any] = {}
    for name in METRICS:
        values = [m[name] for m in per_target.values() if m[name] is not None]
        means[f"reg_{name}"] = float(np.mean(values)) if values else None
    return {**means, "reg_per_target": per_target}
