"""Tables of predictions that other programs made."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..data.tables.columns import check_cells, parse_numbers, require_names
from ..data.tables.kinds import TableOptions, table_kind
from ..data.tables.read import read_table
from ..evaluation.metrics import Floats
from .test_set import TestSet

COLUMNS = ("id", "target", "prediction")


def is_table(path: str | Path) -> bool:
    """Check whether a model's path is that of a table, and not of a pipeline."""
    try:
        table_kind(Path(path))
    except ValueError:
        return False
    return not Path(path).is_dir()


def read_predictions(
    path: str | Path, test: TestSet, options: TableOptions | None = None
) -> dict[str, Floats]:
    """Read another program's predictions, and check that they are for this test set.

    path (str | Path): A table, see `read_table`, with the columns id, target (the observed value,
        to check) and prediction. Its rows may be in any order. If the test set has several targets,
        these values tell which one is meant.
    test (TestSet): The documents.
    options (TableOptions | None): How the table is written; None to detect it.
    RETURNS (dict[str, ndarray]): By target, a prediction for each document, NaN where the observed
        value is unknown and the file has none.
    RAISES (ValueError, FileNotFoundError): Columns or documents are missing, unknown or
        duplicate, a value is not a finite number, or observed values differ.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of predictions.")
    try:
        table = read_table(path, options=options)
    except ValueError as error:
        raise ValueError(
            f"{error} Expected a table with the columns id, target and prediction."
        ) from error
    if missing := [name for name in COLUMNS if name not in table]:
        raise ValueError(
            f"{path} has no column {missing[0]!r}. It has: {', '.join(map(str, table.columns))}. "
            "Expected id, target (the observed value) and prediction."
        )
    ids = require_names(table["id"], path, "an id")
    twice = pd.Index(ids).duplicated()
    if twice.any():
        row = int(twice.argmax()) + 1
        raise ValueError(f"{path}, row {row}: the id {ids[row - 1]!r} is there twice.")
    places = {name: place for place, name in enumerate(test.ids)}
    if unknown := [name for name in ids if name not in places]:
        raise ValueError(f"{path}: the id {unknown[0]!r} is not in {test.path}.")
    rows = [places[name] for name in ids]
    decimal = None if options is None else options.decimal
    values = {}
    for column in ("target", "prediction"):
        numbers = np.array(parse_numbers(table[column], path, decimal))
        if column == "prediction":
            check_cells(table[column], np.isnan(numbers), path, "a finite number")
        values[column] = np.full(len(test.ids), np.nan)
        values[column][rows] = numbers
    return {_target(path, values["target"], test): values["prediction"]}


def _target(path: str | Path, observed: Floats, test: TestSet) -> str:
    """Find the target that has these values."""
    first_differences = {}
    for target in test.gold:
        gold = test.gold[target].to_numpy()
        differs = ~np.isclose(observed, gold, rtol=1e-6, atol=1e-9, equal_nan=True)
        if not differs.any():
            return str(target)
        first_differences[target] = int(differs.argmax())
    target, place = max(first_differences.items(), key=lambda item: item[1])
    gold, other = test.gold[target][place], observed[place]
    raise ValueError(
        f"{path} is not of this test set: for the id {test.ids[place]!r} its target is "
        f"{'missing' if np.isnan(other) else other}, but {test.path} has "
        f"{'none' if np.isnan(gold) else gold} for {target!r}."
    )
