"""Reading texts that nobody has rated."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .covariates import COVARIATES
from .docbin import iterate_docs
from .tables.columns import check_cells, check_columns, parse_numbers
from .tables.kinds import table_kind
from .tables.read import read_table, with_labels


@dataclass(frozen=True)
class UnlabelledText:
    """A text without observed values.

    text (str): The text; empty if there is none.
    group (str | None): Its group, such as its author; None if unknown.
    user_data (dict): Its covariates under "covariates", if it has any.
    """

    text: str
    group: str | None
    user_data: dict[str, dict[str, float | None]]


def read_unlabelled(
    path: str | Path, column: str, covariates: Sequence[str]
) -> list[UnlabelledText]:
    """Read texts from a .spacy file or a table. Observed values in them are ignored.

    path (str | Path): A .spacy file, read with groups and covariates, or a table, see `read_table`.
    column (str): A table's column of texts.
    covariates (Sequence[str]): A table's columns of covariates.
    RETURNS (list[UnlabelledText]): The texts.
    RAISES (ValueError, FileNotFoundError, ImportError): The file can't be read, or lacks a column.
    """
    path = Path(path)
    if path.suffix.lower() == ".spacy":
        texts = []
        for doc in iterate_docs(path):
            group = doc.user_data.get("group")
            kept = {key: doc.user_data[key] for key in (COVARIATES,) if key in doc.user_data}
            texts.append(UnlabelledText(doc.text, None if group is None else str(group), kept))
        return texts
    table_kind(path)
    table = read_table(path)
    check_columns(table, [column, *covariates], path)
    cells = with_labels(table, column)
    missing = cells.isna()
    wrong = [
        not isinstance(cell, str) and not gone for cell, gone in zip(cells, missing, strict=True)
    ]
    check_cells(cells, wrong, path, "a text")
    numbers = {name: parse_numbers(table[name], path) for name in covariates}
    return [
        UnlabelledText(
            "" if missing.iloc[row] else text,
            None,
            {COVARIATES: {name: values[row] for name, values in numbers.items()}}
            if numbers
            else {},
        )
        for row, text in enumerate(cells)
    ]
