"""The registered scorer `spacy-bertreg.regression_scorer.v1`."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from spacy.training import Example

from .metrics import METRICS
from .targets import gold_values

# What `spacy train` shows and maximises. Errors are left out: it would show them times 100.
SCORE_WEIGHTS = {"reg_r2": 1.0, **{f"reg_{name}": None for name in METRICS if name != "r2"}}
SCORE_WEIGHTS["reg_per_target"] = None


def make_regression_scorer() -> Callable[..., dict[str, Any]]:
    """RETURNS (Callable): The function `regression_score`, for a component's `scorer`."""
    return regression_score


def regression_score(
    examples: Iterable[Example], *, output_keys: dict[str, str], **_: Any
) -> dict[str, Any]:
    """Compare predicted with observed targets. An observed value that is missing or NaN is
    unknown and left out.

    examples (Iterable[Example]): Observed values in `example.reference.cats[target]`,
        predictions in `example.predicted.cats[output_keys[target]]`.
    output_keys (dict[str, str]): For each target, the key of its prediction.
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
    per_target: dict[str, dict[str, float | None]] = {}
    for column, (target, key) in enumerate(output_keys.items()):
        known = np.flatnonzero(~np.isnan(gold[:, column]))
        predicted = np.array([_prediction(examples[i], key) for i in known], dtype=np.float64)
        observed = gold[known, column]
        per_target[target] = {name: metric(observed, predicted) for name, metric in METRICS.items()}
        per_target[target]["n"] = len(known)
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


def _mean(per_target: dict[str, dict[str, float | None]], metric: str) -> float | None:
    values = [scores[metric] for scores in per_target.values() if scores[metric] is not None]
    return float(np.mean(values)) if values else None  # type: ignore[arg-type]
