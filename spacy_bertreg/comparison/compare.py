"""Which model predicts best, by how much, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.tables.kinds import TableOptions
from ..evaluation.metrics import METRICS
from ..targets.intervals import is_inside
from .bootstrap import LEVEL, MEASURES, Bootstrap, interval, relative
from .models import LINE, MEAN, Model, Run, baselines, find_models, read_models
from .test_set import TestSet, read_test_set
from .verdict import coverage_warnings, divergence, verdicts, warnings

Floats = NDArray[np.float64]

# What pairs of models are compared in.
COMPARED = ("r2", "mse")


@dataclass(frozen=True)
class Comparison:
    """Scores of models, how they differ, and what they cost.

    test (TestSet): The documents.
    models (list[Model]): In the order given, then the baselines.
    scores (DataFrame): For each target and model: `model`, `target`, `n` documents, `n_groups`, and
        each of `MEASURES` with its interval, as `r2`, `r2_low`, `r2_high`. Of a model with several
        runs their mean: what one more training can be expected to reach.
    runs (DataFrame): For each target, model and run the metrics, and `diverged`: why the run is
        taken for a failed one, or None.
    differences (DataFrame): For each target and pair, `model` and `baseline`: of R² and MSE the
        `r2_difference` and the `r2_change`, which is the difference as a share of the baseline's
        value, as Wang 2024 states them, each with its paired interval. The change is NaN where the
        interval of the baseline's own value holds 0 or less.
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
    scores: pd.DataFrame
    runs: pd.DataFrame
    differences: pd.DataFrame
    coverage: pd.DataFrame
    verdicts: pd.DataFrame
    warnings: list[str]
    settings: dict[str, Any]

    def predictions(self) -> pd.DataFrame:
        """RETURNS (DataFrame): For each target and document with a known value: `target`, `id`,
        `group`, `length` in words, `gold`, and a column for each run of each model."""
        frames = []
        for target in self.scores["target"].unique():
            known = self.test.gold[target].notna().to_numpy()
            frame = pd.DataFrame(
                {
                    "target": target,
                    "id": self.test.ids,
                    "group": self.test.groups,
                    "length": self.test.lengths,
                    "gold": self.test.gold[target],
                }
            )
            for model in self.models:
                for run in model.runs:
                    column = model.name if len(model.runs) == 1 else f"{model.name}:{run.name}"
                    frame[column] = run.predictions.get(target, np.nan)
            frames.append(frame[known])
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
    """Score models on one test set, with bootstrap intervals over its groups.

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
    for name, runs in found.items():
        models += read_models(name, runs, documents, options)
    targets = list(dict.fromkeys(t for m in models for r in m.runs for t in r.predictions))
    models += baselines(train, documents, targets)
    parts = [_compare(target, models, documents, n_resamples, seed) for target in targets]
    scores, runs, differences, coverage = (
        pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)
    )
    return Comparison(
        documents,
        models,
        scores,
        runs,
        differences,
        coverage,
        verdicts(scores, differences),
        warnings(models, scores, runs, differences, documents.unit) + coverage_warnings(coverage),
        {
            "test": str(test),
            "train": str(train),
            "interval": {
                "level": LEVEL,
                "method": "percentile bootstrap",
                "unit": documents.unit,
                "n_resamples": n_resamples,
                "seed": seed,
            },
        },
    )


def _compare(
    target: str, models: Iterable[Model], test: TestSet, n_resamples: int, seed: int
) -> tuple[pd.DataFrame, ...]:
    """RETURNS (tuple): Scores, runs, differences and coverage for one target."""
    known = np.flatnonzero(test.gold[target].notna())
    gold = test.gold[target].to_numpy()[known]
    bootstrap = Bootstrap(gold, [test.groups[i] for i in known], n_resamples=n_resamples, seed=seed)
    scores, runs, coverage, draws, points = [], [], [], {}, {}
    for model in models:
        predicted = [r.predictions[target][known] for r in model.runs if target in r.predictions]
        if not predicted:
            continue
        own = [_metrics(gold, p) for p in predicted]
        for run, metrics in zip(model.runs, own, strict=True):
            runs.append({"model": model.name, "run": run.name, "target": target, **metrics})
            if target in run.intervals:
                own_run = {"model": model.name, "run": run.name, "target": target}
                coverage.append(own_run | _coverage(run, target, gold, known, bootstrap))
        drawn = [bootstrap.metrics(p) for p in predicted]
        draws[model.name] = {m: np.mean([d[m] for d in drawn], axis=0) for m in MEASURES}
        points[model.name] = {m: float(np.mean([metrics[m] for metrics in own])) for m in MEASURES}
        row = {
            "model": model.name,
            "target": target,
            "n": len(gold),
            "n_groups": bootstrap.n_groups,
        }
        for metric in MEASURES:
            row[metric] = points[model.name][metric]
            row[f"{metric}_low"], row[f"{metric}_high"] = interval(draws[model.name][metric])
        scores.append(row)
    differences = [
        {"model": a, "baseline": b, "target": target}
        | _difference(points[a], points[b], draws[a], draws[b])
        for a, b in _pairs(points)
    ]
    table = pd.DataFrame(runs)
    table["diverged"] = pd.Series(divergence(table), dtype=object)
    return pd.DataFrame(scores), table, pd.DataFrame(differences), pd.DataFrame(coverage)


def _coverage(
    run: Run, target: str, gold: Floats, known: NDArray[np.int64], bootstrap: Bootstrap
) -> dict[str, Any]:
    calibration, place = run.calibrations[target]
    ends = run.intervals[target][known]
    inside = is_inside(gold, ends).astype(float)
    low, high = interval(bootstrap.mean(inside))
    # Why a promise was broken: all predictions too high or too low, or more scatter on both sides.
    mean_error = float((run.predictions[target][known] - gold).mean())
    return {
        "method": calibration.method,
        "level": calibration.level,
        "n_calibration": calibration.n[place],
        "coverage": float(inside.mean()),
        "coverage_low": low,
        "coverage_high": high,
        "mean_width": float(np.diff(ends, axis=1).mean()),
        "below": float((gold < ends[:, 0]).mean()),
        "above": float((gold > ends[:, 1]).mean()),
        "mean_error": mean_error,
        "coverage_moved": float(is_inside(gold, ends - mean_error).mean()),
    }


def _pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """RETURNS (list): Each model with those before it, then each with the baselines."""
    trivial = [name for name in names if name in (MEAN, LINE)]
    others = [name for name in names if name not in trivial]
    pairs = [(later, earlier) for earlier, later in combinations(others, 2)]
    pairs += [(name, baseline) for baseline in reversed(trivial) for name in others]
    return [*pairs, *combinations(reversed(trivial), 2)]


def _difference(
    point: dict[str, float],
    baseline: dict[str, float],
    draws: dict[str, Floats],
    baseline_draws: dict[str, Floats],
) -> dict[str, float]:
    row: dict[str, float] = {}
    for metric in COMPARED:
        own, other = np.array(point[metric]), np.array(baseline[metric])
        a, b = draws[metric], baseline_draws[metric]
        change, drawn = relative(own, other), relative(a, b)
        if not interval(b)[0] > 0:
            # A share of what may be nothing: it could be any number.
            change, drawn = np.full_like(change, np.nan), np.full_like(drawn, np.nan)
        for name, value, values in (("difference", own - other, a - b), ("change", change, drawn)):
            low, high = interval(values)
            key = f"{metric}_{name}"
            row |= {key: float(value), f"{key}_low": low, f"{key}_high": high}
    return row


def _metrics(gold: Floats, predicted: Floats) -> dict[str, float]:
    """RETURNS (dict[str, float]): The metrics, NaN where undefined, as for a prediction that is not
    finite."""
    if not np.isfinite(predicted).all():
        return dict.fromkeys(MEASURES, np.nan)
    found = {name: metric(gold, predicted) for name, metric in METRICS.items()}
    values = {name: np.nan if value is None else value for name, value in found.items()}
    values["pearson_squared"] = values["pearson"] ** 2
    return {name: values[name] for name in MEASURES}
