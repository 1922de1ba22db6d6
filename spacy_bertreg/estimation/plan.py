"""How wide intervals will be with more coded documents."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import t

from .estimators import Fit
from .moments import Regression

# Times as many coded documents as there are.
FACTORS = (1, 1.5, 2, 3, 4, 6, 8, 10)


def expect_widths(regression: Regression, fits: Mapping[str, Fit], level: float) -> pd.DataFrame:
    """Compute the expected widths of intervals with more coded documents, drawn like those at hand.

    The variance is a + b / n_coded: b comes from the residuals at hand, and a remains even if all
    documents are coded. Predictions are assumed to stay as good as they are.

    regression (Regression): The regression with the documents at hand.
    fits (Mapping[str, Fit]): The fit of each estimator.
    level (float): Level of the intervals.
    RETURNS (DataFrame): `estimator`, `term`, `n_coded`, and `width`, from `low` to `high`.
    """
    n, n_all = regression.n_coded, regression.n
    numbers = sorted({min(round(n * factor), n_all) for factor in FACTORS})
    rows = []
    for name, fit in fits.items():
        fixed = fit.std_error**2 - fit.sampled
        for number in numbers:
            variance = np.maximum(fixed + fit.sampled * n / number, 0)
            # The number of clusters stays the same.
            df = fit.df if regression.clusters is not None else fit.df + number - n
            widths = 2 * t.ppf((1 + level) / 2, df) * np.sqrt(variance)
            rows += [
                {"estimator": name, "term": term, "n_coded": number, "width": width}
                for term, width in zip(regression.terms, widths, strict=True)
            ]
    return pd.DataFrame(rows)
