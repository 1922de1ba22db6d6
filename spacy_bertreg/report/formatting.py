"""Numbers formatted for the page. None stands for what is undefined, or not known."""

from typing import Any

from ..comparison.tables import DASH, format_number


def number(value: float | None) -> str:
    """Format a number with about three decimals."""
    if value is None:
        return DASH
    if 0 < abs(value) < 0.001 or abs(value) >= 1e9:
        return use_minus_sign(f"{value:.2g}")
    return use_minus_sign(f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}")


def signed(value: float | None) -> str:
    """Format a difference, with its sign."""
    return number(value) if value is None or value < 0 else "+" + number(value)


def percent(value: float | None) -> str:
    """Format a change, 0.5 for a half more, in percent."""
    return use_minus_sign(format_number(value, "{:+,.1%}")).replace("%", " %")


def count(value: float | None) -> str:
    """Format a number of things, without decimals."""
    return format_number(value, "{:,.0f}")


def duration(seconds: float | None) -> str:
    """Format a time in the unit that people would say it in."""
    if seconds is None:
        return DASH
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float | None) -> str:
    """Format a size on disk in MB."""
    return DASH if n_bytes is None else f"{n_bytes / 1e6:,.{1 if n_bytes < 1e7 else 0}f} MB"


def use_minus_sign(text: str) -> str:
    """Replace hyphens by minus signs."""
    return text.replace("-", "−")  # noqa: RUF001


def excludes_zero(row: dict[str, Any], key: str) -> bool:
    """Check whether the interval of a row's value is known, and all of it on one side of 0."""
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return low is not None and high is not None and (low > 0 or high < 0)


FORMATS = {f.__name__: f for f in (number, signed, percent, count, duration, size)}
