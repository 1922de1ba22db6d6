"""From a trained pipeline to one whose transformer computes in int8."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from spacy.language import Language
from spacy.training import Example

from ..comparison.calibrate import calibrate_component, check_output, write_pipeline
from ..comparison.test_set import read_docs
from ..data.corpus import Corpus_v1
from ..data.files import check_folder
from ..layers.backends import check_backend
from ..layers.int8 import Int8Ranges
from ..layers.windows import model_inputs, tokenize
from ..pipeline.regressor import Regressor, find_regressors
from ..scoring.loading import import_code, load_pipeline
from .precision_check import (
    MAX_R2_DIFFERENCE,
    MAX_SHARE_MOVED,
    Int8Check,
    check_int8,
    find_transformers,
)

# Documents, and windows of them, that ranges are measured on.
CALIBRATION = 300
# With fewer, the share of predictions that move could not be told from none.
FEWEST_DOCUMENTS = 100


class Quantized(NamedTuple):
    """What was written, and what was found.

    check (Int8Check): On the documents that no ranges were measured on.
    calibrated_on (int): Number of documents that ranges were measured on.
    intervals (dict[str, str | None]): For each regressor that has intervals, None if they were
        calibrated again, in int8, and otherwise why not.
    """

    check: Int8Check
    calibrated_on: int
    intervals: dict[str, str | None]


def quantize(
    pipeline: Path, data: Path, output: Path, *, seed: int = 0, code: Path | None = None
) -> Quantized:
    """Write a pipeline whose transformer computes in int8, by OpenVINO: post-training quantization
    of its linear layers.

    Half of the documents, at most 300, are drawn at random: on them, the ranges of what the layers
    get are measured. On the others, predictions in int8 are compared with those in float32, and
    intervals, if the pipeline has such, are calibrated again.

    pipeline (Path): Folder of the trained pipeline. It stays as it is.
    data (Path): At least 100 documents, a .spacy file, from neither training nor test set.
    output (Path): Folder to write to, new, empty, or of a pipeline with the same components.
    seed (int): Of the draw.
    code (Path | None): Python file with registered functions of the config.
    RETURNS (Quantized): What was found.
    RAISES (ValueError, OSError, ImportError): OpenVINO is not installed; wrong input; or more than
        1 % of the predictions move by more than 0.05 standard deviations, or R² by more than 0.002.
        Nothing is written.
    """
    check_backend("torch", "int8")
    check_folder(output, [pipeline])
    import_code(code)
    n_documents = len(read_docs(data))
    if n_documents < FEWEST_DOCUMENTS:
        raise ValueError(
            f"{data} has {n_documents} documents. Expected {FEWEST_DOCUMENTS} or more: one half to "
            "measure ranges on, the other to compare predictions on."
        )
    exact = load_pipeline(pipeline)
    if not find_regressors(exact):
        raise ValueError(f"The pipeline {pipeline} has no regressor. It has: {exact.pipe_names}.")
    check_output(exact, output)
    for shim in find_transformers(exact):
        shim.precision = "float32"
    rounded = load_pipeline(pipeline, "int8")
    examples = list(Corpus_v1(data)(exact))
    order = np.random.default_rng(seed).permutation(len(examples))
    measured = [examples[i] for i in order[: min(CALIBRATION, len(examples) // 2)]]
    rest = [examples[i] for i in order[len(measured) :]]
    ranges = _measure(exact, measured, seed)
    for shim in find_transformers(rounded):
        shim.int8 = ranges
    check = check_int8(exact, rounded, rest)
    if check.precision != "int8":
        raise ValueError(
            f"{check.describe()} Expected at most {MAX_SHARE_MOVED:.0%} of the predictions, and "
            f"{MAX_R2_DIFFERENCE} of R². Nothing was written. Use this pipeline in float32 or "
            "bfloat16."
        )
    intervals = {
        regressor.name: _calibrate_again(rounded, regressor, rest, data)
        for regressor in find_regressors(rounded)
        if regressor.calibration is not None
    }
    rounded.meta["precision"] = check._asdict()
    write_pipeline(rounded, output)
    return Quantized(check, len(measured), intervals)


def _measure(nlp: Language, examples: list[Example], seed: int) -> Int8Ranges:
    """Measure ranges on windows of some documents."""
    model = nlp.get_pipe("transformer").model  # type: ignore[attr-defined]
    spans = model.attrs["get_spans"]([example.predicted for example in examples])
    windows = [window for of_doc in tokenize(model, spans) for window in of_doc]
    if not windows:
        raise ValueError(f"{len(examples)} documents were drawn, none of which has any words.")
    drawn = np.random.default_rng(seed).permutation(len(windows))[:CALIBRATION]
    batches = [model_inputs([windows[i]], len(windows[i]), None) for i in drawn]
    return Int8Ranges.measure(model.transformer, batches)


def _calibrate_again(
    nlp: Language, regressor: Regressor, examples: list[Example], data: Path
) -> str | None:
    """Calibrate a regressor's intervals in int8; if that can't be done, return why."""
    old = regressor.calibration
    if old is None:
        return None
    settings = str(data), old.level, old.method, None
    try:
        calibrate_component(nlp, regressor.name, regressor, examples, *settings)
    except ValueError as error:
        return str(error)
    return None
