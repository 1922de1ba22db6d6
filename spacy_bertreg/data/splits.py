"""Train, dev and test: drawn at random, by date, or as a column says."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from spacy.tokens import Doc

from .tables.columns import A_DATE, check_cells, parse_dates

SPLITS = ("train", "dev", "test")


def split_by_group(groups: Sequence[str], shares: Sequence[float], seed: int) -> np.ndarray:
    """Draw train, dev and test at random, keeping groups whole.

    scikit-learn's GroupShuffleSplit draws only two sets, and shares of groups, not of documents.

    groups (Sequence[str]): The group of each document.
    shares (Sequence[float]): Shares of the documents, met as closely as the groups allow.
    seed (int): Seed of the draw.
    RETURNS (ndarray): "train", "dev" or "test" for each document.
    RAISES (ValueError): Shares that are negative or don't sum to 1, or a split without documents.
    """
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ValueError(f"The shares of the splits are {tuple(shares)}. Expected 3 that sum to 1.")
    codes, unique = pd.factorize(np.asarray(groups, dtype=object))
    order = np.random.default_rng(seed).permutation(len(unique))
    sizes = np.bincount(codes)[order]
    # A group goes where the middle of its documents falls.
    middles = (np.cumsum(sizes) - sizes / 2) / len(codes)
    split_of_group = np.empty(len(unique), dtype=int)
    split_of_group[order] = np.searchsorted(np.cumsum(shares)[:2], middles, side="right")
    split = np.array(SPLITS)[split_of_group[codes]]
    for name, share in zip(SPLITS, shares, strict=True):
        if share > 0 and name not in split:
            raise ValueError(
                f"The split {name!r} (share {share:g}) would be empty: {len(codes)} documents in "
                f"{len(unique)} groups are too few."
            )
    return split


def split_by_date(dates: pd.Series, dev_from: str, test_from: str) -> np.ndarray:
    """Split by date: train before dev, and dev before test.

    dates (Series): The date of each document, in UTC.
    dev_from (str): First date of dev; earlier documents are in train.
    test_from (str): First date of test.
    RETURNS (ndarray): "train", "dev" or "test" for each document.
    RAISES (ValueError): `dev_from` or `test_from` is no date, they are in the wrong order, or a
        split would have no documents.
    """
    limits = parse_dates(pd.Series([dev_from, test_from]))
    for name, value, limit in zip(("dev", "test"), (dev_from, test_from), limits, strict=True):
        if pd.isna(limit):
            raise ValueError(f"--{name}-from is {value!r}. Expected {A_DATE}.")
    if limits[0] >= limits[1]:
        raise ValueError(
            f"--dev-from is {dev_from}, --test-from {test_from}. Expected dev before test."
        )
    split = np.array(SPLITS)[(dates >= limits[0]).astype(int) + (dates >= limits[1]).astype(int)]
    spans = (f"before {dev_from}", f"from {dev_from} to before {test_from}", f"from {test_from}")
    for name, span in zip(SPLITS, spans, strict=True):
        if name not in split:
            raise ValueError(
                f"The split {name!r} would be empty: there is no document {span}. Documents are "
                f"dated from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}."
            )
    return split


def split_by_column(column: pd.Series, path: Path) -> np.ndarray:
    """Split as a column says: train, dev or test for each document.

    RAISES (ValueError): A cell says something else, or a split has no documents.
    """
    check_cells(column, ~column.isin(SPLITS), path, "train, dev or test")
    split = column.to_numpy(dtype=str)
    for name in SPLITS:
        if name not in split:
            raise ValueError(
                f"The split {name!r} would be empty: no row of {path} has it in column "
                f"{column.name!r}."
            )
    return split


def order_by_group(docs: Sequence[Doc], seed: int) -> list[int]:
    """Draw a random order of documents that keeps groups together, so that its beginnings are
    nested samples.

    docs (Sequence[Doc]): The documents; one without a group is a group of its own.
    seed (int): Seed of the draw.
    RETURNS (list[int]): The documents' positions, from 0.
    """
    groups = [str(doc.user_data.get("group", place)) for place, doc in enumerate(docs)]
    codes, unique = pd.factorize(np.array(groups, dtype=object))
    places = np.random.default_rng(seed).permutation(len(unique))
    return [int(place) for place in np.argsort(places[codes], kind="stable")]


def first_ids(texts: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Name groups of equal texts: for each text, the id of the first that is equal."""
    first: dict[str, str] = {}
    return [first.setdefault(text, name) for text, name in zip(texts, ids, strict=True)]


def count_shared(groups: Sequence[str], split: np.ndarray) -> int:
    """Count the groups that have documents in more than one split."""
    return int((pd.Series(split).groupby(list(groups)).nunique() > 1).sum())
