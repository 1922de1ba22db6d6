"""Make regressions from documents and a formula, and say why one can't be estimated."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.metrics import Floats
from .documents import Documents
from .formulas import Formula, as_variables, with_text
from .moments import FAMILIES, Regression

# Fewer coded documents with a category are too few for a normal distribution.
FEW_CODED = 10


@dataclass(frozen=True)
class Grouped:
    """A regression in one group of documents.

    group (str | None): Value of the column that groups; None for all documents.
    regression (Regression | None): None if it can't be estimated.
    problem (str): Why not; empty if it can be.
    n (int), n_coded (int): Numbers of documents.
    """

    group: str | None
    regression: Regression | None
    problem: str
    n: int
    n_coded: int


def make_regressions(
    documents: Documents,
    formula: Formula,
    predicted: str,
    *,
    family: str | None = None,
    cluster: str | None = None,
    by: str | None = None,
    decimal: str | None = None,
) -> Iterator[Grouped]:
    """Make the regressions of a formula.

    documents (Documents): The documents. `notes` is added to.
    formula (Formula): The formula.
    predicted (str): The predicted variable.
    family (str | None): "linear", "logistic", or None: logistic if the outcome is true or false.
    cluster (str | None): Column with the cluster of each document.
    by (str | None): Column that groups, for a regression in each group.
    decimal (str | None): Decimal sign, see `TableOptions`.
    YIELDS (Grouped): One for each group.
    RAISES (ValueError): The formula can't be computed, or no regression can be estimated.
    """
    table, path = documents.table, documents.name
    for name in (cluster, by):
        if name is not None and name not in table:
            raise ValueError(
                f"{path} has no column {name!r}. It has: {', '.join(map(str, table.columns))}."
            )
    names = [name for name in formula.names(table.columns) if name != predicted]
    variables = as_variables(table, names, path, decimal).reset_index(drop=True)
    with_predicted = variables.assign(**{predicted: documents.predicted})
    if predicted not in formula.names(with_predicted.columns):
        raise ValueError(
            f"The formula {formula.text!r} has no {predicted!r}, which is predicted. Expected it "
            "as the outcome or a covariate; otherwise no correction is needed."
        )
    with_gold = variables.assign(**{predicted: documents.gold})
    if family is None:
        family = "logistic" if formula.is_binary(with_predicted) else "linear"
    if family not in FAMILIES:
        raise ValueError(f"The family is {family!r}. Expected linear or logistic.")
    coded = np.flatnonzero(documents.is_coded)
    # Together, so that both have the same categories, and the same state of transforms.
    stacked = pd.concat([with_predicted, with_gold.iloc[coded]], ignore_index=True)
    matrix = formula.evaluate_covariates(stacked)
    outcome = formula.evaluate_outcome(stacked)
    is_known = np.zeros(len(stacked), dtype=bool)
    is_known[matrix.index] = True
    is_known &= outcome.notna().to_numpy()
    clusters = None if cluster is None else table[cluster].reset_index(drop=True)
    kept = _find_complete(documents, variables, is_known, coded, clusters, predicted)
    matrix = matrix.reindex(stacked.index)
    _check_finite(matrix, outcome, kept, coded, len(table), documents)
    if family == "logistic" and not outcome[np.flatnonzero(is_known)].between(0, 1).all():
        raise ValueError(
            f"The outcome {formula.outcome!r} has values outside of 0 to 1. Expected a threshold "
            "of it, such as 'severity > 2 ~ year', or the family linear."
        )
    groups: list[tuple[str | None, NDArray[np.bool_]]] = [(None, kept)]
    if by is not None:
        values = as_variables(table, [by], path, decimal)[by].reset_index(drop=True)
        labels = with_text(values)
        if n_lost := int((kept & labels.isna().to_numpy()).sum()):
            documents.notes.append(f"{n_lost:,} documents have no {by!r}, and are left out")
        groups = [(name, kept & (labels == name).to_numpy()) for name in labels.dropna().unique()]
    rows_of_coded = np.full(len(table), -1)
    rows_of_coded[coded] = len(table) + np.arange(len(coded))
    X, y = matrix.to_numpy(dtype=float), outcome.to_numpy(dtype=float)
    for group, chosen in groups:
        rows = np.flatnonzero(chosen)
        places = np.flatnonzero(documents.is_coded[rows])
        gold_rows = rows_of_coded[rows[places]]
        codes = None if clusters is None else pd.factorize(clusters[rows])[0]
        regression = Regression(
            list(map(str, matrix.columns)),
            X[rows],
            y[rows],
            X[gold_rows],
            y[gold_rows],
            places,
            _weights(documents, rows, places),
            codes,
            family,
        )
        problem = find_problem(regression)
        if problem and by is None:
            raise ValueError(problem)
        if not problem:
            documents.notes += _describe_few(regression, group)
        yield Grouped(group, None if problem else regression, problem, len(rows), len(places))


def find_problem(regression: Regression) -> str:
    """Say why a regression can't be estimated; empty if it can be."""
    n, k = regression.n_coded, len(regression.terms)
    if n < k + 2:
        return (
            f"{n} coded documents are too few for {k} {'term' if k == 1 else 'terms'}. Expected "
            f"{k + 2} or more."
        )
    for X, which in ((regression.X, "all"), (regression.X_coded, "the coded")):
        size = np.abs(X).max(axis=0)
        empty = [term for term, s in zip(regression.terms, size, strict=True) if s == 0]
        if empty:
            return (
                f"{', '.join(empty)}: of {which} documents, none has it. Expected some coded "
                "documents of each category; merge rare ones, or code more."
            )
        # The triangle has the same rank, and is small.
        triangle = np.linalg.qr(X / np.sqrt((X**2).mean(axis=0)), mode="r")
        if np.linalg.matrix_rank(triangle) < k:
            return (
                f"The terms {', '.join(regression.terms)} depend on each other in {which} "
                "documents, so that their coefficients can't be told apart. Expected fewer terms, "
                "or more coded documents."
            )
    return ""


def _weights(documents: Documents, rows: NDArray[np.int64], places: NDArray[np.int64]) -> Floats:
    """Compute 1 / probability of the coded documents, scaled to sum to the number of all."""
    weights = np.ones(len(places))
    if documents.probability is not None:
        weights = 1 / documents.probability[rows[places]]
    return weights * len(rows) / max(weights.sum(), 1e-300)


def _find_complete(
    documents: Documents,
    variables: pd.DataFrame,
    is_known: NDArray[np.bool_],
    coded: NDArray[np.int64],
    clusters: pd.Series | None,
    predicted: str,
) -> NDArray[np.bool_]:
    """Find documents without missing values, shape (n,)."""
    n = len(variables)
    has_variables = variables.notna().all(axis=1).to_numpy()
    lacking = np.isnan(documents.predicted)
    if (lacking & documents.is_coded).any():
        place = int((lacking & documents.is_coded).argmax())
        raise ValueError(
            f"{documents.name}, row {place + 1}: the document is coded, but has no prediction in "
            f"'{predicted}_predicted'. Expected one for each coded document."
        )
    kept = has_variables & ~lacking
    if clusters is not None:
        kept &= clusters.notna().to_numpy()
    if n_lost := int((~has_variables).sum()):
        documents.notes.append(
            f"{n_lost:,} of {n:,} documents have missing values, and are left out"
        )
    if n_lost := int((lacking & has_variables).sum()):
        documents.notes.append(
            f"{n_lost:,} of {n:,} documents have no prediction, and are left out: estimates are "
            "about the others"
        )
    known = is_known[:n].copy()
    known[coded] &= is_known[n:]
    if (kept & ~known).any():
        place = int((kept & ~known).argmax())
        raise ValueError(
            f"{documents.name}, row {place + 1}: the formula has no value there, for the "
            "prediction or for what was coded. Expected a transform that is defined for all values."
        )
    return kept


def _check_finite(
    matrix: pd.DataFrame,
    outcome: pd.Series,
    kept: NDArray[np.bool_],
    coded: NDArray[np.int64],
    n: int,
    documents: Documents,
) -> None:
    """Raise a ValueError where a transform gives infinity, as the logarithm of 0 does."""
    places = np.concatenate([np.arange(n), coded])
    values = matrix.assign(**{"the outcome": outcome})
    wrong = np.isinf(values.to_numpy(dtype=float)) & kept[places][:, None]
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        source = "its prediction" if row < n else "what was coded"
        raise ValueError(
            f"{documents.name}, row {places[row] + 1}: {values.columns[column]} is infinite for "
            f"{source}. Expected a transform that is defined for all values."
        )


def _describe_few(regression: Regression, group: str | None) -> list[str]:
    """Name categories with few coded documents."""
    label = "" if group is None else f"{group}: "
    if regression.n_coded < FEW_CODED:
        return [f"{label}only {regression.n_coded} coded documents; do not trust the interval"]
    counts = np.count_nonzero(regression.X_coded, axis=0)
    return [
        f"{label}{term}: only {count} coded documents; do not trust its interval"
        for term, count, column in zip(regression.terms, counts, regression.X_coded.T, strict=True)
        if count < FEW_CODED and np.isin(column, (0, 1)).all()
    ]
