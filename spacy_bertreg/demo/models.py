"""The pipelines of the demo, which answer one question at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import spacy
from spacy.language import Language

from ..comparison.models import find_models
from ..data.text_length import any_length
from ..pipeline.regressor import Regressor, find_regressors
from ..pipeline.text_regressor import TextRegressor
from ..report.disagreement import MOST_WORDS
from ..report.explained import ExplainedText, explain_text
from ..scoring.loading import import_code, load_pipeline
from ..scoring.predictor import PredictedRows, Predictor

T = TypeVar("T")
Covariates = Mapping[str, float | None]

# Rows of a table that are scored at once. A text that someone types meanwhile waits for them.
ROWS = 64


@dataclass(frozen=True)
class DemoModel:
    """A pipeline of the demo."""

    name: str
    nlp: Language
    predictor: Predictor
    regressors: list[Regressor]


class DemoModels:
    """Trained pipelines that any number of threads may ask.

    Whatever runs a pipeline is run in one thread, one after the other, in the order of the calls:
    a prediction sets the mode of torch's module, and empties the vocabulary behind it.

    names (list[str]): Their names.
    targets (list[str]): What they predict, without repetitions.
    covariates (list[str]): Covariates that texts come with, of all pipelines.
    columns (list[str]): Columns that a scored table gets, as `Predictor.columns`; with several
        pipelines, `NAME:` before each.
    """

    def __init__(
        self, sources: Iterable[str], *, gpu_id: int = -1, code: str | Path | None = None
    ) -> None:
        """Load the pipelines.

        sources (Iterable[str]): Folders or packages, as PATH or NAME=PATH.
        gpu_id (int): A GPU's number, or -1 for the CPU.
        code (str | Path | None): Python file to import first.
        RAISES (ValueError, ImportError): One can't be loaded, or two have the same name.
        """
        paths = {
            name if len(runs) == 1 else f"{name} {run}": path
            for name, runs in find_models(sources).items()
            for run, path in runs
        }
        self._thread = ThreadPoolExecutor(1, "models")
        try:
            # In the thread that will use them: thinc keeps the chosen device by thread.
            self._models = self._run(_load, paths, gpu_id, code)
        except BaseException:
            self.close()
            raise
        self.names = [model.name for model in self._models]
        regressors = [part for model in self._models for part in model.regressors]
        self.targets = list(dict.fromkeys(t for part in regressors for t in part.targets))
        predictors = [model.predictor for model in self._models]
        self.covariates = list(dict.fromkeys(n for part in predictors for n in part.covariates))
        prefixes = [f"{name}:" if len(self._models) > 1 else "" for name in self.names]
        self.columns = [
            f"{prefix}{column}"
            for prefix, predictor in zip(prefixes, predictors, strict=True)
            for column in predictor.columns
        ]

    def close(self) -> None:
        """Forget the calls that wait, so that their threads end, and wait for the present one."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in the models' thread, behind all calls before.

        RAISES (ConnectionAbortedError): The demo was stopped before its turn.
        """
        try:
            future = self._thread.submit(function, *arguments)
        except RuntimeError as error:  # `close` came before
            raise ConnectionAbortedError("The demo was stopped.") from error
        try:
            return future.result()
        except CancelledError as error:
            raise ConnectionAbortedError("The demo was stopped.") from error

    def predict(self, text: str, covariates: Covariates) -> list[dict[str, Any]]:
        """Predict for a text.

        text (str): The text.
        covariates (Mapping): Its covariates by name, None where unknown.
        RETURNS (list[dict[str, Any]]): For each pipeline and each of its predictions, `model`,
            `target`, `value` and, of a calibrated regressor, `low` and `high`.
        RAISES (ValueError): A pipeline can't predict for it.
        """
        return [
            prediction
            for model in self._models
            for prediction in self._run(_predict, model, text, covariates)
        ]

    def explain(
        self, text: str, target: str, covariates: Covariates
    ) -> tuple[list[ExplainedText], list[str]]:
        """Say what the words or terms of a text add to the predictions of a target.

        text (str): The text.
        target (str): One of `targets`.
        covariates (Mapping): Covariates of the text.
        RETURNS (tuple[list[ExplainedText], list[str]]): The explanation by each regressor that
            predicts the target, and why others have none.
        """
        explained: list[ExplainedText] = []
        reasons = []
        for model in self._models:
            for part in (part for part in model.regressors if target in part.targets):
                name = model.name if len(model.regressors) == 1 else f"{model.name}: {part.name}"
                try:
                    explained.append(
                        self._run(_explain, model, part, name, text, target, covariates)
                    )
                except ValueError as error:
                    reasons.append(f"{name}: {error}")
        return explained, reasons

    def score(self, texts: Sequence[str], covariates: Sequence[Covariates]) -> PredictedRows:
        """Predict for rows of a table, as `Predictor` does, with all pipelines side by side."""
        rows: list[list[float]] = [[] for _ in texts]
        failed: dict[int, str] = {}
        for model in self._models:
            predicted = self._run(model.predictor, texts, covariates)
            failed = predicted.failed | failed
            numbers = iter(predicted.rows)
            for index in (i for i in range(len(texts)) if i not in predicted.failed):
                rows[index] = rows[index] + next(numbers)
        kept = [row for index, row in enumerate(rows) if index not in failed]
        return PredictedRows(kept, failed)


def _load(paths: Mapping[str, str], gpu_id: int, code: str | Path | None) -> list[DemoModel]:
    if gpu_id >= 0:
        spacy.require_gpu(gpu_id)
    import_code(code)
    models = []
    for name, path in paths.items():
        nlp = load_pipeline(path)
        models.append(DemoModel(name, nlp, Predictor(nlp, ROWS), find_regressors(nlp)))
    return models


def _predict(model: DemoModel, text: str, covariates: Covariates) -> list[dict[str, Any]]:
    predicted = model.predictor([text], [covariates])
    if predicted.failed:
        raise ValueError(f"{model.name} can't predict for this text: {predicted.failed[0]}")
    row = dict(zip(model.predictor.columns, predicted.rows[0], strict=True))
    return [
        {
            "model": model.name,
            "target": key,
            "value": row[f"{key}_predicted"],
            "low": row.get(f"{key}_low"),
            "high": row.get(f"{key}_high"),
        }
        for part in model.regressors
        for key in part.output_keys.values()
    ]


def _explain(
    model: DemoModel, part: Regressor, name: str, text: str, target: str, covariates: Covariates
) -> ExplainedText:
    # Its words are forgotten behind it, as `Predictor` does.
    with any_length(model.nlp), model.nlp.memory_zone():
        if isinstance(part, TextRegressor):
            n_words = len(model.nlp.make_doc(text))
            if n_words > MOST_WORDS:
                raise ValueError(
                    f"The text has {n_words:,} words, punctuation included; up to {MOST_WORDS:,} "
                    "are explained here. `bertreg explain` takes longer texts."
                )
        return explain_text(
            model.nlp, text, name, component=part.name, target=target, covariates=covariates
        )
