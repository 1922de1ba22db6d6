"""Puts a dictionary together: terms given and learned, their context, and the readout."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..data.covariates import CovariateScale
from .candidates import assign_folds, find_candidates
from .context_rules import read_context
from .learning import Learned, Method, learn_lexicon
from .lexicon import Lexicon
from .model import DictionaryModel, TermFinder, with_statistics
from .readouts import Readout
from .readouts.ridge import Ridge

Floats = NDArray[np.float64]

N_FOLDS = 5


def fit_dictionary(
    docs: Sequence[Doc],
    groups: Sequence[str],
    targets: dict[str, Floats],
    *,
    make_finder: Callable[[Lexicon, Lexicon], TermFinder],
    readout: type[Readout],
    covariates: CovariateScale,
    component: str,
    given: Lexicon,
    learn: Method | None,
    n_terms: int,
    min_documents: int,
    context: str | Path | None,
    seed: int,
    case_sensitive: bool,
    attribute: str,
    weights: Floats,
) -> DictionaryModel:
    """docs (Sequence[Doc]): The training documents.
    groups (Sequence[str]): The group of each.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    make_finder (Callable): Gives the finder of a lexicon's terms, with a context.
    readout (type[Readout]): Which readout to fit.
    covariates (CovariateScale): What goes to the readout beside the terms.
    component (str): The component's name, for the errors.
    given (Lexicon): The given terms; empty for none.
    attribute (str): What of a token is compared with a term, "orth_" or "lemma_".
    weights (ndarray): How much each document counts, 0 for not at all.
    Others: See `DictionaryRegressor.initialize`.
    RETURNS (DictionaryModel): The fitted model.
    RAISES (ValueError): Nothing could be learned, or the context can't be read.
    """
    # In the order of their texts, so that the order in which they come makes no difference.
    columns = [*targets.values(), weights]
    used = np.flatnonzero(weights).tolist()
    order = sorted(used, key=lambda i: (docs[i].text, *(c[i] for c in columns)))
    docs = [docs[i] for i in order]
    # LightGBM's limits on the sum of weights in a leaf are for weights of about 1.
    counts = None if np.ptp(weights[order]) == 0 else weights[order] / weights[order].mean()
    targets = {name: values[order] for name, values in targets.items()}
    values = np.stack(list(targets.values()), axis=1)
    folds = assign_folds([groups[i] for i in order], N_FOLDS, seed)
    rules = read_context(context, case_sensitive=case_sensitive) if context else Lexicon()

    # For each document the list that is read in it, to fit the readout.
    seen = np.zeros(len(docs), dtype=np.int64)
    lists = [given]
    if learn:
        missed = targets
        if given:
            # What the given terms explain does not have to be learned.
            own = make_finder(given, rules)
            _, matches = own(docs)
            features = own.features.sums(own.features.shares(matches), matches)
            explained = Ridge.fit(features, values, weights=counts).predict(features)
            missed = dict(zip(targets, (values - explained).T, strict=True))
        learned = _learn(
            learn,
            docs,
            missed,
            folds,
            counts,
            n_terms,
            min_documents,
            seed,
            case_sensitive,
            attribute,
        )
        lists = [given + learned.lexicon, *(given + part for part in learned.by_fold)]
        seen = 1 + np.unique(folds, return_inverse=True)[1]
    terms = lists[0]
    finder = make_finder(terms, rules)
    features = np.zeros((len(docs), len(finder.features.names)))
    n_words = np.zeros(len(docs), dtype=np.int64)
    for number in np.unique(seen):
        rows = np.flatnonzero(seen == number)
        own = finder if number == 0 else make_finder(lists[number], rules)
        _, matches = own([docs[row] for row in rows])
        n_words[rows] = matches.n_words
        sums = own.features.sums(own.features.shares(matches), matches)
        for column, name in enumerate(finder.features.names):
            if name in own.features.names:
                features[rows, column] = sums[:, own.features.names.index(name)]
    # A document without words is not evidence of what documents without terms are like.
    rows = np.flatnonzero(n_words > 0)
    for name, column in zip(targets, values[rows].T, strict=True):
        n_known = int((~np.isnan(column)).sum())
        if n_known < readout.min_documents:
            raise ValueError(
                f"{n_known} training documents have words and a value for the target {name!r}. "
                f"Expected {readout.min_documents} at least for this readout."
            )
    features = np.hstack([features, covariates(docs, component)])
    fitted = readout.fit(
        features[rows], values[rows], folds[rows], seed, None if counts is None else counts[rows]
    )
    means = tuple(_mean(column, counts) for column in values.T)
    model = DictionaryModel(terms, rules, fitted, finder, means, covariates, component)
    return replace(model, lexicon=with_statistics(terms, model.explain(docs)))


def _mean(values: Floats, weights: Floats | None) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=None if weights is None else weights[known]))


def _learn(
    method: Method,
    docs: Sequence[Doc],
    targets: dict[str, Floats],
    folds: NDArray[np.int64],
    weights: Floats | None,
    n_terms: int,
    min_documents: int,
    seed: int,
    case_sensitive: bool,
    attribute: str,
) -> Learned:
    occurrences = find_candidates(
        docs, attribute=attribute, case_sensitive=case_sensitive, min_documents=min_documents
    )
    if not occurrences.terms:
        raise ValueError(
            f"No word occurs in {min_documents} of the {len(docs)} training documents, so no list "
            "can be learned. Expected a lower min_documents, or more documents."
        )
    learned = learn_lexicon(
        method, occurrences, targets, folds, n_terms=n_terms, seed=seed, weights=weights
    )
    if not learned.lexicon:
        raise ValueError("No word predicts the target, so the learned list is empty.")
    return learned
