"""Reading tables, and checking what their columns hold."""

from .columns import (
    check_columns,
    check_unique,
    dates_of,
    names_of,
    numbers_of,
    texts_of,
    weights_of,
)
from .kinds import TableOptions, table_kind
from .read import read_table

__all__ = [
    "TableOptions",
    "check_columns",
    "check_unique",
    "dates_of",
    "names_of",
    "numbers_of",
    "read_table",
    "table_kind",
    "texts_of",
    "weights_of",
]
