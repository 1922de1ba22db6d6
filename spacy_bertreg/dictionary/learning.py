"""Learns a list of terms from texts and their targets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .candidates import Occurrences
from .elastic_net import ElasticNet
from .features import Floats
from .lexicon import LEARNED, Lexicon
from .sensitivity import Sensitivity

Method = Literal["sensitivity", "elastic_net"]


class WeightEstimator(Protocol):
    """Estimates weights of candidates with several settings, from simple to complex.

    n_settings (int): Number of settings.
    """

    n_settings: int

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """Estimate the candidates' weights.

        occurrences (Occurrences): The candidates' occurrences in the documents.
        target (ndarray): Standardized, shape (documents,).
        last (int): Index of the last setting to fit.
        weights (ndarray | None): How much each document counts, above 0; None for all the same.
        YIELDS (ndarray): For each setting, the weight of each candidate.
        """


@dataclass(frozen=True)
class CrossFittedLexicon:
    """A learned list, and lists that were learned without a fold.

    lexicon (Lexicon): The list, from all training documents. Of several targets, each has its own
        category: "learned:TARGET".
    by_fold (dict[int, Lexicon]): For each fold, the list from the documents of the others. On the
        fold's documents it does as well as the final list on new ones, so readouts are fitted to
        these.
    """

    lexicon: Lexicon
    by_fold: dict[int, Lexicon]


def learn_lexicon(
    method: Method,
    occurrences: Occurrences,
    targets: dict[str, Floats],
    folds: NDArray[np.int64],
    *,
    n_terms: int,
    seed: int,
    weights: Floats | None = None,
) -> CrossFittedLexicon:
    """Learn weights for each target. The method's setting is the one whose lists, from the
    documents of all folds but one, correlate best with the target in that one.

    method (str): "sensitivity" or "elastic_net".
    occurrences (Occurrences): The candidates' occurrences in the training documents.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    folds (ndarray): The fold of each document.
    n_terms (int): Number of terms to keep for each target.
    seed (int): Of everything random.
    weights (ndarray | None): How much each document counts, above 0; None for all the same.
    RETURNS (CrossFittedLexicon): The learned lists.
    RAISES (ImportError): elastic_net without scikit-learn.
    RAISES (ValueError): The documents with a value for a target are of fewer than two folds.
    """
    estimator: WeightEstimator = ElasticNet() if method == "elastic_net" else Sensitivity(seed)
    fold_numbers = np.unique(folds).tolist()
    final = Lexicon()
    by_fold = dict.fromkeys(fold_numbers, Lexicon())
    for target, values in targets.items():
        category = LEARNED if len(targets) == 1 else f"{LEARNED}:{target}"
        known = np.flatnonzero(~np.isnan(values))
        if len(np.unique(folds[known])) < 2:
            raise ValueError(
                f"All documents with a value for the target {target!r} are of one group. Expected "
                "several, of which some can be held out while a list is learned from the others."
            )
        counts = None if weights is None else weights[known]
        mean = np.average(values[known], weights=counts)
        std = values[known].std() or 1.0
        standardized = (values - mean) / std
        predicted = np.zeros((estimator.n_settings, len(values)))
        fitted = {}
        title = f"Learning {method} for {target}"
        # The progress bar is silent where the output is not a terminal.
        for fold in tqdm(fold_numbers, desc=title, unit="fold", leave=False, disable=None):
            train, held_out = known[folds[known] != fold], known[folds[known] == fold]
            seen = occurrences.select(train)
            fold_counts = None if weights is None else weights[train]
            last = estimator.n_settings - 1
            settings = list(estimator.fit(seen, standardized[train], last, fold_counts))
            for setting, term_weights in enumerate(settings):
                predicted[setting, held_out] = occurrences.select(held_out).predict(term_weights)
            fitted[fold] = settings, seen
        fits = [_correlation(p[known], values[known], counts) for p in predicted]
        best = int(np.argmax(fits))
        seen = occurrences.select(known)
        *_, term_weights = estimator.fit(seen, standardized[known], best, counts)
        final += seen.to_lexicon(term_weights * std, n_terms, category)
        for fold, (settings, seen) in fitted.items():
            by_fold[fold] += seen.to_lexicon(settings[best] * std, n_terms, category)
    return CrossFittedLexicon(final, by_fold)


def _correlation(predicted: Floats, observed: Floats, weights: Floats | None) -> float:
    # Not the error, as the readout is to find the right scale.
    if predicted.std() == 0 or observed.std() == 0:
        return -1.0
    (a, covariance), (_, b) = np.cov(predicted, observed, aweights=weights)
    return float(covariance / np.sqrt(a * b))
