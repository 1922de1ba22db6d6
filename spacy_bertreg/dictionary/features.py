"""Numbers that describe which terms of a lexicon a document holds."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .lexicon import Lexicon

FEATURES = ("sum_positive", "sum_negative", "n_positive", "n_negative", "mean_weight")


def term_features(terms: Iterable[int], lexicon: Lexicon) -> NDArray[np.float64]:
    """Sum and count the weights of the matched terms, apart for positive and negative ones, and
    average them. Every feature is a sum over the matches, so a linear readout's prediction is, too.

    terms (Iterable[int]): Indices of the matched terms, one for each match.
    lexicon (Lexicon): The lexicon.
    RETURNS (ndarray): Shape (5,), in the order of FEATURES; zeros without any match.
    """
    weights = np.array([lexicon.weights[term] for term in terms], dtype=np.float64)
    positive, negative = weights[weights > 0], weights[weights < 0]
    mean = weights.mean() if len(weights) else 0.0
    return np.array([positive.sum(), negative.sum(), len(positive), len(negative), mean])
