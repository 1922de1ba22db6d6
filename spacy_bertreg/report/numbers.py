"""Numbers as texts, for the page."""

from typing import Any

# What is undefined, or not known.
NONE = "–"


def number(value: float | None) -> str:
    """value (float | None): A number. RETURNS (str): With about three decimals."""
    if value is None:
        return NONE
    if 0 < abs(value) < 0.001 or abs(value) >= 1e9:
        return _minus(f"{value:.2g}")
    return _minus(f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}")


def signed(value: float | None) -> str:
    """value (float | None): A difference. RETURNS (str): With its sign."""
    return NONE if value is None else ("+" if value >= 0 else "") + number(value)


def percent(value: float | None) -> str:
    """value (float | None): A change, 0.5 for a half more. RETURNS (str): In percent."""
    return NONE if value is None else _minus(f"{value:+,.1%}").replace("%", " %")


def count(value: float | None) -> str:
    """value (float | None): How many. RETURNS (str): Without decimals."""
    return NONE if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """seconds (float | None): A time. RETURNS (str): In the unit that people would say it in."""
    if seconds is None:
        return NONE
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float | None) -> str:
    """n_bytes (float | None): A size. RETURNS (str): In MB."""
    return NONE if n_bytes is None else f"{n_bytes / 1e6:,.{1 if n_bytes < 1e7 else 0}f} MB"


def excludes_zero(row: dict[str, Any], key: str) -> bool:
    """row (dict): A row with intervals. key (str): Of what.
    RETURNS (bool): Whether its interval is known, and all of it on one side of 0.
    """
    low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
    return low is not None and high is not None and (low > 0 or high < 0)


FORMS = {f.__name__: f for f in (number, signed, percent, count, duration, size)}


def _minus(text: str) -> str:
    return text.replace("-", "−")  # noqa: RUF001
