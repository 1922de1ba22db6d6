import numpy as np
import pandas as pd
import pytest

from spacy_bertreg.estimation.plots import draw_estimates, draw_plan
from spacy_bertreg.estimation.tables import encode_table, format_estimates, format_plan


@pytest.fixture
def table():
    rows = [
        ("gold", "Intercept", 12.34567, 0.234, 11.8, 12.8, 100, 1000, 100.0),
        ("gold", "C(region)[T.a_b]", 0.0123, 0.00042, 0.0115, 0.0131, 100, 1000, 100.0),
        ("dsl", "Intercept", 12.3, 0.1, 12.1, 12.5, 100, 1000, 547.6),
        ("dsl", "C(region)[T.a_b]", np.nan, np.nan, np.nan, np.nan, 1, 1000, np.nan),
    ]
    names = ["estimator", "term", "estimate", "std_error", "low", "high", "n_coded", "n"]
    return pd.DataFrame(rows, columns=[*names, "effective_n"])


@pytest.fixture
def plan():
    rows = [(e, "x", n, 1 / n**0.5) for e in ("gold", "dsl") for n in (100, 150, 1000)]
    return pd.DataFrame(rows, columns=["estimator", "term", "n_coded", "width"])


def test_estimators_stand_below_each_other(table):
    texts = format_estimates(table)
    assert texts["Estimator"].tolist() == ["gold", "dsl", "gold", "dsl"]
    assert texts.iloc[0].tolist() == [
        "Intercept", "gold", "12.35", "0.23", "[11.80, 12.80]", "100", "1,000", "100",
    ]  # fmt: skip
    assert texts.iloc[2, 2:5].tolist() == ["0.01230", "0.00042", "[0.01150, 0.01310]"]
    assert texts.iloc[3, 2:5].tolist() == ["–", "–", "–"]
    grouped = format_estimates(table.assign(group="2001"))
    assert list(grouped.columns)[:3] == ["Group", "Term", "Estimator"]


def test_files_are_what_their_names_say(table, tmp_path):
    texts = format_estimates(table)
    encode = {}
    for ending in ("csv", "md", "tex"):
        encode[ending] = encode_table(table, texts, tmp_path / f"a.{ending}").decode()
    assert encode["csv"].splitlines()[1].startswith("gold,Intercept,12.34567,")
    lines = encode["md"].splitlines()
    assert lines[0].startswith("| Term | Estimator | Estimate |")
    assert lines[1] == "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert len(lines) == 6
    assert r"C(region)[T.a\_b] & gold & 0.01230" in encode["tex"]
    assert "llrrrrrr" in encode["tex"]
    with pytest.raises(ValueError, match="Expected a name in .csv, .md, .tex"):
        encode_table(table, texts, tmp_path / "a.xlsx")


def test_plan_has_a_column_for_each_number(plan):
    texts = format_plan(plan)
    assert list(texts.columns) == ["Term", "Estimator", "100", "150", "1,000"]
    assert texts.iloc[0].tolist() == ["x", "gold", "0.100", "0.082", "0.032"]
    groups = pd.concat([plan.assign(group="a"), plan.assign(group="b", width=0.0)])
    assert format_plan(groups).iloc[0].tolist() == ["x", "gold", "0.050", "0.041", "0.016"]
    assert list(format_plan(groups).columns)[2:] == ["1 times", "1.5 times", "10 times"]


@pytest.mark.parametrize("grouped", [False, True])
def test_figures_are_drawn(table, plan, grouped):
    pytest.importorskip("matplotlib")
    table = table.fillna(0.01)
    if grouped:
        table, plan = table.assign(group="a"), plan.assign(group="a")
    svg = draw_estimates(table, "svg").decode()
    assert "<!-- gold -->" in svg
    assert "<!-- dsl -->" in svg
    assert draw_estimates(table, "png").startswith(b"\x89PNG")
    assert "<!-- Coded documents" in draw_plan(plan, "svg").decode()
