"""Formulas as in R, and the variables that they name."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import patsy

from ..data.tables.columns import parse_numbers
from ..data.tables.read import LARGEST_EXACT, with_labels


class Formula:
    """A formula as in R, such as "severity ~ year + C(region)".

    outcome (str): The part before the tilde, in Python, with `np` for NumPy.
    covariates (str): The part after it, for patsy.
    """

    def __init__(self, text: str) -> None:
        """Split a formula.

        text (str): The formula.
        RAISES (ValueError): It is not an outcome, one tilde and covariates.
        """
        self.outcome, tilde, self.covariates = (part.strip() for part in text.partition("~"))
        if not (self.outcome and tilde and self.covariates) or "~" in self.covariates:
            raise ValueError(
                f"The formula is {text!r}. Expected an outcome and covariates, such as 'severity ~ "
                "year + C(region)', or 'severity ~ 1' for a mean."
            )
        self.text = text

    def names(self, columns: pd.Index) -> list[str]:
        """List the columns that the formula names."""
        words = set(re.findall(r"\w+", self.text))
        return [name for name in columns if name in words or f'"{name}"' in self.text]

    def evaluate_outcome(self, frame: pd.DataFrame) -> pd.Series:
        """Compute the outcome.

        RETURNS (Series): Numbers or booleans; NaN where a column is.
        RAISES (ValueError): It can't be computed.
        """
        columns = {name: frame[name] for name in frame}
        # As in patsy: I() leaves what is in it as it is, Q() names a column of any name.
        scope: dict[str, Any] = {"np": np, "I": lambda value: value, "Q": columns.__getitem__}
        environment = patsy.EvalEnvironment([scope])
        try:
            with np.errstate(all="ignore"):
                values = environment.eval(self.outcome, inner_namespace=columns)
            values = pd.Series(values, index=frame.index)
        except Exception as error:  # whatever is wrong with the formula
            raise self._error(error) from error
        if pd.api.types.is_bool_dtype(values):
            used = [name for name in frame if re.search(rf"\b{re.escape(name)}\b", self.outcome)]
            return values.astype(float).mask(frame[used].isna().any(axis=1)).astype(float)
        try:
            return values.astype(float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"The outcome {self.outcome!r} is not a number.") from error

    def is_binary(self, frame: pd.DataFrame) -> bool:
        """Tell whether the outcome is true or false, as "severity > 2" is."""
        columns: Mapping[str, Any] = {name: frame[name].head(2) for name in frame}
        scope = {"np": np, "I": lambda value: value, "Q": columns.__getitem__}
        try:
            with np.errstate(all="ignore"):
                value = patsy.EvalEnvironment([scope]).eval(self.outcome, inner_namespace=columns)
        except Exception as error:  # whatever is wrong with the formula
            raise self._error(error) from error
        return bool(pd.api.types.is_bool_dtype(np.asarray(value)))

    def evaluate_covariates(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Compute the design matrix, of the rows without missing values.

        RETURNS (DataFrame): A column for each term.
        RAISES (ValueError): It can't be computed.
        """
        environment = patsy.EvalEnvironment([{"np": np}])
        try:
            with np.errstate(all="ignore"):
                return patsy.dmatrix(
                    self.covariates, frame, eval_env=environment, return_type="dataframe"
                )
        except Exception as error:  # patsy's own, and whatever is wrong with the formula
            raise self._error(error) from error

    def _error(self, error: Exception) -> ValueError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return ValueError(f"Can't compute the formula {self.text!r}: {reason}.")


def as_variables(
    table: pd.DataFrame, names: Iterable[str], path: Path, decimal: str | None = None
) -> pd.DataFrame:
    """Make variables of a table's columns: numbers if all cells are numbers, otherwise categories.

    table (DataFrame): The table, as `read_table` gives it, with numbers as text.
    names (Iterable[str]): The columns.
    path (Path): What errors call the table.
    decimal (str | None): Decimal sign, see `TableOptions`.
    RETURNS (DataFrame): The columns; NaN or None where a value is unknown.
    """
    variables = {}
    for name in names:
        column = table[name]
        if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
            variables[name] = column
            continue
        labelled = with_labels(table, name)
        try:
            numbers = pd.Series(parse_numbers(labelled, path, decimal), table.index)
            # So that a category is 1992, and not 1992.0.
            is_whole = (numbers % 1 == 0).all() and (numbers.abs() < LARGEST_EXACT).all()
            variables[name] = numbers.astype(np.int64) if is_whole else numbers
        except ValueError:
            texts = labelled.astype(object)
            empty = labelled.isna() | (labelled.astype(str).str.strip() == "")
            variables[name] = texts.where(~empty, None)
    return pd.DataFrame(variables, index=table.index)


def with_text(values: pd.Series) -> pd.Series:
    """Write the values of a column that groups as text; whole numbers without decimals."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        return values.map(lambda value: str(int(value)), na_action="ignore")
    return values.map(str, na_action="ignore")
