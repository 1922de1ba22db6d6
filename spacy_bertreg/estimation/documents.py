"""The documents of an estimation: what was coded of them, and what was predicted."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..comparison.crossval_files import choose_model, read_out_of_fold
from ..data.tables.columns import (
    check_cells,
    check_columns,
    check_unique,
    parse_numbers,
    require_names,
)
from ..evaluation.metrics import Floats


@dataclass
class Documents:
    """All documents, with what was coded and what was predicted.

    table (DataFrame): All columns.
    name (Path): What errors call the table.
    gold (ndarray): The coded values, NaN where not coded, shape (n,).
    predicted (ndarray): The predictions, NaN where there is none, shape (n,).
    probability (ndarray | None): Sampling probabilities, NaN where not coded, shape (n,); None for
        a simple random sample.
    notes (list[str]): What the user should know.
    """

    table: pd.DataFrame
    name: Path
    gold: Floats
    predicted: Floats
    probability: Floats | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_coded(self) -> NDArray[np.bool_]:
        """Whether each document is coded."""
        return ~np.isnan(self.gold)


def gather_documents(
    table: pd.DataFrame,
    name: Path,
    predicted: str,
    *,
    id_column: str | None = None,
    coded: pd.DataFrame | None = None,
    coded_name: Path | None = None,
    folds: str | Path | pd.DataFrame | None = None,
    model: str | None = None,
    probability: str | None = None,
    decimal: str | None = None,
) -> Documents:
    """Join a table with what was coded, and with out-of-fold predictions.

    table (DataFrame): A row for each document, with predictions in `{predicted}_predicted`, as
        `score` writes them.
    name (Path): What errors call it.
    predicted (str): The predicted variable.
    id_column (str | None): Column that names a document, in both tables.
    coded (DataFrame | None): The coded documents, with their ids and coded values under the name
        `predicted`; None if they are in `table`, or in `folds` alone.
    coded_name (Path | None): What errors call it.
    folds (str | Path | DataFrame | None): What `crossval` wrote, or `cross_validate` returned: its
        predictions, or their means over repeats, replace those of coded documents.
    model (str | None): Which of its models; None if it has only one.
    probability (str | None): Column with the sampling probability of coded documents, in `coded` if
        given, otherwise in `table`.
    decimal (str | None): Decimal sign, see `TableOptions`.
    RETURNS (Documents): The documents.
    RAISES (ValueError): Columns, ids or predictions are missing, or values do not fit each other.
    """
    column = f"{predicted}_predicted"
    if column not in table:
        raise ValueError(
            f"{name} has no column {column!r}. Expected predictions there, as `score` writes them. "
            f"It has: {', '.join(map(str, table.columns))}."
        )
    if (coded is not None or folds is not None) and id_column is None:
        raise ValueError(
            "No id column is named. Expected one (--id), to find the coded documents in the table."
        )
    check_columns(table, [id_column], name)
    documents = Documents(
        table,
        name,
        gold=np.full(len(table), np.nan),
        predicted=np.array(parse_numbers(table[column], name, decimal), dtype=float),
    )
    ids = pd.Index([])
    if id_column is not None:
        names = require_names(table[id_column], name, "an id")
        check_unique(names, table[id_column], name)
        ids = pd.Index(names)
    has_gold = predicted in table
    if has_gold:
        documents.gold[:] = parse_numbers(table[predicted], name, decimal)
    if coded is not None and coded_name is not None:
        check_columns(coded, [id_column, predicted, probability], coded_name)
        places = _find(coded[id_column], ids, coded_name, name)
        values = np.array(parse_numbers(coded[predicted], coded_name, decimal), dtype=float)
        known = ~np.isnan(values)
        _fill(documents, places[known], values[known], coded_name, ids)
        has_gold = True
    if folds is not None:
        _use_folds(documents, ids, folds, model, predicted, has_gold)
    if not documents.is_coded.any():
        raise ValueError(
            f"No document of {name} is coded. Expected known values in a column {predicted!r} of "
            "the table, in a table of coded documents (--coded), or in a cross-validation (--from)."
        )
    if probability is not None:
        source, source_name = (table, name) if coded is None else (coded, coded_name or name)
        check_columns(source, [probability], source_name)
        values = np.array(parse_numbers(source[probability], source_name, decimal), dtype=float)
        wrong = ~np.isnan(values) & ~((values > 0) & (values <= 1))
        check_cells(source[probability], wrong, source_name, "a probability, above 0 and up to 1")
        documents.probability = np.full(len(table), np.nan)
        documents.probability[slice(None) if coded is None else places] = values
        missing = documents.is_coded & np.isnan(documents.probability)
        if missing.any():
            place = int(missing.argmax())
            label = f"row {place + 1}" if id_column is None else f"id {ids[place]!r}"
            raise ValueError(
                f"The coded document of {label} has no sampling probability in {probability!r}. "
                "Expected one for each coded document."
            )
    return documents


def _use_folds(
    documents: Documents,
    ids: pd.Index,
    folds: str | Path | pd.DataFrame,
    model: str | None,
    predicted: str,
    has_gold: bool,
) -> None:
    """Replace predictions of coded documents by out-of-fold predictions."""
    if isinstance(folds, pd.DataFrame):
        path, table = Path("The cross-validation"), folds
    else:
        path, table = Path(folds), read_out_of_fold(Path(folds))
    model = choose_model(table, model, path)
    if predicted not in set(table["target"]):
        raise ValueError(
            f"{path} has no predictions of {predicted!r}, but of "
            f"{', '.join(dict.fromkeys(table['target']))}."
        )
    rows = table[table["target"] == predicted].astype({"id": str})
    by_id = rows.groupby("id", sort=False).agg({"gold": "first", model: "mean"})
    places = ids.get_indexer(by_id.index)
    outside = places < 0
    if outside.all():
        raise ValueError(
            f"No document of {path} is in {documents.name}. Expected the same ids, as with "
            "`convert --id`."
        )
    if outside.any():
        documents.notes.append(
            f"{int(outside.sum()):,} documents of {path} are not in the table, and not counted"
        )
    inside, by_id = places[~outside], by_id[~outside]
    if has_gold:
        known = documents.is_coded[inside]
        _check_same(documents, inside[known], by_id["gold"].to_numpy()[known], path, ids)
    else:
        documents.gold[inside] = by_id["gold"]
    out_of_fold = np.full(len(ids), np.nan)
    out_of_fold[inside] = by_id[model]
    lacking = documents.is_coded & np.isnan(out_of_fold)
    if lacking.any():
        raise ValueError(
            f"{path} has no out-of-fold prediction for {int(lacking.sum())} of the "
            f"{int(documents.is_coded.sum())} coded documents, such as the id "
            f"{ids[lacking.argmax()]!r}. Expected a cross-validation of all coded documents, with "
            "folds by target or by group."
        )
    documents.predicted = np.where(documents.is_coded, out_of_fold, documents.predicted)


def _find(column: pd.Series, ids: pd.Index, path: Path, table: Path) -> NDArray[np.int64]:
    """Find documents in the table by id."""
    names = require_names(column, path, "an id")
    check_unique(names, column, path)
    places = ids.get_indexer(pd.Index(names))
    if (places < 0).any():
        row = int((places < 0).argmax())
        raise ValueError(
            f"{path}, row {row + 1}, column {column.name!r}: the id {names[row]!r} is not in "
            f"{table}. Expected documents of that table."
        )
    return places


def _fill(
    documents: Documents, places: NDArray[np.int64], values: Floats, path: Path, ids: pd.Index
) -> None:
    """Take over coded values. Values that are known already must be the same."""
    known = documents.is_coded[places]
    _check_same(documents, places[known], values[known], path, ids)
    documents.gold[places] = values


def _check_same(
    documents: Documents, places: NDArray[np.int64], values: Floats, path: Path, ids: pd.Index
) -> None:
    differs = ~np.isclose(documents.gold[places], values, rtol=1e-6, atol=1e-9)
    if differs.any():
        first = int(differs.argmax())
        raise ValueError(
            f"For the id {ids[places[first]]!r}, {path} has the coded value {values[first]:g}, and "
            f"the other table {documents.gold[places[first]]:g}. Expected the same."
        )
