"""Metrics of models on one target, their differences, and the coverage of their intervals."""

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.metrics import Floats, compute_metrics
from ..targets.intervals import is_inside
from .bootstrap import METRIC_TITLES, Bootstrap, interval, relative
from .lead_share import ShareModels, share_of_lead
from .models import LINE, MEAN, Model, Run
from .test_set import TestSet
from .verdict import find_failures

# For each metric of a model: the mean over its runs, followed by this mean in each draw.
Estimates = dict[str, Floats]


def score_models(
    target: str,
    models: Iterable[Model],
    test: TestSet,
    *,
    n_resamples: int,
    seed: int,
    share: ShareModels | None = None,
) -> tuple[pd.DataFrame, ...]:
    """Score models on one target.

    target (str): Its name.
    models (Iterable[Model]): Models with predictions; one without any for the target is left out.
    test (TestSet): The documents.
    n_resamples (int): Number of the bootstrap's draws.
    seed (int): Seed of the draws.
    share (ShareModels | None): The models for `share_of_lead`; None for none.
    RETURNS (tuple[DataFrame, ...]): `metrics`, `runs`, `differences`, `coverage` and `shares`, as
        in `Comparison`.
    """
    known = np.flatnonzero(test.gold[target].notna())
    gold = test.gold[target].to_numpy()[known]
    bootstrap = Bootstrap(gold, [test.groups[i] for i in known], n_resamples=n_resamples, seed=seed)
    shown = [(model, run) for model in models for run in model.runs if target in run.predictions]
    draws = bootstrap.metrics([run.predictions[target][known] for _, run in shown])
    by_model: dict[str, list[Estimates]] = {}
    run_rows = []
    for (model, run), drawn in zip(shown, draws, strict=True):
        metrics = _metrics(gold, run.predictions[target][known])
        values = {name: np.r_[metrics[name], drawn[name]] for name in METRIC_TITLES}
        by_model.setdefault(model.name, []).append(values)
        run_rows.append({"model": model.name, "run": run.name, "target": target} | metrics)
    rows = []
    estimates: dict[str, Estimates] = {}
    for name, by_run in by_model.items():
        means = {metric: np.mean([v[metric] for v in by_run], axis=0) for metric in METRIC_TITLES}
        estimates[name] = means
        size = {"n": len(gold), "n_groups": bootstrap.n_groups}
        rows.append({"model": name, "target": target} | size | _with_intervals(means))
    coverage_rows = _coverage(shown, target, gold, known, bootstrap)
    differences = [
        {"model": a, "baseline": b, "target": target} | _difference(estimates[a], estimates[b])
        for a, b in pair_models(estimates)
    ]
    r2 = {name: values["r2"] for name, values in estimates.items()}
    found = None if share is None else share_of_lead(share, r2)
    shares = pd.DataFrame([] if found is None else [{"target": target, **found}])
    run_table = pd.DataFrame(run_rows)
    run_table["diverged"] = pd.Series(find_failures(run_table), dtype=object)
    tables = pd.DataFrame(rows), run_table, pd.DataFrame(differences), pd.DataFrame(coverage_rows)
    return *tables, shares


def _metrics(gold: Floats, predicted: Floats) -> dict[str, float]:
    """Compute the metrics, NaN where undefined, as for predictions that are not finite."""
    if not np.isfinite(predicted).all():
        return dict.fromkeys(METRIC_TITLES, np.nan)
    found = compute_metrics(gold, predicted)
    values = {name: np.nan if value is None else value for name, value in found.items()}
    values["pearson_squared"] = values["pearson"] ** 2
    return {name: values[name] for name in METRIC_TITLES}


def _coverage(
    shown: Sequence[tuple[Model, Run]],
    target: str,
    gold: Floats,
    known: NDArray[np.int64],
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """Compute the coverage of each run that has intervals, see `Comparison`."""
    calibrated = [(model, run) for model, run in shown if target in run.intervals]
    inside = [is_inside(gold, run.intervals[target][known]).astype(float) for _, run in calibrated]
    rows = []
    for (model, run), is_in, draws in zip(calibrated, inside, bootstrap.means(inside), strict=True):
        calibration, place = run.calibrations[target]
        ends = run.intervals[target][known]
        # Why a promise was broken: all predictions too high or low, or more scatter on both sides.
        mean_error = float((run.predictions[target][known] - gold).mean())
        rows.append(
            {
                **{"model": model.name, "run": run.name, "target": target},
                "method": calibration.method,
                "level": calibration.level,
                "n_calibration": calibration.n[place],
                **_with_intervals({"coverage": np.r_[is_in.mean(), draws]}),
                "mean_width": float(np.diff(ends, axis=1).mean()),
                "below": float((gold < ends[:, 0]).mean()),
                "above": float((gold > ends[:, 1]).mean()),
                "mean_error": mean_error,
                "coverage_moved": float(is_inside(gold, ends - mean_error).mean()),
            }
        )
    return rows


def pair_models(names: Collection[str]) -> list[tuple[str, str]]:
    """Pair each model with those before it, then each with the baselines."""
    baseline_names = [name for name in (LINE, MEAN) if name in names]
    others = [name for name in names if name not in baseline_names]
    pairs = [(later, earlier) for earlier, later in combinations(others, 2)]
    pairs += [(name, baseline) for baseline in baseline_names for name in others]
    return [*pairs, *combinations(baseline_names, 2)]


def _difference(model: Estimates, baseline: Estimates) -> dict[str, float]:
    differences = {}
    for metric in ("r2", "mse"):
        a, b = model[metric], baseline[metric]
        differences[f"{metric}_difference"] = a - b
        # A share of a value that may be 0 could be any number.
        is_positive = interval(b[1:])[0] > 0
        differences[f"{metric}_change"] = relative(a, b if is_positive else np.full_like(b, np.nan))
    return _with_intervals(differences)


def _with_intervals(estimates: Estimates) -> dict[str, float]:
    """Name the values, and the ends of their intervals."""
    row: dict[str, float] = {}
    for name, values in estimates.items():
        low, high = interval(values[1:])
        row |= {name: float(values[0]), f"{name}_low": low, f"{name}_high": high}
    return row
