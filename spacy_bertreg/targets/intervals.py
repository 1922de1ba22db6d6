"""Prediction intervals with guaranteed coverage: split conformal prediction.

If calibration documents and new documents come from the same source (they are exchangeable), the
interval of a new document holds its value with a probability of the level or more, whatever the
model (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, JASA 113:1094-1111).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .predictions import Predictions

Floats = NDArray[np.float64]

METHODS = ("plain", "normalised", "quantiles")


@dataclass(frozen=True)
class Calibration:
    """How wide intervals are, learned from documents that the model was not trained on.

    method (str): "plain": prediction ± width. "normalised": prediction ± width times the predicted
        standard deviation (Lei et al. 2018, section 5.2). "quantiles": the outermost predicted
        quantiles, each moved out by the width, which may be negative (Romano, Patterson & Candès
        2019, NeurIPS).
    level (float): The share of new values that intervals are to hold.
    widths (tuple[float, ...]): The width for each target, on the model's scale.
    n (tuple[int, ...]): The number of calibration documents for each target.
    """

    method: str
    level: float
    widths: tuple[float, ...]
    n: tuple[int, ...]

    @classmethod
    def fit(
        cls,
        predictions: Predictions,
        gold: Floats,
        level: float,
        method: str,
        targets: Sequence[str],
        weights: Floats | None = None,
    ) -> "Calibration":
        """Find from calibration documents how wide intervals must be.

        predictions (Predictions): Predictions for the calibration documents.
        gold (ndarray): The observed values on the model's scale, shape (documents, targets), NaN
            where unknown.
        level (float): Between 0 and 1.
        method (str): One of `METHODS`.
        targets (Sequence[str]): Their names, for the errors.
        weights (ndarray | None): How much each document counts, shape (documents,), where a new
            document counts 1; None for 1. They must not depend on the values. Coverage then falls
            below the level by no more than documents of much weight differ from new ones (Barber,
            Candès, Ramdas & Tibshirani 2023, Annals of Statistics 51:816-845).
        RETURNS (Calibration): The calibration.
        RAISES (ValueError): The model does not predict what the method needs, the level is out of
            range, or a target has too few values for the level.
        """
        check_level(level)
        low, high, unit = _band(predictions, method)
        nonconformity = np.maximum(low - gold, gold - high) / unit
        widths, n = [], []
        for target, column in zip(targets, nonconformity.T, strict=True):
            is_known = ~np.isnan(column)
            known = column[is_known]
            own = np.ones(len(known)) if weights is None else weights[is_known]
            widths.append(_quantile(known, own, level, target))
            n.append(len(known))
        return cls(method, level, tuple(widths), tuple(n))

    def intervals(self, predictions: Predictions) -> Floats:
        """Make intervals of predictions.

        RETURNS (ndarray): Low and high ends on the model's scale, shape (documents, targets, 2).
        """
        low, high, unit = _band(predictions, self.method)
        width = np.array(self.widths) * unit
        low, high = low - width, high + width
        # Quantiles that were moved inwards may have crossed.
        middle = (low + high) / 2
        return np.stack([np.minimum(low, middle), np.maximum(high, middle)], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Turn into lists and numbers for msgpack."""
        return {**self.__dict__, "widths": list(self.widths), "n": list(self.n)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Calibration":
        """Read what `to_dict` made."""
        return cls(data["method"], data["level"], tuple(data["widths"]), tuple(data["n"]))


def check_level(level: float) -> None:
    """Check that a level is between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"The level is {level}. Expected a number between 0 and 1, such as 0.9.")


def default_method(predictions: Predictions) -> str:
    """Choose the method that uses most of what the model predicts."""
    if predictions.quantiles is not None:
        return "quantiles"
    return "plain" if predictions.spread is None else "normalised"


def is_inside(gold: Floats, intervals: Floats) -> NDArray[np.bool_]:
    """Tell for each document whether the observed value is in its interval.

    gold (ndarray): Observed values, shape (documents,).
    intervals (ndarray): Low and high ends, shape (documents, 2).
    RETURNS (ndarray): Shape (documents,).
    """
    low, high = intervals.T
    return (low <= gold) & (gold <= high)


def _quantile(values: Floats, weights: Floats, level: float, target: str) -> float:
    """Find the least value up to which the weights sum to a share `level` of all weight. A new
    document, whose value could be anywhere, adds a weight of 1 to all weight."""
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weights[order])
    total = float(up_to[-1]) if len(values) else 0.0
    # Rounded, as 0.9 times 10 is not 9 in floating point.
    place = int(np.searchsorted(np.round(up_to, 9), round((total + 1) * level, 9)))
    if place >= len(values):
        counted = "" if np.all(weights == 1) else f", which count as {total:.1f} by their weights,"
        raise ValueError(
            f"{len(values)} documents with a known value for {target!r}{counted} are too few for "
            f"intervals of level {level:g}. Expected "
            f"{math.ceil(round(level / (1 - level), 9))} or more."
        )
    return float(values[order[place]])


def _band(predictions: Predictions, method: str) -> tuple[Floats, Floats, Floats]:
    """Find low and high ends of intervals before they are widened, and the unit of widths."""
    scaled = predictions.scaled
    if method == "plain":
        return scaled, scaled, np.ones_like(scaled)
    if method == "normalised" and predictions.spread is not None:
        return scaled, scaled, predictions.spread
    if method == "quantiles" and predictions.quantiles is not None:
        quantiles = predictions.quantiles
        return quantiles[..., 0], quantiles[..., -1], np.ones_like(scaled)
    takes = {
        "normalised": "spacy-bertreg.gaussian.v1 or spacy-bertreg.poisson.v1",
        "quantiles": "spacy-bertreg.pinball.v1",
    }
    if method in takes:
        raise ValueError(f"The method {method!r} needs a model trained with {takes[method]}.")
    raise ValueError(f"The method is {method!r}. Expected one of {', '.join(METHODS)}.")
