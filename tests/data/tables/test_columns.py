"""Numbers, years and texts that can be read in two ways, or not at all."""

import math

import pandas as pd
import pytest

from spacy_bertreg.data.splits import split_by_date
from spacy_bertreg.data.tables.columns import parse_numbers, require_dates, require_texts
from spacy_bertreg.data.tables.decimals import parse_number
from spacy_bertreg.data.tables.kinds import TableOptions

PATH = "a.csv"


def numbers(*cells, decimal=None):
    return parse_numbers(pd.Series(cells, name="y", dtype=object), PATH, decimal)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,5", "2", "-0,25"], [1.5, 2, -0.25]),
        (["1,234", "2,5"], [1.234, 2.5]),
        (["0,123", "7"], [0.123, 7]),
        (["1.234,5", "7"], [1234.5, 7]),
        (["1,234.5", "7.5", "1,234"], [1234.5, 7.5, 1234]),
        (["1,234,567", "7"], [1234567, 7]),
        (["1.234", "2.5"], [1.234, 2.5]),
        ([1.5, None, 2], [1.5, math.nan, 2]),
        (["1,5e3", "NA"], [1500, math.nan]),
    ],
)
def test_decimal_signs_are_told_by_the_column(cells, expected):
    assert numbers(*cells) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("cells", [["1,234", "7"], ["1,234", "2.5"], ["1,5", "2.5"]])
def test_decimal_signs_are_not_guessed(cells):
    with pytest.raises(ValueError, match="a.csv, row 1, column 'y': found '1,.*Expected --decimal"):
        numbers(*cells)


def test_decimal_signs_as_asked():
    assert numbers("1,234", "7", decimal=",") == [1.234, 7]
    assert numbers("1,234", "7", decimal=".") == [1234, 7]
    assert numbers("1.234", "1.234,5", decimal=",") == [1234, 1234.5]
    for cell, decimal in (
        ("1.5", ","),
        ("1,5", "."),
        ("1,5,2", ","),
        ("Smith, John", None),
        ("1_000", None),
    ):
        with pytest.raises(ValueError, match="row 1, column 'y'.* Expected a finite number"):
            numbers(cell, decimal=decimal)
    assert math.isinf(parse_number("1,5"))
    with pytest.raises(ValueError, match="--decimal is ';'. Expected . or ,"):
        TableOptions(decimal=";")


@pytest.mark.parametrize("cells", [["1990", "1991"], [1990, 1991], [1990.0, 1991.0]])
def test_years_are_dates(cells):
    dates = require_dates(pd.Series(cells, name="year"), PATH)
    assert dates.dt.strftime("%Y-%m-%d").tolist() == ["1990-01-01", "1991-01-01"]


def test_split_by_years():
    dates = require_dates(pd.Series([1990, 1991, 1992], name="year"), PATH)
    assert split_by_date(dates, "1991", "1992").tolist() == ["train", "dev", "test"]
    assert split_by_date(dates, "1990-06-30", "1991-06-30").tolist() == ["train", "dev", "test"]
    with pytest.raises(
        ValueError, match="row 1, column 'year': found '1990'.* or a year in all rows"
    ):
        require_dates(pd.Series(["1990", "19"], name="year"), PATH)


def test_half_a_character_is_no_text():
    with pytest.raises(ValueError, match="row 2, column 'text'.* without half a character"):
        require_texts(pd.Series(["One", "Two \ud83d"], name="text", dtype=object), PATH)
