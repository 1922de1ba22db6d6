"""A list of terms learned from texts and their targets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .candidates import Occurrences
from .elastic_net import ElasticNet
from .lexicon import LEARNED, Lexicon
from .sensitivity import Sensitivity

Method = Literal["sensitivity", "elastic_net"]
Floats = NDArray[np.float64]


class Learner(Protocol):
    """Fits weights of candidates for several settings, from simple to complex.

    n_settings (int): How many.
    """

    n_settings: int

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """occurrences (Occurrences): Of the candidates in the documents.
        target (ndarray): Standardised, shape (documents,).
        last (int): Stop after the setting of this number.
        weights (ndarray | None): How much each document counts, above 0; None for all the same.
        YIELDS (ndarray): For each setting, the weight of each candidate.
        """


@dataclass(frozen=True)
class Learned:
    """What was learned.

    lexicon (Lexicon): The list, from all training documents. Of several targets, each has its own
        category: "learned:TARGET".
    by_fold (tuple[Lexicon, ...]): For each fold, the list from the documents of the others. On the
        fold's own documents it does as well as the final list on new ones, so readouts are fitted
        to these.
    """

    lexicon: Lexicon
    by_fold: tuple[Lexicon, ...]


def learn_lexicon(
    method: Method,
    occurrences: Occurrences,
    targets: dict[str, Floats],
    folds: NDArray[np.int64],
    *,
    n_terms: int,
    seed: int,
    weights: Floats | None = None,
) -> Learned:
    """Learn weights for each target. The method's setting is the one whose lists, from the
    documents of all folds but one, correlate best with the target in that one.

    method (str): "sensitivity" or "elastic_net".
    occurrences (Occurrences): Of the candidates in the training documents.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    folds (ndarray): The fold of each document.
    n_terms (int): How many terms to keep for each target.
    seed (int): Of everything random.
    weights (ndarray | None): How much each document counts, above 0; None for all the same.
    RETURNS (Learned): The list.
    RAISES (ImportError): elastic_net without scikit-learn.
    RAISES (ValueError): The documents with a value for a target are of fewer than two folds.
    """
    learner: Learner = ElasticNet() if method == "elastic_net" else Sensitivity(seed)
    lists = []
    for target, values in targets.items():
        category = LEARNED if len(targets) == 1 else f"{LEARNED}:{target}"
        known = np.flatnonzero(~np.isnan(values))
        if len(np.unique(folds[known])) < 2:
            raise ValueError(
                f"All documents with a value for the target {target!r} are of one group. Expected "
                "several, of which some can be held out while a list is learned from the others."
            )
        own_weights = None if weights is None else weights[known]
        mean = np.average(values[known], weights=own_weights)
        std = values[known].std() or 1.0
        standardised = (values - mean) / std
        fitted = []
        predicted = np.zeros((learner.n_settings, len(values)))
        for fold in _progress(np.unique(folds), f"Learning {method} for {target}"):
            train, held_out = known[folds[known] != fold], known[folds[known] == fold]
            settings = list(
                learner.fit(
                    occurrences.of(train),
                    standardised[train],
                    learner.n_settings - 1,
                    None if weights is None else weights[train],
                )
            )
            for setting, candidate_weights in enumerate(settings):
                predicted[setting, held_out] = occurrences.of(held_out).weigh(candidate_weights)
            fitted.append((settings, occurrences.of(train)))
        fits = [_correlation(p[known], values[known], own_weights) for p in predicted]
        best = int(np.argmax(fits))
        *_, final = learner.fit(occurrences.of(known), standardised[known], best, own_weights)
        own = [(final, occurrences.of(known)), *((w[best], seen) for w, seen in fitted)]
        lists.append([seen.to_lexicon(w * std, n_terms, category) for w, seen in own])
    merged = [sum(parts, Lexicon()) for parts in zip(*lists, strict=True)]
    return Learned(merged[0], tuple(merged[1:]))


def _correlation(predicted: Floats, observed: Floats, weights: Floats | None) -> float:
    # And not the error: it is for the readout to find the right scale.
    if predicted.std() == 0 or observed.std() == 0:
        return -1.0
    (a, covariance), (_, b) = np.cov(predicted, observed, aweights=weights)
    return float(covariance / np.sqrt(a * b))


def _progress(folds: Iterable[np.int64], title: str) -> Iterable[np.int64]:
    # Silent where the output is not a terminal.
    return tqdm(list(folds), desc=title, unit="fold", leave=False, disable=None)
