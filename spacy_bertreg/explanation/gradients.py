"""Explanations by gradients with respect to word embeddings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc

from .parts import Explanation, Floats, RegressorParts, word_units
from .passes import Pass, TransformerPasses

# Intervals of the path to begin with.
FIRST_STEPS = 4
# Most steps there can be; a power of 2.
MOST_STEPS = 2**16


@dataclass(frozen=True)
class IntegratedGradients:
    """Integrate the gradient along the straight path on which each word turns from the mask into
    itself, and covariates from their means into their values (Sundararajan, Taly & Yan 2017, ICML).
    Base and contributions sum to the prediction as far as the integral is exact: the number of
    steps doubles, for the texts that need it, until they do.

    tolerance (float): Largest error of the sum, in the target's standard deviations.
    max_steps (int): Steps at which to stop all the same; the rest is in `error`.
    """

    tolerance: float = 0.01
    max_steps: int = 256

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance is {self.tolerance}. Expected more than 0.")
        if self.max_steps < FIRST_STEPS or MOST_STEPS % self.max_steps:
            raise ValueError(
                f"max_steps is {self.max_steps}. Expected a power of 2, {FIRST_STEPS} or more."
            )

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word."""
        passes = TransformerPasses(parts, docs)
        found: list[dict[int, Pass]] = [{} for _ in docs]
        explanations: dict[int, Explanation] = {}
        steps = FIRST_STEPS
        while True:
            pending = [number for number in range(len(docs)) if number not in explanations]
            # Those of half as many steps are among them.
            nodes = range(0, MOST_STEPS + 1, MOST_STEPS // steps)
            new = [
                (number, node) for number in pending for node in nodes if node not in found[number]
            ]
            results = passes.run([(number, _place(node)) for number, node in new])
            for (number, node), result in zip(new, results, strict=True):
                found[number][node] = result
            is_last = steps * 2 > self.max_steps
            for number in pending:
                path = [found[number][node] for node in nodes]
                explanation = _integrate(passes, docs[number], path)
                if is_last or (abs(explanation.error) / parts.unit).max() <= self.tolerance:
                    explanations[number] = explanation
                    found[number] = {}
            if len(explanations) == len(docs):
                return [explanations[number] for number in range(len(docs))]
            steps *= 2


@dataclass(frozen=True)
class GradientTimesInput:
    """Multiply the gradient at the text by the difference between each word's embedding and the
    mask's. One pass, but the products do not add up by themselves: the base is what is left."""

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word."""
        passes = TransformerPasses(parts, docs)
        results = passes.run([(number, 1.0) for number in range(len(docs))])
        return [
            explain_by_rest(
                word_units(doc),
                result.values,
                result.tokens,
                passes.head.by_covariate(result.columns),
            )
            for doc, result in zip(docs, results, strict=True)
        ]


def explain_by_rest(
    units: list[tuple[int, int]],
    values: Floats,
    tokens: Any,
    covariates: dict[str, Floats],
) -> Explanation:
    """Make an explanation whose base is what contributions leave of the prediction.

    units (list[tuple[int, int]]): The words.
    values (ndarray): The prediction of each target.
    tokens (ndarray): What each token adds, shape (tokens, targets).
    covariates (dict[str, ndarray]): What each covariate adds.
    RETURNS (Explanation): The explanation, without an error.
    """
    contributions = tokens[[start for start, _ in units]].astype(np.float64)
    base = values - sum(covariates.values(), contributions.sum(axis=0))
    return Explanation(units, base, contributions, covariates, np.zeros(len(values)))


def _integrate(passes: TransformerPasses, doc: Doc, path: list[Pass]) -> Explanation:
    """Integrate the passes at the places of a path from 0 to 1."""
    weights = _weights(len(path) - 1)
    tokens = np.einsum("p,pnt->nt", weights, np.stack([step.tokens for step in path]))
    columns = np.einsum("p,pct->ct", weights, np.stack([step.columns for step in path]))
    units, covariates = word_units(doc), passes.head.by_covariate(columns)
    contributions = tokens[[start for start, _ in units]]
    base = path[0].values
    error = path[-1].values - base - sum(covariates.values(), contributions.sum(axis=0))
    return Explanation(units, base, contributions, covariates, error)


def _place(node: int) -> float:
    """Get the place of a node on the path: close to each other at its ends."""
    return (1 - math.cos(math.pi * node / MOST_STEPS)) / 2


def _weights(steps: int) -> Floats:
    """Get the weights of Clenshaw-Curtis quadrature, which integrates polynomials of the degree
    `steps` exactly and many functions as well as Gauss' (Trefethen 2008, SIAM Review 50:67-87).

    steps (int): Even.
    RETURNS (ndarray): For the `_place` of each node.
    """
    angles = np.pi * np.arange(steps + 1) / steps
    frequencies = np.arange(1, steps // 2 + 1)
    factors = np.where(frequencies == steps // 2, 1.0, 2.0) / (4.0 * frequencies**2 - 1)
    weights = (1 - np.cos(2 * np.outer(angles, frequencies)) @ factors) / steps
    weights[[0, -1]] /= 2
    return weights
