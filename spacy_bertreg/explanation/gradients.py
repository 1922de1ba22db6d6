"""Explanations by gradients with respect to word embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc

from .head import Head
from .parts import Explanation, Floats, RegressorParts, word_units
from .passes import Pass, TransformerPasses

# Number of intervals of the path to begin with; those with at least this share of the largest error
# are halved.
FIRST_STEPS, SHARE = 4, 0.25
# Places on the path are whole numbers from 0 to this.
END = 2**20


@dataclass(frozen=True)
class IntegratedGradients:
    """Integrate the gradient along the straight path on which each word turns from the mask into
    itself, and covariates from their means into their values (Sundararajan, Taly & Yan 2017, ICML).
    Base and contributions sum to the prediction as far as the integral is exact.

    The trapezoidal rule is refined where it is inexact, and only for the texts that need it: the
    difference between the predictions at the ends of an interval is its exact integral.

    tolerance (float): Largest error of the sum, in the target's standard deviations.
    max_steps (int): Largest number of intervals; the error that is left is in `error`.
    """

    tolerance: float = 0.01
    max_steps: int = 256

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance is {self.tolerance}. Expected more than 0.")
        if self.max_steps < FIRST_STEPS:
            raise ValueError(f"max_steps is {self.max_steps}. Expected {FIRST_STEPS} or more.")

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word."""
        passes = TransformerPasses(parts, docs)
        paths: list[_Path] = [_Path({}) for _ in docs]
        pending = {number: _Path.start() for number in range(len(docs))}
        while pending:
            items = [(number, node) for number, nodes in pending.items() for node in nodes]
            results = passes.run([(number, node / END) for number, node in items])
            for (number, node), result in zip(items, results, strict=True):
                paths[number].passes[node] = result
            refined = {
                number: paths[number].refine(self.tolerance * parts.unit, self.max_steps)
                for number in pending
            }
            pending = {number: nodes for number, nodes in refined.items() if nodes}
        return [
            path.explain(word_units(doc), passes.head)
            for doc, path in zip(docs, paths, strict=True)
        ]


@dataclass(frozen=True)
class _Path:
    """The path of a document from the mask to the text.

    passes (dict[int, Pass]): Results of the passes, by place from 0 to END.
    """

    passes: dict[int, Pass]

    @staticmethod
    def start() -> list[int]:
        """Get the first places."""
        return list(range(0, END + 1, END // FIRST_STEPS))

    def refine(self, tolerance: Floats, max_steps: int) -> list[int]:
        """Find the places to add: none if the error of the sum is tolerable for each target."""
        nodes = sorted(self.passes)
        values = np.stack([self.passes[node].values for node in nodes])
        slopes = np.stack([_slope(self.passes[node]) for node in nodes])
        widths = np.diff(nodes) / END
        areas = (slopes[1:] + slopes[:-1]) / 2 * widths[:, None]
        errors = (np.diff(values, axis=0) - areas) / tolerance
        n_left = max_steps - len(widths)
        if np.abs(errors.sum(axis=0)).max() <= 1 or n_left <= 0:
            return []
        sizes = np.abs(errors).max(axis=1)
        worst = [n for n in np.argsort(-sizes, kind="stable") if sizes[n] >= SHARE * sizes.max()]
        return [(nodes[n] + nodes[n + 1]) // 2 for n in worst[:n_left] if widths[n] * END > 1]

    def explain(self, units: list[tuple[int, int]], head: Head) -> Explanation:
        """Integrate."""
        nodes = sorted(self.passes)
        path = [self.passes[node] for node in nodes]
        widths = np.diff(nodes) / END
        weights = (np.append(widths, 0) + np.append(0, widths)) / 2
        tokens = np.einsum("p,pnt->nt", weights, np.stack([step.tokens for step in path]))
        columns = np.einsum("p,pct->ct", weights, np.stack([step.columns for step in path]))
        covariates, base = head.by_covariate(columns), path[0].values
        contributions = tokens[[start for start, _ in units]]
        error = path[-1].values - base - sum(covariates.values(), contributions.sum(axis=0))
        return Explanation(units, base, contributions, covariates, error)


def _slope(step: Pass) -> Floats:
    """Get how fast the prediction of each target changes at a place of the path."""
    return step.tokens.sum(axis=0, dtype=np.float64) + step.columns.sum(axis=0)


@dataclass(frozen=True)
class GradientTimesInput:
    """Multiply the gradient at the text by the difference between each word's embedding and the
    mask's. One pass, but the products do not sum to the prediction: the base is the rest."""

    def __call__(self, parts: RegressorParts, docs: Sequence[Doc]) -> list[Explanation]:
        """Explain the predictions for documents, each with a word."""
        return explain_in_one_pass(TransformerPasses(parts, docs), docs)


def explain_in_one_pass(passes: TransformerPasses, docs: Sequence[Doc]) -> list[Explanation]:
    """Explain by one pass at the text itself, with the rest as base.

    passes (TransformerPasses): Of the documents.
    docs (Sequence[Doc]): The documents.
    RETURNS (list[Explanation]): For each document.
    """
    results = passes.run([(number, 1.0) for number in range(len(docs))])
    return [
        explain_by_rest(
            word_units(doc), result.values, result.tokens, passes.head.by_covariate(result.columns)
        )
        for doc, result in zip(docs, results, strict=True)
    ]


def explain_by_rest(
    units: list[tuple[int, int]],
    values: Floats,
    tokens: Any,
    covariates: dict[str, Floats],
) -> Explanation:
    """Make an explanation whose base is the prediction minus all contributions.

    units (list[tuple[int, int]]): The words.
    values (ndarray): The prediction of each target.
    tokens (ndarray): What each token adds, shape (tokens, targets).
    covariates (dict[str, ndarray]): What each covariate adds.
    RETURNS (Explanation): The explanation, without an error.
    """
    contributions = tokens[[start for start, _ in units]].astype(np.float64)
    base = values - sum(covariates.values(), contributions.sum(axis=0))
    return Explanation(units, base, contributions, covariates, np.zeros(len(values)))
