"""Which model predicts best, by how much, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.tables.kinds import TableOptions
from .bootstrap import LEVEL
from .crossval_files import is_crossval
from .crossval_models import CrossValidation, read_crossval
from .fold_scores import FOLD_COLUMNS, compare_folds, score_folds
from .lead_share import ShareModels
from .models import Model, baselines, find_models, read_models
from .score_models import score_models
from .test_set import TestSet, read_test_set
from .verdict import coverage_warnings, find_warnings, verdicts


@dataclass(frozen=True)
class Comparison:
    """Metrics of models, how they differ, and what they cost.

    test (TestSet): The documents.
    models (list[Model]): In the order given, then the baselines.
    metrics (DataFrame): For each target and model: `model`, `target`, `n` documents, `n_groups`,
        and each of `METRIC_TITLES` with its interval, as `r2`, `r2_low`, `r2_high`. For a model
        with several runs, their mean: what one more training can be expected to reach.
    runs (DataFrame): For each target, model and run the metrics, and `diverged`: why the run counts
        as failed, or None.
    differences (DataFrame): For each target and pair, `model` and `baseline`; of R² and MSE the
        difference (`r2_difference`, `mse_difference`), and the difference as a share of the
        baseline's value (`r2_change`, `mse_change`), as in Wang 2024, each with its paired
        interval. A change is NaN where the interval of the baseline's value reaches 0. For a
        cross-validation, also what `compare_folds` adds.
    coverage (DataFrame): For each target, model and run with calibrated intervals: `model`, `run`,
        `target`, `method`, `level`, `n_calibration` documents, and on the test set the `coverage`
        (share of values inside) with its bootstrap interval, the shares `below` and `above`, the
        `mean_error` of the predictions, `coverage_moved` if all intervals were moved by it, and
        the `mean_width`, in the target's unit.
    shares (DataFrame): For each target, what `share_of_lead` gives; empty if not asked for.
    folds (DataFrame): For a cross-validation, for each model, target, repeat and fold: `model`,
        `target`, `repeat`, `fold`, `n` documents, `r2` and `mse`. Empty otherwise.
    verdicts (DataFrame): For each `target` the `headline`, the `sentence`, and what else `verdicts`
        gives.
    warnings (list[str]): What must not go unseen.
    settings (dict[str, Any]): Settings of the intervals, and names of the files.
    """

    test: TestSet
    models: list[Model]
    metrics: pd.DataFrame
    runs: pd.DataFrame
    differences: pd.DataFrame
    coverage: pd.DataFrame
    shares: pd.DataFrame
    folds: pd.DataFrame
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
    sources: Sequence[str] = (),
    *,
    train: str | Path | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    options: TableOptions | None = None,
    share: Sequence[str] | None = None,
) -> Comparison:
    """Evaluate models on one test set, or models of a cross-validation on documents that they have
    not seen, with bootstrap intervals over groups.

    test (str | Path): A .spacy file with observed targets, or a folder that `crossval` wrote.
    sources (Sequence[str]): Trained pipelines, folders of their seeds, and tables of predictions;
        see `find_models`. With a cross-validation, others of the same documents and folds.
    train (str | Path | None): The training set, from which the baselines are made; None for
        train.spacy beside the test set. In a cross-validation they are made fold by fold.
    n_resamples (int): Number of the bootstrap's draws.
    seed (int): Seed of the draws.
    options (TableOptions | None): How tables of predictions are written; None to detect it.
    share (Sequence[str] | None): Names of a plain model, a distilled one and its teacher, to say
        how much of the teacher's lead survives; see `share_of_lead`.
    RETURNS (Comparison): The comparison.
    RAISES (ValueError, FileNotFoundError): Something is missing, or not of this test set.
    """
    if n_resamples < 100:
        raise ValueError(f"n_resamples is {n_resamples}. Expected 100 or more.")
    crossval: CrossValidation | None = None
    if is_crossval(test):
        if train is not None:
            raise ValueError(
                f"{test} is a cross-validation, whose folds are its training sets. Expected no "
                "--train."
            )
        crossval = read_crossval([test, *sources])
        documents, models, settings = crossval.test, crossval.models, crossval.settings
        targets = list(map(str, documents.gold))
    else:
        documents, models, targets, train = _read(test, sources, train, options)
        settings = {"test": str(test), "train": str(train)}
    trio = None if share is None else ShareModels(*share)
    if trio is not None:
        trio.check([model.name for model in models])
    parts = [
        score_models(target, models, documents, n_resamples=n_resamples, seed=seed, share=trio)
        for target in targets
    ]
    metrics, runs, differences, coverage, shares = (
        pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)
    )
    folds = pd.DataFrame(columns=FOLD_COLUMNS)
    if crossval is not None:
        folds = score_folds(crossval)
        differences = compare_folds(differences, folds, crossval)
    warnings = find_warnings(models, metrics, runs, differences, documents.unit)
    interval = {
        "level": LEVEL,
        "method": "percentile bootstrap",
        "unit": documents.unit,
        "n_resamples": n_resamples,
        "seed": seed,
    }
    evidence = None if crossval is None else crossval.describe()
    return Comparison(
        documents,
        models,
        metrics,
        runs,
        differences,
        coverage,
        shares,
        folds,
        verdicts(metrics, differences, evidence, shares),
        warnings + coverage_warnings(coverage),
        {**settings, "interval": interval},
    )


def _read(
    test: str | Path,
    sources: Sequence[str],
    train: str | Path | None,
    options: TableOptions | None,
) -> tuple[TestSet, list[Model], list[str], Path]:
    """Read a test set, models with their predictions for it, and the baselines.

    RETURNS (tuple): The test set, the models, all targets, and where the training set is.
    """
    found = find_models(sources)
    if not found:
        raise ValueError(f"There is no model to evaluate on {test}. Expected one or more.")
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
    return documents, models + baselines(train, documents, targets), targets, train
