"""Which model predicts best, by how much, and how sure that is."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.tables.kinds import TableOptions
from ..evaluation.metrics import Floats, compute_metrics
from ..targets.intervals import is_inside
from .bootstrap import LEVEL, METRIC_TITLES, Bootstrap, interval, relative
from .models import LINE, MEAN, Model, Run, baselines, find_models, read_models
from .test_set import TestSet, read_test_set
from .verdict import coverage_warnings, find_failures, find_warnings, verdicts

# Of a model, for each metric: the mean over its runs, and behind it that of each draw.
Estimates = dict[str, Floats]


@dataclass(frozen=True)
class Comparison:
    """Metrics of models, how they differ, and what they cost.

    test (TestSet): The documents.
    models (list[Model]): In the order given, then the baselines.
    metrics (DataFrame): For each target and model: `model`, `target`, `n` documents, `n_groups`,
        and each of `METRIC_TITLES` with its interval, as `r2`, `r2_low`, `r2_high`. Of a model with
        several runs their mean: what one more training can be expected to reach.
    runs (DataFrame): For each target, model and run the metrics, and `diverged`: why the run is
        taken for a failed one, or None.
    differences (DataFrame): For each target and pair, `model` and `baseline`: of R² and MSE the
        `r2_difference` and the `r2_change`, which is the difference as a share of the baseline's
        value, as Wang 2024 states them, each with its paired interval. The change is NaN where the
        interval of the baseline's value reaches 0.
    coverage (DataFrame): For each target, model and run with calibrated intervals: `model`, `run`,
        `target`, `method`, `level`, `n_calibration` documents, and on the test set the `coverage`
        (share of values inside) with its bootstrap interval, the shares `below` and `above`, the
        `mean_error` of the predictions, `coverage_moved` if all intervals were moved by it, and
        the `mean_width`, in the target's unit.
    verdicts (DataFrame): For each `target` a `sentence`.
    warnings (list[str]): What must not go unseen.
    settings (dict[str, Any]): Of the intervals, and the names of the files.
    """

    test: TestSet
    models: list[Model]
    metrics: pd.DataFrame
    runs: pd.DataFrame
    differences: pd.DataFrame
    coverage: pd.DataFrame
    verdicts: pd.DataFrame
    warnings: list[str]
    settings: dict[str, Any]

    def predictions(self) -> pd.DataFrame:
        """Collect the predictions of all models.

        RETURNS (DataFrame): For each target and document with a known value: `target`, `id`,
            `group`, `length` in words, `gold`, and a column for each run of each model.
        """
        frames = []
        for target in self.metrics["target"].unique():
            columns: dict[str, Any] = {
                "target": target,
                "id": self.test.ids,
                "group": self.test.groups,
                "length": self.test.lengths,
                "gold": self.test.gold[target],
            }
            for model in self.models:
                for run in model.runs:
                    name = model.name if len(model.runs) == 1 else f"{model.name}:{run.name}"
                    columns[name] = run.predictions.get(target, np.nan)
            frames.append(pd.DataFrame(columns).dropna(subset="gold"))
        return pd.concat(frames, ignore_index=True)


def compare(
    test: str | Path,
    sources: Sequence[str],
    *,
    train: str | Path | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    options: TableOptions | None = None,
) -> Comparison:
    """Evaluate models on one test set, with bootstrap intervals over its groups.

    test (str | Path): A .spacy file with observed targets.
    sources (Sequence[str]): Trained pipelines, folders of their seeds, and tables of predictions;
        see `find_models`.
    train (str | Path | None): The training set, from which the baselines are made; None for
        train.spacy beside the test set.
    n_resamples (int): Draws of the bootstrap.
    seed (int): Their seed.
    options (TableOptions | None): How tables of predictions are written; None to detect it.
    RETURNS (Comparison): The comparison.
    RAISES (ValueError, FileNotFoundError): Something is missing, or not of this test set.
    """
    if n_resamples < 100:
        raise ValueError(f"n_resamples is {n_resamples}. Expected 100 or more.")
    found = find_models(sources)
    documents = read_test_set(test)
    train = Path(test).with_name("train.spacy") if train is None else Path(train)
    if not train.is_file():
        raise FileNotFoundError(
            f"The training set {train} does not exist. Expected the .spacy file from which the "
            "baselines (the mean, and a line on document length) are made; --train names it."
        )
    models: list[Model] = []
    for name, paths in found.items():
        models += read_models(name, paths, documents, options)
    targets = list(dict.fromkeys(t for m in models for r in m.runs for t in r.predictions))
    models += baselines(train, documents, targets)
    parts = [_compare(target, models, documents, n_resamples, seed) for target in targets]
    metrics, runs, differences, coverage = (
        pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)
    )
    warnings = find_warnings(models, metrics, runs, differences, documents.unit)
    settings = {
        "test": str(test),
        "train": str(train),
        "interval": {
            "level": LEVEL,
            "method": "percentile bootstrap",
            "unit": documents.unit,
            "n_resamples": n_resamples,
            "seed": seed,
        },
    }
    return Comparison(
        documents,
        models,
        metrics,
        runs,
        differences,
        coverage,
        verdicts(metrics, differences),
        warnings + coverage_warnings(coverage),
        settings,
    )


def _compare(
    target: str, models: Iterable[Model], test: TestSet, n_resamples: int, seed: int
) -> tuple[pd.DataFrame, ...]:
    """Compute the tables of metrics, runs, differences and coverage for one target."""
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
        for a, b in _pairs(estimates)
    ]
    run_table = pd.DataFrame(run_rows)
    run_table["diverged"] = pd.Series(find_failures(run_table), dtype=object)
    return pd.DataFrame(rows), run_table, pd.DataFrame(differences), pd.DataFrame(coverage_rows)


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
    """Compute what the intervals of those runs hold that have any, see `Comparison`."""
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


def _pairs(names: Collection[str]) -> list[tuple[str, str]]:
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
        # A share of what may be nothing could be any number.
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
