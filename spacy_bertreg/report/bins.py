"""Numbers in bins of about equal counts."""

import numpy as np

from ..evaluation.metrics import Floats
from .formatting import significant


def quantile_bins(values: Floats, n_bins: int) -> tuple[list[str], np.ndarray]:
    """Cut values at their quantiles. Where quantiles coincide, there are fewer bins. If the least
    value (often zero) is frequent enough to fill a bin, it is a bin of its own.

    values (ndarray): The values, finite, at least one.
    n_bins (int): Number of bins, at most.
    RETURNS (tuple): The bins' names, "least – greatest", and the bin of each value.
    """
    least = values == values.min()
    # Without this, [0, 0, 0, 1, 9] would put the zeros together with what is just above them.
    is_bin = bool(least.mean() >= 1 / n_bins and not least.all())
    rest = values[~least] if is_bin else values
    edges = np.unique(np.quantile(rest, np.linspace(0, 1, n_bins + 1 - is_bin)))
    bins = np.searchsorted(edges[1:-1], values, side="left") + is_bin
    if is_bin:
        bins[least] = 0
    _, bins = np.unique(bins, return_inverse=True)
    members = [values[bins == i] for i in range(bins.max() + 1)]
    return [_name(part.min(), part.max()) for part in members], bins


def _name(low: float, high: float) -> str:
    names = [significant(low), significant(high)]
    return names[0] if names[0] == names[1] else " – ".join(names)
