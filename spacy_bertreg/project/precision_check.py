"""Whether a pipeline predicts the same in bfloat16, with weights stored in it, and in int8."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.training import Example
from thinc.api import Model

from ..comparison.calibrate import predict_docs
from ..comparison.test_set import read_docs
from ..data.corpus import Corpus_v1
from ..evaluation.metrics import r_squared
from ..layers.freezable_shim import FreezableShim
from ..layers.half_weights import round_weights
from ..pipeline.regressor import find_regressors
from ..scoring.loading import load_pipeline
from ..targets.gold import gold_values

Floats = NDArray[np.float64]

# In standard deviations of the predictions, at the 99.9th percentile; and in R².
MAX_DIFFERENCE, MAX_R2_DIFFERENCE = 0.02, 0.002
# A difference that can be seen, in standard deviations of the predictions; and the largest share of
# predictions that may differ by more in int8.
VISIBLE, MAX_SHARE_MOVED = 0.05, 0.01


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


class WeightsCheck(NamedTuple):
    """How predictions with weights that were rounded to bfloat16 differ from those without.

    documents (int): Number of documents compared.
    difference (float): In standard deviations, at the 99.9th percentile of the documents.
    share_moved (float): Share of the predictions that differ by more than 0.05 standard deviations.
    r2_difference (float): In R². All are the greatest over the targets.
    """

    documents: int
    difference: float
    share_moved: float
    r2_difference: float

    @property
    def passes(self) -> bool:
        """Whether the predictions are the same, by the limits of `check_precision`."""
        return self.difference <= MAX_DIFFERENCE and self.r2_difference <= MAX_R2_DIFFERENCE

    def describe(self) -> str:
        """Say it in a sentence, in Markdown."""
        return (
            f"With the transformer's weights stored in bfloat16, predictions for "
            f"{self.documents:,} documents of the dev set differ from those before by at most "
            f"{self.difference:.3f} standard deviations in 999 of 1,000, {self.share_moved:.1%} of "
            f"them by more than {VISIBLE}, and R² by {self.r2_difference:.4f}."
        )


class Int8Check(NamedTuple):
    """How predictions in int8 differ from those in float32.

    precision (str): "int8" if they may be used, or "float32".
    documents (int): Number of documents compared.
    difference (float): In standard deviations, at the 99.9th percentile of the documents.
    share_moved (float): Share of predictions that differ by more than 0.05 standard deviations.
    r2_difference (float): In R². All are the greatest over the targets.
    """

    precision: str
    documents: int
    difference: float
    share_moved: float
    r2_difference: float

    def describe(self) -> str:
        """Say it in a sentence, in Markdown."""
        return (
            f"In int8, {self.share_moved:.1%} of the predictions for {self.documents:,} documents "
            f"differ from those in float32 by more than {VISIBLE} standard deviations, 999 of 1,000"
            f" by at most {self.difference:.3f}, and R² by {self.r2_difference:.4f}."
        )


def check_int8(exact: Language, rounded: Language, examples: list[Example]) -> Int8Check:
    """Compare predictions in int8 with those in float32.

    exact, rounded (Language): The same pipeline in float32 and in int8.
    examples (list[Example]): Documents, with their observed values.
    RETURNS (Int8Check): How they differ.
    """
    difference, moved, r2_difference = _compare(exact, rounded, examples)
    same = moved <= MAX_SHARE_MOVED and r2_difference <= MAX_R2_DIFFERENCE
    precision = "int8" if same else "float32"
    return Int8Check(precision, len(examples), difference, moved, r2_difference)


def check_weights(pipeline: Path, data: Path) -> WeightsCheck:
    """Compare predictions in float32, with weights that were rounded to bfloat16 and without.

    pipeline (Path): Folder of a trained pipeline.
    data (Path): Documents with observed values, a .spacy file.
    RETURNS (WeightsCheck): How they differ.
    RAISES (ValueError, FileNotFoundError): The pipeline can't be loaded or has no transformer of
        this package, or `data` can't be read or holds no documents.
    """
    read_docs(data)  # for its errors
    exact, rounded = load_pipeline(pipeline), load_pipeline(pipeline)
    for nlp in (exact, rounded):
        for shim in find_transformers(nlp):
            shim.precision = "float32"
            if nlp is rounded:
                round_weights(shim._model)
    examples = list(Corpus_v1(data)(exact))
    return WeightsCheck(len(examples), *_compare(exact, rounded, examples))


def find_transformers(nlp: Language) -> list[FreezableShim]:
    """Find the transformers of a pipeline.

    RAISES (ValueError): It has no `spacy-bertreg.TransformerModel.v1`.
    """
    models = [getattr(part, "model", None) for _, part in nlp.pipeline]
    nodes = [node for model in models if isinstance(model, Model) for node in model.walk()]
    shims = [shim for node in nodes for shim in node.shims if isinstance(shim, FreezableShim)]
    if not shims:
        raise ValueError(
            "The pipeline has no transformer with a spacy-bertreg.TransformerModel.v1. It has: "
            f"{nlp.pipe_names}."
        )
    return list({id(shim): shim for shim in shims}.values())


def check_precision(
    pipeline: Path, data: Path, *, rounds_weights: bool = False
) -> PrecisionCheck | Int8Check | None:
    """Compare predictions in bfloat16, or of a pipeline in int8 those, with those in float32.

    pipeline (Path): Folder of a trained pipeline.
    data (Path): Documents with observed values, a .spacy file.
    rounds_weights (bool): Whether to round the weights to bfloat16 for int8, as they will be saved.
    RETURNS (PrecisionCheck | Int8Check | None): None if the pipeline has no transformer with a
        precision.
    RAISES (ValueError, FileNotFoundError): The pipeline can't be loaded, or `data` can't be read or
        holds no documents.
    """
    read_docs(data)  # for its errors
    config = load_pipeline(pipeline).config["components"]
    model = config.get("transformer", {}).get("model", {})
    if "precision" not in model:
        return None
    lower = "int8" if model["precision"] == "int8" else "bfloat16"
    exact, rounded = (load_pipeline(pipeline, precision) for precision in ("float32", lower))
    examples = list(Corpus_v1(data)(exact))
    if lower == "int8":
        for shim in find_transformers(rounded) if rounds_weights else ():
            round_weights(shim._model)
        return check_int8(exact, rounded, examples)
    difference, _, r2_difference = _compare(exact, rounded, examples)
    same = difference <= MAX_DIFFERENCE and r2_difference <= MAX_R2_DIFFERENCE
    precision = "auto" if same else "float32"
    return PrecisionCheck(precision, len(examples), difference, r2_difference)


def _compare(exact: Language, rounded: Language, examples: list[Example]) -> list[float]:
    """Find the greatest differences over all targets; see `_differences`."""
    differences = [
        _differences(
            gold_values(examples, regressor.targets),
            *(predict_docs(nlp, regressor.name, examples).values for nlp in (exact, rounded)),
        )
        for regressor in find_regressors(exact)
    ]
    return np.max(differences, axis=0).tolist()


def _differences(gold: Floats, exact: Floats, rounded: Floats) -> tuple[float, float, float]:
    """Find the greatest differences over the targets: in standard deviations, as a share of
    predictions with a visible one, and in R²; all arrays are of shape (documents, targets)."""
    in_deviations, moved, in_r2 = [], [], []
    for observed, high, low in zip(gold.T, exact.T, rounded.T, strict=True):
        spread = high.std()
        far = np.abs(high - low) / spread if spread > 0 else np.zeros(len(high))
        in_deviations.append(float(np.quantile(far, 0.999)))
        moved.append(float((far > VISIBLE).mean()))
        known = ~np.isnan(observed)
        r2 = [r_squared(observed[known], values[known]) or 0.0 for values in (high, low)]
        in_r2.append(abs(r2[0] - r2[1]))
    return max(in_deviations), max(moved), max(in_r2)
