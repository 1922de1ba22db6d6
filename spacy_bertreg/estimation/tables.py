"""Estimates as tables for people, and as files."""

import math
from pathlib import Path

import pandas as pd

ENDINGS = (".csv", ".md", ".tex")
# What is undefined.
DASH = "–"
TITLES = {
    "group": "Group",
    "term": "Term",
    "estimator": "Estimator",
    "estimate": "Estimate",
    "std_error": "Std. error",
    "interval": "Interval",
    "n_coded": "Coded",
    "n": "Documents",
    "effective_n": "Worth",
    "width": "Width",
}


def format_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Write estimates as texts, the estimators of each term below each other.

    table (DataFrame): What `estimate` gave.
    RETURNS (DataFrame): Its rows, with standard errors to two significant digits and the others to
        as many decimals.
    """
    shown = table.assign(term=table["term"].fillna(DASH))
    keys = [name for name in ("group", "term") if name in shown]
    shown = shown.sort_values(keys, key=_first_places, kind="stable")
    rows = []
    for row in shown.to_dict("records"):
        digits = _decimals(row["std_error"])
        numbers = {n: _number(row[n], digits) for n in ("estimate", "std_error", "low", "high")}
        numbers["interval"] = f"[{numbers.pop('low')}, {numbers.pop('high')}]"
        if pd.isna(row["low"]):
            numbers["interval"] = DASH
        counts = {n: _number(row[n], 0) for n in ("n_coded", "n", "effective_n")}
        rows.append({n: row[n] for n in (*keys, "estimator")} | numbers | counts)
    return _with_titles(pd.DataFrame(rows))


def format_plan(plan: pd.DataFrame) -> pd.DataFrame:
    """Write what `expect_widths` gave as texts, with a column for each number of documents.

    plan (DataFrame): Of one or more groups, of which the table has the mean.
    RETURNS (DataFrame): A row for each term and estimator.
    """
    if "group" in plan:
        # Groups have different numbers: say how many times as many.
        first = plan.groupby("group")["n_coded"].transform("min")
        plan = plan.assign(n_coded=(plan["n_coded"] / first).round(1))
    wide = plan.pivot_table(
        index=["term", "estimator"], columns="n_coded", values="width", sort=False
    )
    wide = wide[sorted(wide.columns)]
    digits = _decimals(float(wide.min(axis=None)))
    texts = wide.map(lambda width: _number(width, digits)).reset_index()
    unit = " times" if "group" in plan else ""
    texts.columns = [f"{n:,g}{unit}" if isinstance(n, int | float) else n for n in texts.columns]
    return _with_titles(texts)


def encode_table(table: pd.DataFrame, texts: pd.DataFrame, path: Path) -> bytes:
    """Write a table in the format that its file's name says.

    table (DataFrame): With all digits, for CSV.
    texts (DataFrame): The same for people, for Markdown and LaTeX.
    path (Path): The file.
    RETURNS (bytes): Its content.
    RAISES (ValueError): Its name ends in none of `ENDINGS`.
    """
    check_ending(path, ENDINGS)
    if path.suffix == ".csv":
        text = table.to_csv(index=False)
    elif path.suffix == ".md":
        cells = [list(texts.columns), *texts.to_numpy().tolist()]
        lines = ["| " + " | ".join(str(c).replace("|", r"\|") for c in row) + " |" for row in cells]
        n_left = sum(name in ("Group", "Term", "Estimator") for name in texts.columns)
        rule = ["---"] * n_left + ["---:"] * (texts.shape[1] - n_left)
        text = "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]]) + "\n"
    else:
        n_left = sum(name in ("Group", "Term", "Estimator") for name in texts.columns)
        layout = "l" * n_left + "r" * (texts.shape[1] - n_left)
        escaped = texts.replace(DASH, "--")
        text = escaped.to_latex(index=False, escape=True, column_format=layout)
    return text.encode("utf-8")


def check_ending(path: Path | None, endings: tuple[str, ...]) -> None:
    """Raise a ValueError if a file's name has another ending; None is skipped."""
    if path is not None and path.suffix not in endings:
        raise ValueError(f"Can't write {path}. Expected a name in {', '.join(endings)}.")


def _first_places(column: pd.Series) -> pd.Series:
    """Give values the order in which they come first."""
    return pd.Series(pd.factorize(column)[0], column.index)


def _with_titles(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=TITLES)


def _decimals(std_error: float) -> int:
    """Find how many decimals show two significant digits."""
    if not std_error > 0 or math.isinf(std_error):
        return 3
    return min(max(1 - math.floor(math.log10(std_error)), 0), 10)


def _number(value: float, digits: int) -> str:
    return DASH if pd.isna(value) else f"{value:,.{digits}f}"
