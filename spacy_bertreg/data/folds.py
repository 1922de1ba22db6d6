"""Folds of a cross-validation: by group, by time, or stratified by a target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .splits import split_by_group
from .tables.columns import A_DATE, parse_dates

Places = NDArray[np.int64]
WAYS = ("group", "time", "target")


@dataclass(frozen=True)
class Fold:
    """Positions of the documents of one fold. No document is in two of the parts.

    train (ndarray): Documents to learn from.
    dev (ndarray): Documents to choose the best epoch on.
    test (ndarray): Documents to predict.
    """

    train: Places
    dev: Places
    test: Places


def folds_by_group(groups: Sequence[str], n_folds: int, seed: int) -> Places:
    """Assign whole groups to folds of similar size, at random.

    Groups are assigned from the largest to the smallest. Each goes to a fold drawn at random from
    those that have room for it, or else to the emptiest. scikit-learn's GroupKFold always takes the
    emptiest fold, so groups of different sizes are combined in one way only.

    groups (Sequence[str]): The group of each document.
    n_folds (int): Number of folds.
    seed (int): Seed of the draw.
    RETURNS (ndarray): For each document the fold that predicts it, from 0.
    RAISES (ValueError): There are fewer groups than folds.
    """
    codes, unique = pd.factorize(np.asarray(groups, dtype=object))
    _check_number(len(unique), n_folds, "groups")
    sizes = np.bincount(codes)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(unique))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    filled = np.zeros(n_folds, dtype=int)
    fold_of_group = np.empty(len(unique), dtype=int)
    for n_done, group in enumerate(order):
        allowed = np.flatnonzero(filled + sizes[group] <= len(codes) / n_folds)
        empty = np.flatnonzero(filled == 0)
        if len(unique) - n_done <= len(empty):
            allowed = empty
        elif not len(allowed):
            allowed = np.flatnonzero(filled == filled.min())
        fold = rng.choice(allowed)
        fold_of_group[group] = fold
        filled[fold] += sizes[group]
    return fold_of_group[codes]


def folds_by_target(
    values: Sequence[float], groups: Sequence[str], n_folds: int, seed: int
) -> Places:
    """Assign documents to folds in which a target has similar distributions.

    Documents are sorted by the target. Of each `n_folds` successive documents, every fold gets one,
    at random.

    values (Sequence[float]): The target, NaN where unknown: these documents are spread, too.
    groups (Sequence[str]): The group of each document, such as copies of one text. A group stays
        in one fold, and is sorted by its mean.
    n_folds (int): Number of folds.
    seed (int): Seed of the draw.
    RETURNS (ndarray): For each document the fold that predicts it, from 0.
    RAISES (ValueError): There are fewer documents than folds.
    """
    codes, unique = pd.factorize(np.asarray(groups, dtype=object))
    _check_number(len(unique), n_folds, "different documents")
    means = pd.Series(np.asarray(values, dtype=float)).groupby(codes).mean().to_numpy()
    rng = np.random.default_rng(seed)
    # Equal values are in random order, too.
    shuffled = rng.permutation(len(unique))
    order = shuffled[np.argsort(means[shuffled], kind="stable")]
    fold_of_group = np.empty(len(unique), dtype=int)
    for start in range(0, len(order), n_folds):
        run = order[start : start + n_folds]
        fold_of_group[run] = rng.permutation(n_folds)[: len(run)]
    return fold_of_group[codes]


def folds_by_time(dates: pd.Series, n_folds: int) -> Places:
    """Cut documents into periods of similar size, of which all but the first are predicted.

    dates (Series): The date of each document.
    n_folds (int): Number of periods to predict.
    RETURNS (ndarray): For each document the fold that predicts it, from 0; -1 for the first period,
        which is only learned from. Documents of one date are in one period.
    RAISES (ValueError): There are too few dates.
    """
    codes, unique = pd.factorize(dates, sort=True)
    _check_number(len(unique), n_folds + 1, "dates", what="periods")
    sizes = np.bincount(codes)
    # A date goes where the middle of its documents falls.
    middles = (np.cumsum(sizes) - sizes / 2) / len(codes)
    periods = np.minimum((middles * (n_folds + 1)).astype(int), n_folds)
    if len(np.unique(periods)) <= n_folds:
        raise ValueError(
            f"Can't make {n_folds + 1} periods with similar numbers of documents: one of "
            f"the {len(unique)} dates has {sizes.max()} of {len(codes)}. Expected fewer folds."
        )
    return periods[codes] - 1


def make_folds(
    by: str,
    n_folds: int,
    seed: int,
    dev: float,
    *,
    groups: Sequence[str],
    values: Sequence[float],
    times: Sequence[Any],
    ids: Sequence[str],
) -> list[Fold]:
    """Make the folds of one repeat.

    by (str): "group", "time" (each period is predicted from those before it) or "target".
    n_folds (int): Number of folds, 2 or more; with "time", 1 or more.
    seed (int): Seed of all draws.
    dev (float): Share of the training documents to choose the best epoch on: whole groups or, with
        "time", the latest documents.
    groups (Sequence[str]): The group of each document, which stays whole; not used with "time".
    values (Sequence[float]): The target to stratify by, NaN where unknown.
    times (Sequence): The date of each document; used only with "time".
    ids (Sequence[str]): The documents' names, for the errors.
    RETURNS (list[Fold]): The folds.
    RAISES (ValueError): Wrong settings, or too few documents.
    """
    if by not in WAYS:
        raise ValueError(f"by is {by!r}. Expected one of {', '.join(WAYS)}.")
    if n_folds < (1 if by == "time" else 2):
        raise ValueError(f"folds is {n_folds}. Expected 2 or more (by time, 1 or more).")
    if not 0 < dev < 1:
        raise ValueError(f"dev is {dev}. Expected a share between 0 and 1.")
    if by == "time":
        dates = _read_dates(times, ids)
        of_doc = folds_by_time(dates, n_folds)
    elif by == "group":
        of_doc = folds_by_group(groups, n_folds, seed)
    else:
        of_doc = folds_by_target(values, groups, n_folds, seed)
    folds = []
    for number in range(n_folds):
        rest = np.flatnonzero(of_doc < number if by == "time" else of_doc != number)
        try:
            if by == "time":
                is_dev = _last_share(dates.iloc[rest], dev)
            else:
                chosen = [groups[place] for place in rest.tolist()]
                is_dev = split_by_group(chosen, (1 - dev, dev, 0), seed) == "dev"
        except ValueError as error:
            raise ValueError(f"Fold {number + 1} of {n_folds}: {error}") from error
        folds.append(Fold(rest[~is_dev], rest[is_dev], np.flatnonzero(of_doc == number)))
    return folds


def _read_dates(times: Sequence[Any], ids: Sequence[str]) -> pd.Series:
    for time, name in zip(times, ids, strict=True):
        if time is None:
            raise ValueError(
                f"The document {name!r} has no time. Expected one in each, as `convert --time "
                "COLUMN` writes it."
            )
    dates = parse_dates(pd.Series(list(times), dtype=object))
    if dates.isna().any():
        place = int(dates.isna().argmax())
        raise ValueError(
            f"The document {ids[place]!r} has the time {times[place]!r}. Expected {A_DATE}."
        )
    return dates


def _last_share(dates: pd.Series, share: float) -> NDArray[np.bool_]:
    """Find the latest documents: about this share, with all documents of their first date."""
    ordered = dates.sort_values(ignore_index=True)
    first = ordered[min(round(len(dates) * (1 - share)), len(dates) - 1)]
    if first == ordered[0]:
        raise ValueError(f"The {len(dates)} documents before it have too few dates for a dev part.")
    return (dates >= first).to_numpy()


def _check_number(found: int, needed: int, of: str, what: str = "folds") -> None:
    if found < needed:
        raise ValueError(f"There are {found} {of}, too few for {needed} {what}.")
