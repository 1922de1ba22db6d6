"""The models of a comparison: trained pipelines, tables of predictions, and two baselines."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import spacy
from spacy.language import Language

from ..data.annotations import get_annotation
from ..data.covariates import COVARIATES
from ..data.docbin import iterate_docs
from ..data.tables.kinds import TableOptions
from ..data.text_length import any_length
from ..evaluation.metrics import Floats
from ..pipeline.dictionary_regressor import DictionaryRegressor
from ..pipeline.regressor import find_regressors
from ..targets.gold import observed_values
from ..targets.intervals import Calibration
from ..training.block_counts import has_weights
from ..training.freeze_report import get_freeze_report
from .crossval_files import is_crossval
from .facts import pipeline_facts
from .prediction_files import is_table, read_predictions
from .test_set import TestSet, count_words

# Names of the baselines.
MEAN, LINE = "training mean", "line on log length"
COSTS = ("trained_parameters", "training_seconds", "documents_per_second", "bytes")
# How many texts a pipeline reads before its speed is measured.
WARM_UP = 64


@dataclass(frozen=True)
class Run:
    """One training of a model.

    name (str): Its name, such as "seed-0".
    path (str): Its pipeline or table; empty for a baseline.
    predictions (dict[str, ndarray]): By target, a prediction for each document of the test set,
        NaN where there is none.
    intervals (dict[str, ndarray]): By target of a calibrated regressor, the low and high ends,
        shape (documents, 2).
    calibrations (dict[str, tuple[Calibration, int]]): By the same targets, the calibration and the
        target's position in it.
    facts (dict[str, Any]): For a pipeline, what `pipeline_facts` gives.
    """

    name: str
    path: str
    predictions: dict[str, Floats]
    intervals: dict[str, Floats] = field(default_factory=dict)
    calibrations: dict[str, tuple[Calibration, int]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Something that predicts, trained once or several times.

    name (str): Its name.
    kind (str): "pipeline", "predictions" (a table) or "baseline".
    runs (list[Run]): One for each seed.
    costs (dict[str, float | None]): By the names in `COSTS`, means over the runs, None where
        unknown: `training_seconds` is of all trainings, from the beginning of each to its last
        update; `documents_per_second` of reading the test set's texts; `bytes` on disk.
    """

    name: str
    kind: Literal["pipeline", "predictions", "baseline"]
    runs: list[Run]
    costs: dict[str, float | None] = field(default_factory=dict)


def find_models(sources: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """List the models of a comparison, and their runs.

    sources (Iterable[str]): Pipelines (folders or packages), folders with a pipeline for each seed
        (`seed-0/model-best`, ...), and tables of predictions, each as PATH or NAME=PATH; what
        exists is a PATH. Several of one NAME are runs of one model.
    RETURNS (dict[str, list[tuple[str, str]]]): By model, the name and path of each run.
    RAISES (ValueError): Two sources without NAME have the same name, or a name is a baseline's.
    """
    models: dict[str, list[tuple[str, str]]] = {}
    for source in sources:
        name, equals, path = source.partition("=")
        # A path may have the sign in it.
        named = bool(equals and path) and not Path(source).exists()
        if not named:
            name, path = _name(Path(source)), source
        # Where the locale is C, the bytes of an umlaut are surrogates here.
        name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if name in models and not named:
            raise ValueError(
                f"Two models are called {name!r}. Expected different names, as NAME=PATH; the same "
                "NAME before each path if they are runs of one model."
            )
        if name in (MEAN, LINE):
            raise ValueError(f"The name {name!r} is taken. Expected another for {path}.")
        seeds = sorted(Path(path).glob("seed-*/model-best"), key=_seed) or [Path(path)]
        for folder in seeds:
            run = folder.parent.name if len(seeds) > 1 else f"run-{len(models.get(name, []))}"
            models.setdefault(name, []).append((run, str(folder)))
    return models


def _name(path: Path) -> str:
    if is_table(path):
        return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
    if path.name in ("model-best", "model-last"):
        path = path.parent
    if re.fullmatch(r"seed-\d+", path.name) and path.parent.name:
        path = path.parent
    return path.name


def _seed(path: Path) -> tuple[int, str]:
    digits = path.parent.name.removeprefix("seed-")
    return int(digits) if digits.isdigit() else 0, digits


def read_models(
    name: str,
    runs: Sequence[tuple[str, str]],
    test: TestSet,
    options: TableOptions | None = None,
) -> list[Model]:
    """Let the runs of a model predict the test set, or read their predictions.

    name (str): The model's name.
    runs (Sequence[tuple[str, str]]): Name and path of each run.
    test (TestSet): What to predict.
    options (TableOptions | None): How tables of predictions are written; None to detect it.
    RETURNS (list[Model]): Predictions and costs: one model, or, of pipelines in which several
        regressors predict the same target, one for each, called NAME:COMPONENT.
    RAISES (ValueError): A pipeline has no regressor, or a table of predictions does not fit the
        test set.
    """
    for _, path in runs:
        if is_crossval(path):
            raise ValueError(
                f"{path} is a cross-validation, which has its own documents. Expected it instead "
                "of the test set."
            )
    if all(is_table(path) for _, path in runs):
        read = [Run(run, path, read_predictions(path, test, options)) for run, path in runs]
        return [Model(name, "predictions", read, dict.fromkeys(COSTS))]
    by_component: dict[str, list[Run]] = {}
    costs = []
    for run_name, path in runs:
        nlp = spacy.load(path)
        predicted, rate = _predict(nlp, run_name, path, test)
        for component, run in predicted.items():
            by_component.setdefault(component, []).append(run)
        costs.append({**_costs(nlp), "documents_per_second": rate})
    means = pd.DataFrame(costs, dtype=float).mean()
    known = {c: None if pd.isna(means[c]) else float(means[c]) for c in COSTS}
    return [
        Model(f"{name}:{component}" if component else name, "pipeline", component_runs, known)
        for component, component_runs in by_component.items()
    ]


def _predict(nlp: Language, name: str, path: str, test: TestSet) -> tuple[dict[str, Run], float]:
    """Predict the test set with a pipeline.

    RETURNS (tuple): The run, by component if several predict the same target, else under ""; and
        texts per second.
    """
    regressors = [regressor for regressor in find_regressors(nlp) if regressor.targets]
    if not regressors:
        raise ValueError(f"The pipeline {path} has no regressor. It has: {nlp.pipe_names}.")
    targets = [target for regressor in regressors for target in regressor.targets]
    for target in targets:
        if target not in test.gold or test.gold[target].isna().all():
            raise ValueError(f"{test.path} has no values for {target!r}, which {path} predicts.")
    inputs = [(t, {COVARIATES: c}) for t, c in zip(test.texts, test.covariates, strict=True)]
    with any_length(nlp):
        for _ in nlp.pipe(inputs[:WARM_UP], as_tuples=True):
            pass
        start = time.perf_counter()
        rows = [
            (doc.cats, get_annotation(doc, "interval"))
            for doc, _ in nlp.pipe(inputs, as_tuples=True)
        ]
        rate = len(rows) / (time.perf_counter() - start)
    is_ambiguous = len(set(targets)) < len(targets)
    groups = {r.name: [r] for r in regressors} if is_ambiguous else {"": regressors}
    facts = pipeline_facts(nlp)
    runs = {component: Run(name, path, {}, facts=facts) for component in groups}
    for component, run in runs.items():
        for regressor in groups[component]:
            for place, (target, key) in enumerate(regressor.output_keys.items()):
                run.predictions[target] = np.array([cats[key] for cats, _ in rows], dtype=float)
                if regressor.calibration is not None:
                    run.intervals[target] = np.array([ends[key] for _, ends in rows])
                    run.calibrations[target] = (regressor.calibration, place)
    return runs, rate


def _costs(nlp: Language) -> dict[str, float | None]:
    has_transformer = has_weights(nlp)
    parameters = get_freeze_report(nlp).to_dict()["trainable"] if has_transformer else 0
    components: list[Any] = [component for _, component in nlp.pipeline]
    for component in components:
        if isinstance(component, DictionaryRegressor):
            parameters += component.n_parameters
        elif not has_transformer and getattr(component, "is_trainable", False):
            nodes = component.model.walk()
            parameters += sum(n.get_param(p).size for n in nodes for p in n.param_names)
    # Regressors of one pipeline learn at the same time.
    seconds = max((regressor.record.seconds for regressor in find_regressors(nlp)), default=0.0)
    return {
        "trained_parameters": parameters,
        "training_seconds": seconds or None,
        "bytes": sum(file.stat().st_size for file in nlp.path.rglob("*") if file.is_file()),
    }


def baselines(train: str | Path, test: TestSet, targets: Iterable[str]) -> list[Model]:
    """Make two trivial models to compare with.

    train (str | Path): The training set, a .spacy file.
    test (TestSet): The documents to predict.
    targets (Iterable[str]): What to predict.
    RETURNS (list[Model]): The mean of the training set, and a line fitted to the log of a
        document's number of words plus 1. A model that does not beat this line may only have
        learned document length.
    RAISES (ValueError, FileNotFoundError): The training set can't be read, or has no values for a
        target.
    """
    # One at a time: documents are much larger than their lengths and values.
    docs = ((count_words([doc])[0], observed_values(doc)) for doc in iterate_docs(train))
    lengths, values = zip(*docs, strict=True)
    log_length, test_length = np.log1p(lengths), np.log1p(test.lengths)
    mean, line = {}, {}
    for target in targets:
        gold = np.array([own.get(target, np.nan) for own in values], dtype=np.float64)
        known = ~np.isnan(gold)
        if not known.any():
            raise ValueError(f"{train} has no values for {target!r}.")
        level, slope, middle = fit_line(log_length[known], gold[known])
        mean[target] = np.full(len(test.ids), level)
        line[target] = level + slope * (test_length - middle)
    return [
        Model(name, "baseline", [Run("run-0", "", values)], dict.fromkeys(COSTS))
        for name, values in ((MEAN, mean), (LINE, line))
    ]


def fit_line(log_length: Floats, gold: Floats) -> tuple[float, float, float]:
    """Fit a line by least squares.

    log_length (ndarray): The training documents' log lengths, shape (documents,).
    gold (ndarray): Their observed values, of the same shape.
    RETURNS (tuple[float, float, float]): The mean of the values, the slope, and the mean log
        length, where the line has that mean.
    """
    x = log_length - log_length.mean()
    slope = x @ gold / (x @ x) if x.any() else 0.0
    return float(gold.mean()), float(slope), float(log_length.mean())
