"""Numbers that may be unknown."""

import math
from typing import Any


def number_or_nan(value: Any, what: str, text: str) -> float:
    """value (Any): A number; None and NaN are unknown.
    what (str): What it is, as "Target 'rating'", for the error.
    text (str): The text of its document.
    RETURNS (float): The number, NaN where it is unknown.
    RAISES (ValueError): It is infinite, or no number."""
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = math.inf
    if math.isinf(number):
        raise ValueError(
            f"{what} is {value!r} for the text {text[:60]!r}. Expected a finite number, or None or "
            "NaN where it is unknown."
        )
    return number
