"""Texts that nobody has rated, with a teacher's predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from .features import Floats

# The fold of a document that no list is judged by.
NO_FOLD = -1


@dataclass(frozen=True)
class PseudoLabels:
    """A teacher's predictions for unlabelled documents, from which lists are learned, too.

    docs (list[Doc]): The documents.
    groups (list[str | None]): The group of each; None where it is not known.
    targets (dict[str, ndarray]): Predictions by target, on the transformed scale.
    weight (float): How much each document counts beside a labelled one.
    """

    docs: list[Doc]
    groups: list[str | None]
    targets: dict[str, Floats]
    weight: float


@dataclass(frozen=True)
class LearningSet:
    """The documents that lists are learned from: those with observed values, then those with
    pseudo-labels.

    docs (list[Doc]): The documents.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    folds (ndarray): The fold of each document; a fold's list is learned without its documents. A
        document with pseudo-labels has the fold of its group's labelled documents, or `NO_FOLD`.
    weights (ndarray | None): How much each document counts; None for all the same.
    n_labelled (int): Number of documents with observed values.
    """

    docs: list[Doc]
    targets: dict[str, Floats]
    folds: NDArray[np.int64]
    weights: Floats | None
    n_labelled: int

    def add(self, pseudo_labels: PseudoLabels, groups: Sequence[str]) -> "LearningSet":
        """Add documents with pseudo-labels, sorted by text: their order makes no difference.

        pseudo_labels (PseudoLabels): The documents.
        groups (Sequence[str]): The group of each document that is there already.
        RETURNS (LearningSet): All documents.
        """
        columns = list(pseudo_labels.targets.values())
        docs = pseudo_labels.docs
        order = sorted(range(len(docs)), key=lambda i: (docs[i].text, *(c[i] for c in columns)))
        fold_of_group = dict(zip(groups, self.folds.tolist(), strict=True))
        folds = [_find_fold(pseudo_labels.groups[i], fold_of_group) for i in order]
        weights = self.weights
        if weights is not None or pseudo_labels.weight != 1:
            labelled = np.ones(len(self.docs)) if weights is None else weights
            weights = np.append(labelled, np.full(len(docs), pseudo_labels.weight))
        return LearningSet(
            [*self.docs, *(docs[i] for i in order)],
            {
                name: np.append(v, pseudo_labels.targets[name][order])
                for name, v in self.targets.items()
            },
            np.append(self.folds, np.array(folds, dtype=np.int64)),
            weights,
            self.n_labelled,
        )


def _find_fold(group: str | None, fold_of_group: Mapping[str, int]) -> int:
    return NO_FOLD if group is None else fold_of_group.get(group, NO_FOLD)
