"""Whether a pipeline predicts the same in bfloat16."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..comparison.calibrate import predict_docs
from ..comparison.test_set import read_docs
from ..data.corpus import Corpus_v1
from ..evaluation.metrics import r_squared
from ..pipeline.regressor import find_regressors
from ..scoring.loading import load_pipeline
from ..targets.gold import gold_values

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


def check_precision(pipeline: Path, data: Path) -> PrecisionCheck | None:
    """Compare predictions in bfloat16 with those in float32.

    pipeline (Path): Folder of a trained pipeline.
    data (Path): Documents with observed values, a .spacy file.
    RETURNS (PrecisionCheck | None): None if the pipeline has no transformer with a precision.
    RAISES (ValueError, FileNotFoundError): The pipeline can't be loaded, or `data` can't be read or
        holds no documents.
    """
    read_docs(data)  # for its errors
    config = load_pipeline(pipeline).config["components"]
    if "precision" not in config.get("transformer", {}).get("model", {}):
        return None
    exact, rounded = (load_pipeline(pipeline, precision) for precision in ("float32", "bfloat16"))
    examples = list(Corpus_v1(data)(exact))
    differences = [
        _differences(
            gold_values(examples, regressor.targets),
            *(predict_docs(nlp, regressor.name, examples).values for nlp in (exact, rounded)),
        )
        for regressor in find_regressors(exact)
    ]
    difference, r2_difference = np.max(differences, axis=0).tolist()
    same = difference <= MAX_DIFFERENCE and r2_difference <= MAX_R2_DIFFERENCE
    precision = "auto" if same else "float32"
    return PrecisionCheck(precision, len(examples), difference, r2_difference)


def _differences(gold: Floats, exact: Floats, rounded: Floats) -> tuple[float, float]:
    """Find the greatest differences over the targets, in standard deviations and in R²; all arrays
    are of shape (documents, targets)."""
    in_deviations, in_r2 = [], []
    for observed, high, low in zip(gold.T, exact.T, rounded.T, strict=True):
        spread = high.std()
        far = np.quantile(np.abs(high - low), 0.999)
        in_deviations.append(far / spread if spread > 0 else 0.0)
        known = ~np.isnan(observed)
        r2 = [r_squared(observed[known], values[known]) or 0.0 for values in (high, low)]
        in_r2.append(abs(r2[0] - r2[1]))
    return max(in_deviations), max(in_r2)
