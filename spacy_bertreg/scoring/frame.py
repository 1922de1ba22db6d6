"""Predictions for a pandas data frame."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from spacy.language import Language

from ..data.tables.decimals import parse_number
from .fold_predictor import AnyPredictor, load_predictor
from .predictor import Predictor, PredictorSettings

if TYPE_CHECKING:
    import pandas as pd


def score_frame(
    nlp: Language | str | Path,
    frame: "pd.DataFrame",
    text: str = "text",
    *,
    batch_size: int | None = None,
    model: str | None = None,
    level: float | None = None,
) -> "pd.DataFrame":
    """Add a trained pipeline's predictions to a data frame.

    nlp (Language | str | Path): The pipeline, or its folder or package; or a folder that
        `crossval --keep-models` wrote, for the mean of its models' predictions and CV+ intervals.
    frame (DataFrame): With a column of texts, and one for each covariate of the pipeline. A missing
        text counts as an empty one, which gets the prediction for no evidence.
    text (str): The column of texts.
    batch_size (int | None): Documents scored together; None for that of the pipeline.
    model (str | None), level (float | None): Of a cross-validation, see `score_file`.
    RETURNS (DataFrame): A copy with the same index, and for each target the column
        `{target}_predicted`, in the target's unit, and, of a calibrated regressor or a
        cross-validation, `{target}_low` and `{target}_high`.
    RAISES (ValueError): A column is missing or there already, a cell holds no text or number, or a
        text can't be scored.
    """
    predictor: AnyPredictor
    if not isinstance(nlp, Language):
        predictor = load_predictor(
            PredictorSettings(str(nlp), batch_size=batch_size, model=model, level=level)
        )
    elif model is not None or level is not None:
        raise ValueError("model and level are those of a cross-validation. Expected its folder.")
    else:
        predictor = Predictor(nlp, batch_size)
    for name in (text, *predictor.covariates):
        if name not in frame.columns:
            raise ValueError(
                f"The frame has no column {name!r}. It has: {', '.join(map(str, frame.columns))}."
            )
    if taken := [name for name in predictor.columns if name in frame.columns]:
        raise ValueError(f"The frame has a column {taken[0]!r} already. Expected none.")
    missing = frame[text].isna()
    texts = frame[text].where(~missing, "").tolist()
    for label, value in zip(frame.index, texts, strict=True):
        if not isinstance(value, str):
            raise ValueError(f"Row {label!r}, column {text!r}: found {value!r}. Expected a text.")
    covariates: list[dict[str, float | None]] = [{} for _ in texts]
    for name in predictor.covariates:
        for row, value in enumerate(frame[name].tolist()):
            number = parse_number(value)
            if math.isinf(number):
                raise ValueError(
                    f"Row {frame.index[row]!r}, column {name!r}: found {value!r}. Expected a "
                    "finite number, or nothing where it is unknown."
                )
            covariates[row][name] = None if math.isnan(number) else number
    predicted = predictor(texts, covariates)
    if predicted.failed:
        place, reason = next(iter(predicted.failed.items()))
        raise ValueError(f"Row {frame.index[place]!r} can't be scored: {reason}.")
    columns = {
        name: [numbers[place] for numbers in predicted.rows]
        for place, name in enumerate(predictor.columns)
    }
    return frame.assign(**columns)
