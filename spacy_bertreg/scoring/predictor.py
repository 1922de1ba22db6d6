"""Predicting for texts with a loaded pipeline."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import spacy
from spacy.language import Language

from ..data.annotations import get_annotation
from ..data.covariates import COVARIATES, LOG_LENGTH
from ..data.files import hash_folder
from ..data.text_length import any_length
from ..pipeline.regressor import find_regressors
from .loading import import_code, load_pipeline

Row = list[float]


@dataclass(frozen=True)
class PredictorSettings:
    """What a process needs to load a pipeline, or models, as others have it: arguments of
    `score_file`, and the number of torch's threads, None for as many as torch takes.
    """

    pipeline: str
    precision: str | None = None
    gpu_id: int = -1
    batch_size: int | None = None
    threads: int | None = None
    code: str | None = None
    backend: str | None = None
    model: str | None = None
    level: float | None = None


@dataclass(frozen=True)
class PredictedRows:
    """Predictions for some texts, as rows of a table.

    rows (list[list[float]]): For each text without an error, a number for each of
        `Predictor.columns`.
    failed (dict[int, str]): By the index of each other text, the error.
    """

    rows: list[Row]
    failed: dict[int, str] = field(default_factory=dict)


class Predictor:
    """Predicts for texts with a pipeline. Memory for their words is freed after each call.

    batch_size (int): Documents scored together.
    regressors (list[Regressor]): The regressors of the pipeline.
    keys (list[str]): The keys of their predictions in `doc.cats`.
    columns (list[str]): Names of the predictions: for each key `{key}_predicted` and, of a
        calibrated regressor, `{key}_low` and `{key}_high`.
    covariates (list[str]): Names of the covariates that texts must come with.
    model (str | None), level (float | None): None: see `FoldPredictor`.
    """

    model: str | None = None
    level: float | None = None

    def __init__(self, nlp: Language, batch_size: int | None = None) -> None:
        """Find the regressors of a pipeline.

        nlp (Language): A trained pipeline.
        batch_size (int | None): Documents scored together; None for that of the pipeline.
        RAISES (ValueError): It has no regressor, or two write to the same key of `doc.cats`.
        """
        self._nlp = nlp
        self.batch_size = nlp.batch_size if batch_size is None else batch_size
        self.regressors = regressors = find_regressors(nlp)
        if not regressors:
            raise ValueError(f"The pipeline has no regressor. It has: {', '.join(nlp.pipe_names)}.")
        writers: dict[str, str] = {}
        self._keys: list[tuple[str, bool]] = []
        self.columns: list[str] = []
        for regressor in regressors:
            regressor.require_initialized()
            for key in regressor.output_keys.values():
                if key in writers:
                    raise ValueError(
                        f"The components {writers[key]!r} and {regressor.name!r} both write to "
                        f"doc.cats[{key!r}]. Expected different keys, as with output_key = "
                        '"{name}:{target}".'
                    )
                writers[key] = regressor.name
                has_interval = regressor.calibration is not None
                self._keys.append((key, has_interval))
                ends = ("predicted", "low", "high") if has_interval else ("predicted",)
                self.columns += [f"{key}_{end}" for end in ends]
        named = [name for regressor in regressors for name in regressor.cfg["covariates"]]
        self.keys = [key for key, _ in self._keys]
        self.covariates = [name for name in dict.fromkeys(named) if name != LOG_LENGTH]

    def hash_content(self) -> str:
        """Return the SHA-256 of the pipeline's folder."""
        return hash_folder(Path(self._nlp.path))

    @classmethod
    def load(cls, settings: PredictorSettings) -> "Predictor":
        """Load a pipeline, and the code that it needs.

        settings (PredictorSettings): What to load, and how.
        RETURNS (Predictor): With the pipeline.
        RAISES (ValueError, ImportError): The pipeline or the code can't be loaded.
        """
        if settings.gpu_id >= 0:
            spacy.require_gpu(settings.gpu_id)
        import_code(settings.code)
        nlp = load_pipeline(settings.pipeline, settings.precision, settings.backend)
        if settings.threads is not None and "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(settings.threads)
        return cls(nlp, settings.batch_size)

    def __call__(
        self, texts: Sequence[str], covariates: Sequence[Mapping[str, float | None]]
    ) -> PredictedRows:
        """Predict for texts. If that fails, predict one by one, to find which texts are at fault.

        texts (Sequence[str]): The texts.
        covariates (Sequence[Mapping]): For each text, its covariates by name.
        RETURNS (PredictedRows): In the order of the texts.
        RAISES (Exception): All of several texts fail, or memory ran out.
        """
        pairs = list(zip(texts, covariates, strict=True))
        try:
            return PredictedRows(self._predict(pairs))
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            first = error
        rows, failed = [], {}
        for index, pair in enumerate(pairs):
            try:
                rows += self._predict([pair])
            except Exception as error:
                if _is_out_of_memory(error):
                    raise
                failed[index] = f"{type(error).__name__}: {error}"
        if len(failed) == len(pairs) > 1:
            # The pipeline is at fault, not the texts.
            raise first
        return PredictedRows(rows, failed)

    def _predict(self, pairs: Sequence[tuple[str, Mapping[str, float | None]]]) -> list[Row]:
        inputs = [(text, {COVARIATES: given} if given else {}) for text, given in pairs]
        rows = []
        with any_length(self._nlp), self._nlp.memory_zone():
            for doc, _ in self._nlp.pipe(inputs, as_tuples=True, batch_size=self.batch_size):
                row: Row = []
                for key, has_interval in self._keys:
                    row.append(doc.cats[key])
                    if has_interval:
                        row.extend(get_annotation(doc, "interval")[key])
                rows.append(row)
        return rows


def _is_out_of_memory(error: Exception) -> bool:
    # torch's own is a RuntimeError.
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
