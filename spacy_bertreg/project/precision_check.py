"""Whether a pipeline predicts the same in bfloat16."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from ..evaluation.metrics import r_squared
from ..pipeline.regressor import Regressor
from ..targets.gold import observed_values

Floats = NDArray[np.float64]

# In standard deviations of the predictions, at the 99.9th percentile; and in R².
MAX_DIFFERENCE, MAX_R2_DIFFERENCE = 0.02, 0.002


class PrecisionCheck(NamedTuple):
    """How predictions in bfloat16 differ from those in float32.

    precision (str): "auto" if they may be used, or "float32".
    documents (int): Number of documents compared.
    difference (float): In standard deviations, at the 99.9th percentile of the documents.
    r2_difference (float): In R². Both are the greatest over the targets.
    """

    precision: str
    documents: int
    difference: float
    r2_difference: float

    def describe(self) -> str:
        """Say it in a sentence, in Markdown."""
        return (
            f'`precision = "{self.precision}"`: in bfloat16, predictions for {self.documents:,} '
            f"documents of the dev set differ from those in float32 by at most "
            f"{self.difference:.3f} standard deviations in 999 of 1,000, and R² by "
            f"{self.r2_difference:.4f}."
        )


def precision_settings(nlp: Language, precision: str) -> dict[str, Any]:
    """Make the overrides that set the precision of a pipeline's transformers.

    nlp (Language): The pipeline.
    precision (str): "float32", "bfloat16" or "auto".
    RETURNS (dict[str, Any]): For `spacy.load`'s `config`; empty if there is no such transformer.
    """
    return {
        f"components.{name}.model.precision": precision
        for name, settings in nlp.config["components"].items()
        if "precision" in settings.get("model", {})
    }


def check_precision(nlp: Language, pipeline: Path, data: Path) -> PrecisionCheck | None:
    """Compare predictions in bfloat16 with those in float32.

    nlp (Language): The pipeline as it is. pipeline (Path): Its folder.
    data (Path): Documents with observed values, a .spacy file.
    RETURNS (PrecisionCheck | None): None if the pipeline has no transformer with a precision.
    RAISES (ValueError): `data` holds no documents.
    """
    if not precision_settings(nlp, "auto"):
        return None
    docs = list(DocBin().from_disk(data).get_docs(nlp.vocab))
    if not docs:
        raise ValueError(f"{data} holds no documents. Expected some to compare predictions on.")
    exact, rounded = (
        _predict(pipeline, precision_settings(nlp, p), docs) for p in ("float32", "bfloat16")
    )
    gold = {
        key: np.array([observed_values(doc).get(target, np.nan) for doc in docs], dtype=float)
        for regressor in _regressors(nlp)
        for target, key in regressor.output_keys.items()
    }
    checks = [_differences(gold[key], exact[key], rounded[key]) for key in gold]
    difference, r2_difference = (max(values) for values in zip(*checks, strict=True))
    same = difference <= MAX_DIFFERENCE and r2_difference <= MAX_R2_DIFFERENCE
    precision = "auto" if same else "float32"
    return PrecisionCheck(precision, len(docs), difference, r2_difference)


def _regressors(nlp: Language) -> list[Regressor]:
    components: list[object] = [component for _, component in nlp.pipeline]
    return [component for component in components if isinstance(component, Regressor)]


def _predict(pipeline: Path, settings: dict[str, Any], docs: list[Doc]) -> dict[str, Floats]:
    nlp = spacy.load(pipeline, config=settings)
    keys = [key for regressor in _regressors(nlp) for key in regressor.output_keys.values()]
    # New documents with what belongs to the old: covariates are in user_data.
    fresh = [Doc(nlp.vocab, [t.text for t in d], [bool(t.whitespace_) for t in d]) for d in docs]
    for doc, old in zip(fresh, docs, strict=True):
        doc.user_data.update(old.user_data)
    rows = [[doc.cats[key] for key in keys] for doc in nlp.pipe(fresh)]
    return dict(zip(keys, np.array(rows).T, strict=True))


def _differences(gold: Floats, exact: Floats, rounded: Floats) -> tuple[float, float]:
    spread = exact.std()
    difference = 0.0
    if spread > 0:
        difference = float(np.quantile(np.abs(exact - rounded) / spread, 0.999))
    known = ~np.isnan(gold)
    r2 = [r_squared(gold[known], values[known]) or 0.0 for values in (exact, rounded)]
    return difference, abs(r2[0] - r2[1])
