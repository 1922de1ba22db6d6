"""What a table holds, and what follows from it for a project."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..data.tables.columns import parse_dates
from .windows import USUAL, Windows

Floats = NDArray[np.float64]

# Fewer documents than this, and one split decides much.
FEW_DOCUMENTS, FEW_TEST_DOCUMENTS = 1500, 200
SKEWED = 2.0
# Share of the target's variance between the values of a column, above which they may leak.
MIN_SHARE = 0.1
FEW_GROUPS = 10
N_PERMUTATIONS = 99


class Finding(NamedTuple):
    """What was found about something, and what was chosen because of it.

    subject (str): What it is about, such as "Target 'rating'".
    found (str): What was found.
    choice (str): What was chosen, and why; empty if there was nothing to choose.
    is_warning (bool): Whether the user should look at it.
    """

    subject: str
    found: str
    choice: str = ""
    is_warning: bool = False


class TargetChoice(NamedTuple):
    """How to learn a target.

    target (str): Its name.
    transform (str): As in [components.text_regressor].
    bounds (tuple[float, float] | None): Low and high end for the transform "logit".
    finding (Finding): Why.
    """

    target: str
    transform: str
    bounds: tuple[float, float] | None
    finding: Finding


def choose_transform(name: str, values: Sequence[float | None]) -> TargetChoice:
    """Choose a target's transform by its distribution.

    name (str): The target.
    values (Sequence[float | None]): Its values, None or NaN where unknown.
    RETURNS (TargetChoice): `log1p` for skewed values of 0 or more; `asinh` for long tails on both
        sides of 0; `logit` for shares between 0 and 1; and `standardize` for all others.
    RAISES (ValueError): The target does not vary.
    """
    column = pd.Series(values, dtype=float).dropna()
    if column.nunique() < 2:
        raise ValueError(
            f"The target {name!r} has {column.nunique()} different values in {len(column)} known "
            "ones. Expected at least two."
        )
    low, high, skewness = float(column.min()), float(column.max()), float(column.skew())
    zeros = float((column == 0).mean())
    found = (
        f"{len(column):,} known of {len(values):,}; mean {column.mean():.4g}, standard deviation "
        f"{column.std():.4g}, from {low:.4g} to {high:.4g}; {zeros:.0%} zeros; skewness "
        f"{skewness:.1f}"
    )
    bounds: tuple[float, float] | None = None
    is_fraction = low >= 0 and high <= 1 and not np.equal(column % 1, 0).all()
    if is_fraction:
        # At a bound, the logit is infinite: half a document wider.
        edge = 0.5 / len(column)
        bounds = (-edge, 1 + edge)
        transform, why = "logit", "a share between 0 and 1: predictions stay between them"
    elif low >= 0 and skewness > SKEWED:
        transform, why = "log1p", "skewed, and never below 0: a few large values would rule"
    elif low < 0 < high and (abs(skewness) > SKEWED or column.kurt() > 3 * SKEWED):
        transform, why = "asinh", "long tails on both sides of 0"
    else:
        transform, why = "standardize", "roughly symmetric"
    choice = f'transform = "{transform}", squared loss: {why}'
    return TargetChoice(name, transform, bounds, Finding(f"Target {name!r}", found, choice))


def describe_documents(
    docs: Mapping[str, Sequence[Doc]],
    transformer: str,
    *,
    has_groups: bool,
    windows: Windows = USUAL,
) -> list[Finding]:
    """Say how many documents there are, how long they are, and whether they suffice to test on.

    docs (Mapping[str, Sequence[Doc]]): The documents of train, dev and test.
    transformer (str): Folder or name, whose tokenizer counts word pieces.
    has_groups (bool): Whether a column says which documents belong together.
    windows (Windows): What BERT reads at once.
    RETURNS (list[Finding]): The findings, with warnings where there are few documents.
    """
    texts = [doc.text for part in docs.values() for doc in part]
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in docs.items())
    findings = [Finding("Documents", f"{len(texts):,}: {sizes}")]
    lengths, unit = _count(texts, transformer)
    middle, long = np.percentile(lengths, (50, 95)).round().astype(int)
    share = np.mean([len(doc) > windows.window for part in docs.values() for doc in part])
    choice = f"BERT reads windows of {windows.window} tokens: {share:.0%} of the texts take more"
    choice += f" than one ({windows.why})" if windows.why else " than one"
    if windows.is_cut:
        choice += ". Some windows have more word pieces than it can read, and will be cut"
    found = f"median {middle:,} {unit}, 95 % at most {long:,}, longest {lengths.max():,}"
    findings.append(Finding("Length", found, choice, is_warning=windows.is_cut))
    n_copies = len(texts) - len(set(texts))
    if n_copies:
        choice = "they stay together in one of train, dev and test"
        if has_groups:
            choice = "copies in other groups may be in the training and in the test set"
        found = "1 text repeats another" if n_copies == 1 else f"{n_copies:,} texts repeat others"
        findings.append(Finding("Duplicates", found, choice, is_warning=has_groups))
    n_test = len(docs.get("test", ()))
    if len(texts) < FEW_DOCUMENTS or n_test < FEW_TEST_DOCUMENTS:
        found = f"{n_test:,} of {len(texts):,} documents"
        choice = "another split may give another verdict, which intervals do not show"
        if len(texts) < FEW_DOCUMENTS:
            choice = (
                f"with fewer than {FEW_DOCUMENTS:,}, {choice}: run crossval, which predicts each "
                "document once with models that learned from others"
            )
        findings.append(Finding("Test set", found, choice, is_warning=True))
    n_groups = len({doc.user_data["group"] for doc in docs.get("test", ())})
    if has_groups and n_groups < FEW_GROUPS:
        choice = "so few hardly stand for all others: the verdict holds for these"
        findings.append(Finding("Groups", f"{n_groups} in the test set", choice, is_warning=True))
    return findings


def _count(texts: Sequence[str], transformer: str) -> tuple[NDArray[np.int64], str]:
    """Count word pieces or, where the transformer can't be reached, words."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(transformer)
    except (OSError, ValueError):
        return np.array([len(text.split()) for text in texts]), "words"
    # The tokenizer would warn of texts that are too long for one window.
    counts = [len(tokenizer.tokenize(text)) for text in texts]
    return np.array(counts), "word pieces"


def find_leaks(
    table: pd.DataFrame, targets: Mapping[str, Floats], used: Collection[str], *, has_time: bool
) -> list[Finding]:
    """Find columns by which a test set may be too easy: dates, if models should predict later
    documents, and columns whose values go with similar targets, such as an author.

    table (DataFrame): The table.
    targets (Mapping[str, ndarray]): The targets' values, NaN where unknown.
    used (Collection[str]): Columns that have a role already.
    has_time (bool): Whether one of these has dates.
    RETURNS (list[Finding]): One for each such column; without dates, it has omega squared (Hays
        1963), an estimate of the share of variance between its values that chance does not inflate.
    """
    findings = []
    rng = np.random.default_rng(0)
    for name in table.columns.difference(list(used), sort=False):
        dates = parse_dates(table[name].dropna())
        if len(dates) and dates.notna().all():
            if not has_time and dates.nunique() > 1:
                findings.append(_describe_dates(name, dates))
            continue
        codes, values = pd.factorize(table[name])
        if not FEW_GROUPS <= len(values) <= len(table) / 2:
            continue
        numbers = pd.to_numeric(table[name], errors="coerce").dropna()
        if len(numbers) and not np.equal(numbers % 1, 0).all():
            # A measurement, whose values documents share only by chance.
            continue
        shares = {}
        for target, observed in targets.items():
            known = ~np.isnan(observed) & (codes >= 0)
            share = _omega_squared(observed[known], codes[known])
            if share > MIN_SHARE and share > max(
                _omega_squared(rng.permutation(observed[known]), codes[known])
                for _ in range(N_PERMUTATIONS)
            ):
                shares[target] = share
        if shares:
            said = " and ".join(f"{share:.0%} of {target}" for target, share in shares.items())
            choice = (
                f"if documents of one value belong together, start again with --group {name}: "
                "otherwise models are tested on what they have learned by heart"
            )
            found = f"its {len(values)} values explain {said}"
            findings.append(Finding(f"Column {name!r}", found, choice, is_warning=True))
    return findings


def _describe_dates(name: str, dates: pd.Series) -> Finding:
    found = f"dates from {dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"
    choice = (
        f"if models should predict later documents, start again with --time {name} --dev-from DATE "
        "--test-from DATE: otherwise they are tested on days that they know"
    )
    return Finding(f"Column {name!r}", found, choice, is_warning=True)


def _omega_squared(values: Floats, codes: NDArray[np.int64]) -> float:
    """Estimate the share of variance between groups: (SSB - (k - 1) MSW) / (SST + MSW)."""
    groups = pd.Series(values).groupby(codes)
    n, k = len(values), groups.ngroups
    if k < 2 or n <= k:
        return 0.0
    total = float(((values - values.mean()) ** 2).sum())
    between = float((groups.size() * (groups.mean() - values.mean()) ** 2).sum())
    within = (total - between) / (n - k)
    return (between - (k - 1) * within) / (total + within) if total else 0.0
