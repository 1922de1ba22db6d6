"""Draw documents to code, with the probabilities that estimators need."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..data.files import check_files, write_whole
from ..data.tables.columns import (
    check_cells,
    check_columns,
    check_unique,
    parse_numbers,
    require_names,
)
from ..data.tables.kinds import TableOptions, table_kind
from ..data.tables.read import read_table, with_labels
from ..evaluation.metrics import Floats

DESIGNS = ("simple", "stratified", "uncertainty")
PROBABILITY = "probability"
# Each document gets at least this share of the mean uncertainty: one with a tiny probability would
# count for thousands.
LEAST_SIZE = 0.25


def sample(
    path: str | Path,
    output: str | Path,
    *,
    n: int,
    predicted: str,
    id_column: str,
    text: str = "text",
    design: str = "simple",
    by: str | None = None,
    strata: int = 5,
    uncertainty: str | None = None,
    seed: int = 0,
    options: TableOptions | None = None,
) -> pd.DataFrame:
    """Draw documents, and write a CSV file in which coders fill in the values.

    path (str | Path): Table of all documents. Documents with a value in `predicted` are coded
        already, and are not drawn again. This works only with the design "simple", where both
        samples together are one simple sample.
    output (str | Path): The CSV file to write: id, text, an empty column for the values, and
        `probability`, in random order. Predictions stay out, so that coders don't see them. An
        existing file is not replaced.
    n (int): Number of documents.
    predicted (str): The variable to code.
    id_column (str): Column that names a document.
    text (str): Column with the texts.
    design (str): "simple": all have the same probability. "stratified": the same number from each
        stratum, by the prediction or by `by`. "uncertainty": probabilities proportional to the
        uncertainty of the prediction (systematic sampling from a random order, Madow 1949, Annals
        of Mathematical Statistics 20:333), but no uncertainty counts as less than a quarter of the
        mean.
    by (str | None): With "stratified", the column of strata; None for `strata` groups of equal size
        by `{predicted}_predicted`.
    strata (int): Number of strata, without `by`.
    uncertainty (str | None): With "uncertainty", the column with numbers above 0; None for
        `{predicted}_high` minus `{predicted}_low`, as `score` writes them.
    seed (int): Seed of the draw.
    options (TableOptions | None): How the table is written.
    RETURNS (DataFrame): The rows that were written. `attrs["n_all"]` is the number of documents
        that could be drawn.
    RAISES (ValueError, FileNotFoundError): Wrong input, or there is such a file already.
    """
    path, output = Path(path), Path(output)
    check_files([output], [path])
    if output.exists():
        raise ValueError(f"{output} is there already, perhaps with codes. Expected a new file.")
    if table_kind(output) != "csv" or output.suffix != ".csv":
        raise ValueError(f"Can't write {output}. Expected a name in .csv.")
    if design not in DESIGNS:
        raise ValueError(f"The design is {design!r}. Expected {', '.join(DESIGNS)}.")
    if predicted in (id_column, text) or PROBABILITY in (id_column, text, predicted):
        raise ValueError("Expected different names for id, text, the variable and probability.")
    for name, value, needed in (("by", by, DESIGNS[1]), ("uncertainty", uncertainty, DESIGNS[2])):
        if value is not None and design != needed:
            raise ValueError(f"{name} is {value!r}. Expected it with the design {needed} only.")
    table = read_table(path, options)
    check_columns(table, [id_column, text, by], path)
    ids = require_names(table[id_column], path, "an id")
    check_unique(ids, table[id_column], path)
    decimal = None if options is None else options.decimal
    coded = np.zeros(len(table), dtype=bool)
    if predicted in table:
        coded = ~np.isnan(parse_numbers(table[predicted], path, decimal))
    if coded.any() and design != "simple":
        raise ValueError(
            f"{int(coded.sum()):,} documents of {path} are coded already in {predicted!r}. "
            "Expected the design simple, or a table without them: with other designs, the "
            "probability to be in one of two samples is unknown."
        )
    free = np.flatnonzero(~coded)
    if not 1 <= n <= len(free):
        raise ValueError(
            f"n is {n:,}. Expected 1 to {len(free):,}, the number of uncoded documents."
        )
    rng = np.random.default_rng(seed)
    if design == "simple":
        drawn = rng.choice(free, n, replace=False)
        probability = np.full(n, (n + coded.sum()) / len(table))
    elif design == "stratified":
        labels = _strata(table, path, predicted, by, strata, decimal)
        drawn, probability = draw_stratified(labels, n, rng)
    else:
        sizes = _uncertainties(table, path, predicted, uncertainty, decimal)
        drawn, probability = draw_by_size(sizes, n, rng)
    order = rng.permutation(len(drawn))
    drawn, probability = drawn[order], probability[order]
    rows = pd.DataFrame(
        {
            id_column: [ids[place] for place in drawn],
            text: with_labels(table, text).iloc[drawn].to_numpy(),
            predicted: "",
            PROBABILITY: probability,
        }
    )
    write_whole({output: rows.to_csv(index=False).encode("utf-8")})
    rows.attrs["n_all"] = len(free)
    return rows


def draw_stratified(
    labels: NDArray, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Draw the same number of documents from each stratum, or all of a smaller one.

    labels (ndarray): The stratum of each document, shape (documents,).
    n (int): How many to draw.
    rng (Generator): Random numbers.
    RETURNS (tuple[ndarray, ndarray]): Positions of the drawn documents, and their probabilities:
        the number of drawn documents of their stratum, divided by its size. Shapes (n,).
    RAISES (ValueError): There are more strata than documents to draw.
    """
    names, codes = np.unique(labels, return_inverse=True)
    sizes = np.bincount(codes)
    if n < len(names):
        raise ValueError(
            f"n is {n:,}, and there are {len(names):,} strata. Expected 1 or more from each; a "
            "stratum without coded documents can't be estimated."
        )
    shares = np.zeros(len(names), dtype=int)
    # In turns: what does not divide evenly goes to strata in random order, one document each.
    order = rng.permutation(len(names))
    while (left := n - shares.sum()) > 0:
        open_ = [place for place in order if shares[place] < sizes[place]]
        each = max(left // len(open_), 1)
        for place in open_[: min(left, len(open_))]:
            shares[place] = min(shares[place] + each, sizes[place])
    drawn = np.concatenate(
        [
            rng.choice(np.flatnonzero(codes == place), share, replace=False)
            for place, share in enumerate(shares)
        ]
    )
    return drawn, (shares / sizes)[codes[drawn]]


def draw_by_size(
    sizes: Floats, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Draw documents with probabilities proportional to a size, by systematic sampling.

    Documents, each as long as its probability, are laid end to end in random order. n marks at
    equal distances, from a random start, hit each with exactly its probability. A document whose
    probability would be above 1 is drawn for certain.

    sizes (ndarray): Above 0, shape (documents,).
    n (int): How many to draw.
    rng (Generator): Random numbers.
    RETURNS (tuple[ndarray, ndarray]): Positions of the drawn documents, and their probabilities,
        shapes (n,).
    """
    probability = np.zeros(len(sizes))
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        left = n - certain.sum()
        probability = np.where(certain, 1.0, left * sizes / max(sizes[~certain].sum(), 1e-300))
        above = ~certain & (probability >= 1)
        if not above.any():
            break
        certain |= above
    order = rng.permutation(len(sizes))
    ends = np.cumsum(probability[order])
    ends *= n / ends[-1]  # exactly n marks, in floating point too
    marks = np.arange(n) + rng.random()
    drawn = order[np.searchsorted(ends, marks, side="right")]
    return drawn, probability[drawn]


def _strata(
    table: pd.DataFrame, path: Path, predicted: str, by: str | None, n: int, decimal: str | None
) -> NDArray:
    """Find the stratum of each document."""
    if by is not None:
        return np.array(require_names(with_labels(table, by), path, "a stratum"))
    if n < 2:
        raise ValueError(f"strata is {n}. Expected 2 or more.")
    values = _known(table, path, f"{predicted}_predicted", decimal)
    # Equal predictions stay together.
    edges = np.unique(np.quantile(values, np.arange(1, n) / n))
    return np.searchsorted(edges, values, side="right")


def _uncertainties(
    table: pd.DataFrame, path: Path, predicted: str, column: str | None, decimal: str | None
) -> Floats:
    """Find how uncertain each prediction is, at least `LEAST_SIZE` times the mean."""
    if column is None:
        ends = [f"{predicted}_low", f"{predicted}_high"]
        if missing := [name for name in ends if name not in table]:
            raise ValueError(
                f"{path} has no column {missing[0]!r}, as `score` writes it with a calibrated "
                "pipeline. Expected it, or the name of a column with uncertainties."
            )
        low, high = (_known(table, path, name, decimal) for name in ends)
        sizes = high - low
        check_cells(table[ends[1]], ~(sizes > 0), path, f"more than in {ends[0]!r}")
        if np.ptp(sizes) <= 1e-9 * sizes.max():
            raise ValueError(
                f"All intervals of {path} are {sizes[0]:g} wide, so no document is less certain "
                "than others. Expected intervals of `calibrate --method normalised` or "
                "quantiles, or another design."
            )
    else:
        sizes = _known(table, path, column, decimal)
        check_cells(table[column], ~(sizes > 0), path, "a number above 0")
    return np.maximum(sizes, LEAST_SIZE * sizes.mean())


def _known(table: pd.DataFrame, path: Path, column: str, decimal: str | None) -> Floats:
    """Get a column's numbers; none may be missing."""
    check_columns(table, [column], path)
    values = np.array(parse_numbers(table[column], path, decimal), dtype=float)
    check_cells(table[column], np.isnan(values), path, "a number")
    return values
