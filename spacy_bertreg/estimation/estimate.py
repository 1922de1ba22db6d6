"""Estimate regressions on predicted values, with intervals that allow for prediction errors."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.tables.kinds import TableOptions
from ..data.tables.read import read_table
from .documents import gather_documents
from .unseen import NO_CHECK, check_unseen

COLUMNS = (
    "estimator", "term", "estimate", "std_error", "low", "high", "n_coded", "n", "effective_n",
)  # fmt: skip
DEFAULT_ESTIMATORS = ("naive", "gold", "dsl", "ppi++")
CORRECTED = ("dsl", "ppi++")
NAIVE_WARNING = (
    "naive takes predictions for true values. Their errors bias it, and its intervals ignore them: "
    "it is there for comparison only"
)
ALL_CODED = "All documents are coded, so dsl and ppi++ have nothing to correct"
SIMPLE_SAMPLE = (
    "No sampling probabilities are given (--probability): the coded documents are assumed to be a "
    "simple random sample of all"
)


def estimate(
    formula: str,
    frame: pd.DataFrame | str | Path,
    *,
    predicted: str,
    estimators: Sequence[str] = DEFAULT_ESTIMATORS,
    id_column: str | None = None,
    coded: pd.DataFrame | str | Path | None = None,
    folds: pd.DataFrame | str | Path | None = None,
    model: str | None = None,
    pipeline: str | Path | None = None,
    text: str = "text",
    unseen: bool = False,
    probability: str | None = None,
    cluster: str | None = None,
    by: str | None = None,
    family: str | None = None,
    level: float = 0.95,
    plan: bool = False,
    options: TableOptions | None = None,
) -> pd.DataFrame:
    """Estimate a regression in which a variable is predicted, and known for coded documents.

    formula (str): Such as "severity ~ year + C(region)", with the predicted variable as the outcome
        or among the covariates; "severity ~ 1" is its mean, and "severity > 2 ~ year" a logistic
        regression. Read by patsy, which runs code in it.
    frame (DataFrame | str | Path): A row for each document: the variables, predictions in
        `{predicted}_predicted`, as `score` writes them, and what was coded in `predicted`, empty
        where not coded. Or the path of such a table.
    predicted (str): The predicted variable.
    estimators (Sequence[str]): Some of "naive", "gold", "dsl" and "ppi++": see `estimators.py`.
    id_column (str | None): Column that names a document, to join tables by.
    coded (DataFrame | str | Path | None): Table of the coded documents, if what was coded is not in
        `frame`.
    folds (DataFrame | str | Path | None): Out-of-fold predictions of the coded documents, from
        `crossval`: a folder or what `cross_validate` returned. They replace those in `frame`.
    model (str | None): Which model of `folds`; None if it has only one.
    pipeline (str | Path | None): In place of `folds`, the pipeline that made all predictions, to
        check that it was not trained on a coded document's text.
    text (str): Column with the texts, for `pipeline`.
    unseen (bool): In place of both, confirm that the model behind the predictions has not seen the
        coded documents.
    probability (str | None): Column with sampling probabilities of the coded documents, in `coded`
        if given; None for a simple random sample.
    cluster (str | None): Column with the cluster of each document, such as its author, for standard
        errors.
    by (str | None): Column that groups: the regression is estimated in each group.
    family (str | None): "linear", "logistic", or None: logistic if the outcome is true or false.
    level (float): Level of the intervals, between 0 and 1.
    plan (bool): Whether to plan how many documents to code: see `expect_widths`.
    options (TableOptions | None): How tables are written, if paths are given.
    RETURNS (DataFrame): For each estimator and term: `estimator`, `term`, `estimate`, `std_error`,
        `low`, `high`, `n_coded`, `n`, and `effective_n`, the number of coded documents with which
        `gold` would have the same standard error; before them `group` with `by`. NaN where a group
        can't be estimated. `attrs["notes"]` and `attrs["warnings"]` are lists of sentences, and
        `attrs["plan"]` has the rows of `expect_widths`.
    RAISES (ValueError, FileNotFoundError, ImportError): Wrong input, or statsmodels is missing.
    """
    formulas, regressions, estimators_, plans = _import_parts()
    if not 0 < level < 1:
        raise ValueError(f"level is {level}. Expected a number between 0 and 1, such as 0.95.")
    if unknown := [name for name in estimators if name not in estimators_.ESTIMATORS]:
        raise ValueError(
            f"There is no estimator {unknown[0]!r}. Expected one of "
            f"{', '.join(estimators_.ESTIMATORS)}."
        )
    if not estimators:
        raise ValueError(f"Expected an estimator: {', '.join(estimators_.ESTIMATORS)}.")
    asked = list(dict.fromkeys(estimators))
    if plan and asked == ["naive"]:
        raise ValueError("Expected an estimator to plan for: gold, dsl or ppi++.")
    parsed = formulas.Formula(formula)
    is_corrected = any(name in CORRECTED for name in asked)
    if is_corrected and folds is None and pipeline is None and not unseen:
        raise ValueError(NO_CHECK)
    table, name = _load(frame, "The table", options)
    coded_table, coded_name = (None, None) if coded is None else _load(coded, "coded", options)
    decimal = None if options is None else options.decimal
    documents = gather_documents(
        table,
        name,
        predicted,
        id_column=id_column,
        coded=coded_table,
        coded_name=coded_name,
        folds=folds,
        model=model,
        probability=probability,
        decimal=decimal,
    )
    if pipeline is not None and folds is None:
        check_unseen(documents, pipeline, text, predicted)
    if documents.is_coded.all():
        documents.notes.append(ALL_CODED)
    elif probability is None and asked != ["naive"]:
        documents.notes.append(SIMPLE_SAMPLE)
    tables, plan_tables = [], []
    for grouped in regressions.make_regressions(
        documents, parsed, predicted, family=family, cluster=cluster, by=by, decimal=decimal
    ):
        fits, problem = {}, grouped.problem
        if grouped.regression is not None:
            try:
                names = list(dict.fromkeys([*asked, "gold"]))
                fits = {n: estimators_.ESTIMATORS[n](grouped.regression) for n in names}
            except ValueError as error:
                if by is None:
                    raise
                problem = str(error)
        if problem:
            documents.notes.append(f"{grouped.group}: {problem}")
        part = _tabulate(grouped, fits, asked, level)
        tables.append(part if by is None else part.assign(group=grouped.group))
        if plan and fits:
            chosen = {n: fits[n] for n in asked if n != "naive"}
            part = plans.expect_widths(grouped.regression, chosen, level)
            plan_tables.append(part if by is None else part.assign(group=grouped.group))
    result = pd.concat(tables, ignore_index=True)
    if by is not None:
        result = result[["group", *COLUMNS]]
    if result["estimate"].isna().all():
        raise ValueError(f"No group can be estimated. {documents.notes[-1]}")
    result.attrs["notes"] = list(dict.fromkeys(documents.notes))
    result.attrs["warnings"] = [NAIVE_WARNING] if "naive" in asked else []
    if plan:
        # As records: pandas compares attributes, which it can't for data frames.
        result.attrs["plan"] = pd.concat(plan_tables, ignore_index=True).to_dict("records")
    for warning in result.attrs["warnings"]:
        warnings.warn(warning, stacklevel=2)
    return result


def _tabulate(
    grouped: Any, fits: dict[str, Any], asked: Sequence[str], level: float
) -> pd.DataFrame:
    """Write a group's estimates as rows."""
    from scipy.stats import t

    rows: list[dict[str, Any]] = []
    counts = {"n_coded": grouped.n_coded, "n": grouped.n}
    for name in asked:
        if name not in fits:
            rows.append({"estimator": name, **counts})
            continue
        fit = fits[name]
        half = fit.std_error * t.ppf((1 + level) / 2, fit.df)
        with np.errstate(all="ignore"):
            worth = grouped.n_coded * (fits["gold"].std_error / fit.std_error) ** 2
        for place, term in enumerate(grouped.regression.terms):
            rows.append(
                {
                    "estimator": name,
                    "term": term,
                    "estimate": fit.estimate[place],
                    "std_error": fit.std_error[place],
                    "low": fit.estimate[place] - half[place],
                    "high": fit.estimate[place] + half[place],
                    **counts,
                    # A biased estimate is worth no number of documents.
                    "effective_n": np.nan if name == "naive" else worth[place],
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS).astype(
        dict.fromkeys(("estimate", "std_error", "low", "high", "effective_n"), float)
    )


def _load(
    source: pd.DataFrame | str | Path, name: str, options: TableOptions | None
) -> tuple[pd.DataFrame, Path]:
    """Read a table if a path is given, and say what errors call it."""
    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=True), Path(name)
    return read_table(Path(source), options), Path(source)


def _import_parts() -> tuple[Any, Any, Any, Any]:
    try:
        from . import estimators, formulas, plan, regressions
    except ImportError as error:
        raise ImportError(
            "Estimating needs statsmodels: pip install 'spacy-bertreg[estimate]'"
        ) from error
    return formulas, regressions, estimators, plan
