"""Learns a list of terms from texts and their targets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
# After this many settings that are no better, no more are tried: the most complex take longest.
PATIENCE = 2


class WeightEstimator(Protocol):
    """Estimates weights of candidates with several settings, from simple to complex.

    setting (str): What a setting is called, for the progress bar.
    n_settings (int): Number of settings.
    n_threads (int): Number of fits to do at a time.
    """

    setting: str
    n_settings: int
    n_threads: int

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

    lexicon (Lexicon): The list, from all training documents. With several targets, each has its own
        category: "learned:TARGET".
    by_fold (dict[int, Lexicon]): For each fold, the list from the documents of the others. It does
        as well on the fold's documents as the final list on new ones, so readouts are fitted to
        what these lists find.
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
    n_labelled: int | None = None,
) -> CrossFittedLexicon:
    """Learn weights for each target. The method's setting is chosen by cross-validation: the
    predictions of its lists for held-out documents correlate best with the target.

    Documents with pseudo-labels are learned from, but no list is judged by them.

    method (str): "sensitivity" or "elastic_net".
    occurrences (Occurrences): The candidates' occurrences in the training documents.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    folds (ndarray): The fold of each document; `NO_FOLD` to learn from it for each list.
    n_terms (int): Number of terms to keep for each target.
    seed (int): Seed of everything random.
    weights (ndarray | None): How much each document counts, above 0; None for all the same.
    n_labelled (int | None): Number of documents with observed values, which come first; those
        behind them have pseudo-labels. None for all.
    RETURNS (CrossFittedLexicon): The learned lists.
    RAISES (ImportError): elastic_net without SciPy.
    RAISES (ValueError): The documents with a value for a target are of fewer than two folds.
    """
    estimator: WeightEstimator = ElasticNet() if method == "elastic_net" else Sensitivity(seed)
    is_labelled = np.arange(len(folds)) < (len(folds) if n_labelled is None else n_labelled)
    fold_numbers = np.unique(folds[is_labelled]).tolist()
    final = Lexicon()
    by_fold = dict.fromkeys(fold_numbers, Lexicon())
    for target, values in targets.items():
        category = LEARNED if len(targets) == 1 else f"{LEARNED}:{target}"
        known = np.flatnonzero(~np.isnan(values))
        gold = known[is_labelled[known]]
        if len(np.unique(folds[gold])) < 2:
            raise ValueError(
                f"All documents with a value for the target {target!r} are of one group. Expected "
                "several, of which some can be held out while a list is learned from the others."
            )
        counts, gold_counts = (None if weights is None else weights[of] for of in (known, gold))
        mean = np.average(values[gold], weights=gold_counts)
        std = values[gold].std() or 1.0
        standardized = (values - mean) / std
        parts = {
            fold: (known[folds[known] != fold], gold[folds[gold] == fold]) for fold in fold_numbers
        }
        n_fits = estimator.n_settings * len(parts)
        title = f"Learning {method} for {target}"
        # The progress bar is silent where the output is not a terminal.
        with tqdm(total=n_fits, desc=title, unit="fit", leave=False, disable=None) as progress:
            best, by_part = _choose_setting(
                estimator, occurrences, standardized, weights, parts, progress
            )
            seen = occurrences.select(known)
            progress.reset(best + 1)
            progress.set_postfix_str("all documents")
            for term_weights in estimator.fit(seen, standardized[known], best, counts):  # noqa: B007
                progress.update()
        final += seen.to_lexicon(term_weights * std, n_terms, category)
        for fold, term_weights in by_part.items():
            seen = occurrences.select(parts[fold][0])
            by_fold[fold] += seen.to_lexicon(term_weights * std, n_terms, category)
    return CrossFittedLexicon(final, by_fold)


def _choose_setting(
    estimator: WeightEstimator,
    occurrences: Occurrences,
    target: Floats,
    weights: Floats | None,
    parts: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]],
    progress: tqdm,
) -> tuple[int, dict[int, Floats]]:
    """Fit the settings from simple to complex to all folds, until they get no better.

    parts (dict[int, tuple]): By fold, the documents to learn from, and those that are held out.
    progress (tqdm): Updated after each fit.
    RETURNS (tuple): The best setting, and by fold its weights.
    """
    judged = np.sort(np.concatenate([held_out for _, held_out in parts.values()]))
    judged_weights = None if weights is None else weights[judged]
    last = estimator.n_settings - 1
    fits = {
        fold: estimator.fit(
            occurrences.select(train),
            target[train],
            last,
            None if weights is None else weights[train],
        )
        for fold, (train, _) in parts.items()
    }
    held_out = {fold: occurrences.select(rows) for fold, (_, rows) in parts.items()}
    predicted = np.zeros(len(target))
    best, best_fit, by_part = 0, -np.inf, {}

    def step(fold: int) -> Floats:
        term_weights = next(fits[fold])
        which = f"{estimator.setting} {setting + 1} of {estimator.n_settings}"
        progress.set_postfix_str(f"{which}, fold {list(parts).index(fold) + 1} of {len(parts)}")
        progress.update()
        return term_weights

    with ThreadPoolExecutor(estimator.n_threads) as threads:
        for setting in range(estimator.n_settings):
            found = dict(zip(parts, threads.map(step, parts), strict=True))
            for fold, (_, rows) in parts.items():
                predicted[rows] = held_out[fold].predict(found[fold])
            fit = _correlation(predicted[judged], target[judged], judged_weights)
            if fit > best_fit:
                best, best_fit, by_part = setting, fit, found
            # As long as nothing is explained, a more complex list may be the first that does.
            elif best_fit > 0 and setting - best >= PATIENCE:
                break
    return best, by_part


def _correlation(predicted: Floats, observed: Floats, weights: Floats | None) -> float:
    # Not the error: the readout will find the right scale.
    if predicted.std() == 0 or observed.std() == 0:
        return -1.0
    (a, covariance), (_, b) = np.cov(predicted, observed, aweights=weights)
    return float(covariance / np.sqrt(a * b))
