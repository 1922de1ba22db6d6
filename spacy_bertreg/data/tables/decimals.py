"""Numbers as they are written, with a decimal point or a decimal comma."""

import math
import re
from typing import Any

import pandas as pd

UNKNOWN = {"", "na", "nan", "n/a", "null", "none"}
AMBIGUOUS = (
    "--decimal, because the comma may be a decimal sign or group thousands: with --decimal . 1,234 "
    "is more than a thousand, with --decimal , it is little more than one"
)
# Numbers by their decimal sign, with thousands grouped by the other sign or not at all.
WRITTEN = {
    ".": re.compile(r"[+-]?([1-9]\d{0,2}(,\d{3})+|\d*)(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE),
    ",": re.compile(r"[+-]?([1-9]\d{0,2}(\.\d{3})+|\d*)(,\d*)?(e[+-]?\d+)?", re.IGNORECASE),
}


def parse_number(value: Any, decimal: str | None = None) -> float:
    """Parse a number.

    value (Any): What a cell holds.
    decimal (str | None): Decimal sign, "." or ","; None for a point, and no groups of thousands.
    RETURNS (float): The number; NaN for an empty cell, pandas' NA and words of UNKNOWN; infinity
        for anything else.
    """
    try:
        if value is None or value is pd.NA or str(value).strip().lower() in UNKNOWN:
            return math.nan
        if isinstance(value, str) and "_" in value:
            return math.inf  # Python would take 1_000 for a number
        if isinstance(value, str) and decimal is not None:
            value = value.strip()
            if decimal == "," or "," in value:
                if not WRITTEN[decimal].fullmatch(value):
                    return math.inf
                groups = "." if decimal == "," else ","
                value = value.replace(groups, "").replace(decimal, ".")
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.inf


def detect_decimal(column: pd.Series) -> tuple[str | None, int | None]:
    """Find a column's decimal sign from all of its cells.

    column (Series): Numbers, some of which may be written as text.
    RETURNS (tuple[str | None, int | None]): The sign, or None if no number has a comma; and the
        position of an ambiguous cell, or None if there is none.
    """
    texts = [value.strip() if isinstance(value, str) else "" for value in column]
    signed = {
        place: text
        for place, text in enumerate(texts)
        if ("," in text or "." in text) and any(p.fullmatch(text) for p in WRITTEN.values())
    }
    commas = [place for place, text in signed.items() if "," in text]
    if not commas:
        return None, None
    fits = {sign: all(p.fullmatch(texts[i]) for i in commas) for sign, p in WRITTEN.items()}
    if fits["."] and not fits[","]:
        return ".", None
    if fits[","] and not fits["."] and len(commas) == len(signed):
        return ",", None
    return None, commas[0]
