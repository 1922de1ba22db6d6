"""Sparse linear weights."""

from collections.abc import Iterator

import numpy as np

from .candidates import Occurrences
from .features import Floats

# Share of the penalty that is on the sum of the weights' absolute values, which makes weights zero;
# the rest is on the sum of their squares.
L1_SHARE = 0.5
# Penalties as shares of the one at which all weights are zero, from strong to weak.
PENALTIES = np.geomspace(0.1, 0.001, 10)


class ElasticNet:
    """Linear regression with a penalty on the weights' absolute values and squares (Zou & Hastie
    2005, JRSS B 67:301-320), by scikit-learn.

    n_settings (int): Number of penalties.
    n_threads (int): As many as torch uses. scikit-learn's loop does not hold Python's lock.
    """

    n_settings = len(PENALTIES)

    def __init__(self) -> None:
        """Look up the number of threads."""
        import torch

        self.n_threads = torch.get_num_threads()

    def fit(
        self, occurrences: Occurrences, target: Floats, last: int, weights: Floats | None = None
    ) -> Iterator[Floats]:
        """Fit the penalties from strong to weak. See `WeightEstimator.fit`.

        RAISES (ImportError): scikit-learn is not installed.
        """
        try:
            from scipy import sparse
            from sklearn import linear_model
        except ImportError as error:
            raise ImportError(
                'learn = "elastic_net" takes scikit-learn: pip install '
                "'spacy-bertreg[dictionary]'"
            ) from error
        X = sparse.csc_matrix(
            (occurrences.values, (occurrences.documents, occurrences.candidates)),
            shape=(occurrences.n_documents, len(occurrences.terms)),
        )
        centered = target - np.average(target, weights=weights)
        if weights is not None:
            centered = centered * weights / weights.mean()
        greatest = np.abs(X.T @ centered).max() / len(target) / L1_SHARE
        model = linear_model.ElasticNet(
            l1_ratio=L1_SHARE, max_iter=5000, tol=1e-3, warm_start=True, selection="cyclic"
        )
        for penalty in PENALTIES[: last + 1]:
            model.set_params(alpha=max(greatest * penalty, 1e-12))
            model.fit(X, target, sample_weight=weights)
            yield model.coef_.copy()
