"""Numbers formatted for the page. None stands for an undefined or unknown number."""

import math
import re
from decimal import Decimal
from typing import Any

from ..comparison.tables import DASH, format_number

# Decimals of numbers without a unit: R², correlations.
DECIMALS = 3
# With more than this many decimals, or digits before the point, a power of ten is written.
MOST_DECIMALS, MOST_DIGITS = 6, 9
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decimals_for(scale: float) -> int:
    """Choose how many decimals numbers of a scale need, so that about three of their digits count.

    scale (float): Such as a standard deviation.
    RETURNS (int): The number of decimals, 0 or more; three if the scale is 0 or not finite.
    """
    if not math.isfinite(scale) or scale == 0:
        return DECIMALS
    return max(0, 2 - math.floor(math.log10(abs(scale))))


def number(value: float | None, decimals: int = DECIMALS) -> str:
    """Format a number with a fixed number of decimals, never as 1e-05."""
    if value is None or math.isnan(value):
        return DASH
    is_tiny = decimals > MOST_DECIMALS and 0 < abs(value) < 10 ** (2 - MOST_DECIMALS)
    if is_tiny or abs(value) >= 10**MOST_DIGITS:
        return _power_of_ten(value)
    text = f"{value:,.{min(decimals, MOST_DECIMALS)}f}"
    # A number that rounds to 0 has no sign.
    return use_minus_sign(text if any(digit in text for digit in "123456789") else text.lstrip("-"))


def signed(value: float | None, decimals: int = DECIMALS) -> str:
    """Format a difference, with its sign."""
    text = number(value, decimals)
    has_sign = value is not None and value > 0 and any(digit in text for digit in "123456789")
    return "+" + text if has_sign else text


def significant(value: float, digits: int = 3) -> str:
    """Format a number with some significant digits, without trailing zeros."""
    if value and not 10**-MOST_DECIMALS <= abs(value) < 10**MOST_DIGITS:
        return _power_of_ten(value)
    rounded = Decimal(f"{value:.{digits}g}") if abs(value) < 10**digits else Decimal(round(value))
    return use_minus_sign(f"{rounded.normalize():,f}")


def percent(value: float | None) -> str:
    """Format a change, 0.5 for a half more, in percent."""
    return use_minus_sign(format_number(value, "{:+,.1%}")).replace("%", "\u00a0%")


def share(value: float | None) -> str:
    """Format a share, 0.5 for a half, in percent."""
    return format_number(value, "{:.1%}").replace("%", "\u00a0%")


def count(value: float | None) -> str:
    """Format a number of things, without decimals."""
    return format_number(value, "{:,.0f}")


def duration(seconds: float | None) -> str:
    """Format a time in the unit that people would say it in."""
    if seconds is None:
        return DASH
    if seconds < 100:
        short = f"{seconds:.1f} s" if seconds >= 0.1 else "< 0.1 s"
        return short if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float | None) -> str:
    """Format a size on disk in MB."""
    return DASH if n_bytes is None else f"{n_bytes / 1e6:,.{1 if n_bytes < 1e7 else 0}f} MB"


def prose(text: str) -> str:
    """Write the numbers of a sentence as those of the tables: minus signs, a space before %."""
    text = re.sub(r"(?<![\w.-])-(?=\d)", "−", text)  # noqa: RUF001
    return re.sub(r"(?<=\d) ?%", "\u00a0%", text)


def use_minus_sign(text: str) -> str:
    """Replace hyphens by minus signs."""
    return text.replace("-", "−")  # noqa: RUF001


def excludes_zero(row: dict[str, Any], key: str) -> bool:
    """Check whether the interval of a row's value is known, and all of it on one side of 0."""
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return low is not None and high is not None and (low > 0 or high < 0)


def _power_of_ten(value: float) -> str:
    if value == 0:
        return "0"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{use_minus_sign(digits)} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"  # noqa: RUF001


FORMATS = {f.__name__: f for f in (number, signed, percent, share, count, duration, size, prose)}
