"""The parts of a `text_regressor` that explanations need, and the number that they explain."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Model

from ..layers.covariates import covariate_scale
from ..targets.predictions import Predictions
from ..targets.scale import TargetScale
from ..training.losses import Loss

Floats = NDArray[np.float64]

# Step of the outputs, on the model's scale, for the numerical derivative of a loss's prediction.
STEP = 1e-4


@dataclass(frozen=True)
class Explanation:
    """What the parts of one text add to its prediction.

    units (list[tuple[int, int]]): First token of each part, and the one behind its last.
    base (ndarray): For each target, the prediction without the parts.
    contributions (ndarray): What each part adds, shape (units, targets).
    covariates (dict[str, ndarray]): What each covariate adds to each target's prediction.
    error (ndarray): For each target, the prediction less base, contributions and covariates.
    """

    units: list[tuple[int, int]]
    base: Floats
    contributions: Floats
    covariates: dict[str, Floats]
    error: Floats

    @property
    def prediction(self) -> Floats:
        """Get the explained prediction of each target."""
        added = sum(self.covariates.values(), self.contributions.sum(axis=0))
        return self.base + added + self.error


@dataclass(frozen=True)
class RegressorParts:
    """The parts of a text_regressor. The explained number is the prediction in the target's unit;
    where the transform is curved, on the transformed scale; with a log link, its logarithm.

    name (str): Name of the component.
    model (Model): Its model.
    loss (Loss): The loss, which says what the model's outputs are.
    scale (TargetScale): Between the model's scale and the target's unit.
    nlp (Language): The pipeline.
    predict (Callable): Predicts for documents that the pipeline has read up to the component.
    """

    name: str
    model: Model[list[Doc], Any]
    loss: Loss
    scale: TargetScale
    nlp: Language
    predict: Callable[[list[Doc]], Predictions]

    @property
    def targets(self) -> tuple[str, ...]:
        """Get the names of the targets."""
        return self.scale.targets

    @property
    def unit(self) -> Floats:
        """Get the explained number's unit for each target, to compare errors: the target's standard
        deviation where it is known, else 1."""
        std = np.array(self.scale.std)
        return np.ones_like(std) if self.loss.log_link else std

    def from_scaled(self, scaled: Floats) -> Floats:
        """Turn predictions on the model's scale into the explained number, shape (..., targets)."""
        std, mean = np.array(self.scale.std), np.array(self.scale.mean)
        return np.log(scaled * std) if self.loss.log_link else scaled * std + mean

    def from_outputs(self, outputs: Floats) -> Floats:
        """Turn outputs of the model, shape (documents, targets * n_outputs), into the explained
        number, shape (documents, targets)."""
        shape = len(outputs), len(self.targets), self.loss.n_outputs
        return self.from_scaled(self.loss.point(outputs.reshape(shape)))

    def derivative(self, outputs: Floats) -> Floats:
        """Differentiate the explained number by the outputs, by central differences: most losses
        take one output as it is, but a median may be a sum of steps.

        outputs (ndarray): Shape (documents, targets * n_outputs).
        RETURNS (ndarray): Of the same shape: each target depends on its own outputs alone.
        """
        derivative = np.zeros_like(outputs)
        n = self.loss.n_outputs
        for place in range(n):
            step = np.zeros_like(outputs)
            step[:, place::n] = STEP
            change = self.from_outputs(outputs + step) - self.from_outputs(outputs - step)
            derivative[:, place::n] = change / (2 * STEP)
        return derivative

    def without_words(self) -> Explanation:
        """Explain the prediction for a document of nothing but white space."""
        n_targets = len(self.targets)
        base = self.from_outputs(np.zeros((1, n_targets * self.loss.n_outputs)))[0]
        nothing = np.zeros(n_targets)
        names = covariate_scale(self.model.get_ref("with_covariates")).names
        covariates = dict.fromkeys(names, nothing)
        return Explanation([], base, np.zeros((0, n_targets)), covariates, nothing)


def word_units(doc: Doc) -> list[tuple[int, int]]:
    """Get the tokens of a document that are not white space, as units."""
    return [(token.i, token.i + 1) for token in doc if not token.is_space]
