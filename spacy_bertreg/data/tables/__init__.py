"""Reading tables, and checking what their columns hold."""

from .columns import (
    check_columns,
    check_unique,
    parse_numbers,
    parse_weights,
    require_dates,
    require_names,
    require_texts,
)
from .kinds import TableOptions, table_kind
from .read import read_table

__all__ = [
    "TableOptions",
    "check_columns",
    "check_unique",
    "parse_numbers",
    "parse_weights",
    "read_table",
    "require_dates",
    "require_names",
    "require_texts",
    "table_kind",
]
