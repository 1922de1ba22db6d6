import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from spacy_bertreg import estimate

N = 600


@pytest.fixture
def frame():
    """Documents of which every sixth is coded."""
    i = np.arange(N)
    year = 2000 + i % 10
    severity = 1 + 0.1 * (i % 10) + np.sin(2.3 * i) + np.cos(5.1 * i)
    return pd.DataFrame(
        {
            "id": [f"d{k}" for k in i],
            "year": year,
            "region": np.array(["north", "south", "west"])[i % 3],
            "author": i // 10,
            "severity": np.where(i % 6 == i // 100, severity, np.nan),
            "severity_predicted": 0.7 * severity + 0.6 * np.sin(0.37 * i * i) + 0.5,
        }
    )


def run(frame, formula="severity ~ year", estimators=("gold", "dsl", "ppi++"), **settings):
    settings = {"predicted": "severity", "unseen": True, **settings}
    return estimate(formula, frame, estimators=estimators, **settings)


def test_a_row_for_each_estimator_and_term(frame):
    with pytest.warns(UserWarning, match="naive takes predictions for true values"):
        table = run(frame, "severity ~ year + C(region)", ["naive", "dsl"])
    assert list(table.columns) == [
        "estimator", "term", "estimate", "std_error", "low", "high", "n_coded", "n", "effective_n",
    ]  # fmt: skip
    assert table["estimator"].tolist() == ["naive"] * 4 + ["dsl"] * 4
    assert set(table["term"]) == {"Intercept", "year", "C(region)[T.south]", "C(region)[T.west]"}
    assert (table["n"] == N).all()
    assert (table["n_coded"] == 102).all()
    assert table.loc[table["estimator"] == "naive", "effective_n"].isna().all()
    assert (table["low"] < table["estimate"]).all()
    assert "simple random sample" in table.attrs["notes"][0]
    assert len(table.attrs["warnings"]) == 1


def test_effective_n_is_how_many_documents_gold_would_take(frame):
    table = run(frame).set_index(["estimator", "term"])
    gold, ppi = table.loc[("gold", "year")], table.loc[("ppi++", "year")]
    assert gold["effective_n"] == pytest.approx(102)
    assert ppi["effective_n"] == pytest.approx(102 * (gold["std_error"] / ppi["std_error"]) ** 2)
    assert ppi["effective_n"] > 102


def test_means_by_group_are_means_of_each_group(frame):
    table = run(frame, "severity ~ 1", ["gold", "dsl"], by="region")
    assert list(table.columns)[:3] == ["group", "estimator", "term"]
    gold = table[table["estimator"] == "gold"].set_index("group")["estimate"]
    known = frame.dropna(subset=["severity"])
    expected = known.groupby("region")["severity"].mean()
    pd.testing.assert_series_equal(gold, expected, check_names=False)
    dsl = table[table["estimator"] == "dsl"].set_index("group")["estimate"]
    error = (known["severity"] - known["severity_predicted"]).groupby(known["region"]).mean()
    expected = frame.groupby("region")["severity_predicted"].mean() + error
    pd.testing.assert_series_equal(dsl, expected, check_names=False)
    # In one regression, gold's means are the same.
    joint = run(frame, "severity ~ C(region) - 1", ["gold"])
    np.testing.assert_allclose(joint["estimate"], gold)


def test_transforms_are_of_what_was_coded_and_of_predictions(frame):
    frame[["severity", "severity_predicted"]] += 5
    logs = frame.assign(
        severity=np.log(frame["severity"]), severity_predicted=np.log(frame["severity_predicted"])
    )
    table = run(frame, "np.log(severity) ~ year")
    np.testing.assert_allclose(table["estimate"], run(logs)["estimate"])
    table = run(frame, "year ~ np.log(severity) + I(severity ** 2)", ["dsl"])
    logs["square"] = 0.0
    assert table["term"].tolist() == ["Intercept", "np.log(severity)", "I(severity ** 2)"]


def test_a_threshold_is_a_logistic_regression(frame):
    table = run(frame, "severity > 1.5 ~ year")
    known = frame.dropna(subset=["severity"])
    binary = known.assign(severity=(known["severity"] > 1.5) * 1.0, severity_predicted=0.5)
    same = run(binary, "severity ~ year", ["gold"], family="logistic")
    gold = table[table["estimator"] == "gold"]
    np.testing.assert_allclose(gold["estimate"], same["estimate"], rtol=1e-6)
    linear = run(frame, "severity > 1.5 ~ 1", ["gold"], family="linear")
    assert linear["estimate"][0] == pytest.approx((known["severity"] > 1.5).mean())
    with pytest.raises(ValueError, match="has values outside of 0 to 1"):
        run(frame, family="logistic")


def test_the_predicted_variable_may_be_a_covariate(frame):
    table = run(frame, "year ~ severity", ["gold", "dsl", "ppi++"])
    known = frame.dropna(subset=["severity"])
    slope = np.polyfit(known["severity"], known["year"], 1)[0]
    assert table.query("estimator == 'gold' and term == 'severity'")["estimate"].item() == (
        pytest.approx(slope)
    )


def test_probabilities_weight_the_coded_documents(frame):
    frame["p"] = np.where(frame["region"] == "north", 0.5, 0.1)
    table = run(frame, "severity ~ 1", ["gold"], probability="p")
    known = frame.dropna(subset=["severity"])
    expected = np.average(known["severity"], weights=1 / known["p"])
    assert table["estimate"][0] == pytest.approx(expected)
    assert not any("simple random" in note for note in table.attrs["notes"])
    frame.loc[0, "p"] = np.nan
    with pytest.raises(ValueError, match="row 1 has no sampling probability in 'p'"):
        run(frame, probability="p")
    with pytest.raises(ValueError, match="row 2, column 'p': found .*1.5.*Expected a probability"):
        run(frame.assign(p=np.where(np.arange(N) == 1, 1.5, 0.5)), probability="p")


def test_clusters_widen_intervals_of_what_varies_by_cluster(frame):
    frame["author"] = frame["year"]
    one, other = run(frame, estimators=["dsl"]), run(frame, estimators=["dsl"], cluster="author")
    np.testing.assert_allclose(one["estimate"], other["estimate"])
    assert (one["std_error"] != other["std_error"]).all()


def test_missing_values_are_left_out_and_counted(frame):
    frame["year"] = frame["year"].astype(float)
    frame.loc[1:4, "year"] = np.nan
    frame.loc[598, "severity_predicted"] = np.nan
    table = run(frame)
    assert (table["n"] == N - 5).all()
    assert any("4 of 600 documents have missing values" in note for note in table.attrs["notes"])
    assert any("1 of 600 documents have no prediction" in note for note in table.attrs["notes"])
    frame.loc[0, "severity_predicted"] = np.nan
    with pytest.raises(ValueError, match="row 1: the document is coded, but has no prediction"):
        run(frame)


def test_numbers_of_a_csv_file_are_numbers(frame):
    frame.loc[[1, 2], "region"] = None
    text = frame.astype(object).where(frame.notna(), None).map(str, na_action="ignore")
    text["severity"] = text["severity"].fillna("")
    expected = run(frame, "severity ~ year + C(author % 2)")
    pd.testing.assert_frame_equal(run(text, "severity ~ year + C(author % 2)"), expected)
    grouped = run(text, "severity ~ 1", by="year")
    assert grouped["group"].unique().tolist() == [str(2000 + k) for k in range(10)]
    notes = run(text, "severity ~ 1", by="region").attrs["notes"]
    assert any("2 documents have no 'region'" in note for note in notes)


def test_groups_that_cannot_be_estimated_are_nan_with_a_note(frame):
    frame.loc[frame["region"] == "west", "severity"] = np.nan
    table = run(frame, "severity ~ 1", by="region")
    assert table.loc[table["group"] == "west", "estimate"].isna().all()
    assert table.loc[table["group"] != "west", "estimate"].notna().all()
    assert any("west: 0 coded documents are too few" in note for note in table.attrs["notes"])
    with pytest.raises(ValueError, match=r"C\(region\)\[T.west\]: of the coded documents, none"):
        run(frame, "severity ~ C(region)")


def test_few_coded_documents_are_noted(frame):
    rare = frame["severity"].notna() & (frame["region"] == "west")
    frame.loc[frame.index[rare][4:], "severity"] = np.nan
    notes = run(frame, "severity ~ C(region)").attrs["notes"]
    assert any("C(region)[T.west]: only 4 coded documents" in note for note in notes)


def test_all_coded_is_gold(frame):
    known = frame.dropna(subset=["severity"])
    table = run(known)
    assert "All documents are coded" in table.attrs["notes"][0]
    dsl, gold = (table[table["estimator"] == name] for name in ("dsl", "gold"))
    np.testing.assert_allclose(dsl["estimate"], gold["estimate"], rtol=1e-6)


def test_plan_is_a_table_of_widths(frame):
    table = run(frame, plan=True)
    plan = pd.DataFrame(table.attrs["plan"])
    assert list(plan.columns) == ["estimator", "term", "n_coded", "width"]
    assert plan["n_coded"].min() == 102
    assert plan["n_coded"].max() == N
    now = plan[plan["n_coded"] == 102].set_index(["estimator", "term"])["width"]
    widths = table.set_index(["estimator", "term"])
    np.testing.assert_allclose(now, (widths["high"] - widths["low"]).loc[now.index], rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="Expected an estimator to plan for"):
            run(frame, estimators=["naive"], plan=True)


@pytest.mark.parametrize(
    ("formula", "settings", "message"),
    [
        ("severity", {}, "Expected an outcome and covariates"),
        ("severity ~ ", {}, "Expected an outcome and covariates"),
        ("severity ~ country", {}, "Can't compute the formula 'severity ~ country'"),
        ("severity ~ year +* 2", {}, "Can't compute the formula"),
        ("seferity ~ year", {}, "has no 'severity', which is predicted"),
        ("region ~ severity", {}, "The outcome 'region' is not a number"),
        ("year ~ region", {}, "has no 'severity', which is predicted"),
        ("np.log(severity - 0.2) ~ year", {}, "row 9: the formula has no value there"),
        ("severity ~ year + I(2 * year)", {}, "depend on each other"),
        ("severity ~ year", {"level": 95}, "level is 95"),
        ("severity ~ year", {"estimators": ["ols"]}, "There is no estimator 'ols'"),
        ("severity ~ year", {"estimators": []}, "Expected an estimator"),
        ("severity ~ year", {"predicted": "stars"}, "has no column 'stars_predicted'"),
        ("severity ~ year", {"unseen": False}, "must come from a model that was not trained"),
        ("severity ~ year", {"family": "probit"}, "The family is 'probit'"),
        ("severity ~ year", {"cluster": "country"}, "has no column 'country'"),
        ("severity ~ year", {"by": "country"}, "has no column 'country'"),
        ("severity ~ year", {"id_column": "region"}, "rows 1 and 4, column 'region'"),
    ],
)
def test_wrong_input_is_named(frame, formula, settings, message):
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        run(frame, formula, **settings)


def test_none_coded_and_too_few(frame):
    with pytest.raises(ValueError, match="No document of The table is coded"):
        run(frame.assign(severity=np.nan))
    with pytest.raises(ValueError, match="No document of The table is coded"):
        run(frame.drop(columns="severity"))
    frame.loc[10:, "severity"] = np.nan
    with pytest.raises(ValueError, match="2 coded documents are too few for 2 terms"):
        run(frame)


def test_logarithm_of_zero_is_named(frame):
    frame.loc[0, "severity"] = 0.0
    frame[["severity", "severity_predicted"]] = frame[["severity", "severity_predicted"]].abs()
    with pytest.raises(ValueError, match="row 1: .* is infinite for what was coded"):
        run(frame, "np.log(severity) ~ year")


def test_logarithm_of_a_negative_prediction_is_named(frame):
    frame.loc[0, "severity_predicted"] = -1.0
    with pytest.raises(ValueError, match="row 1: the formula has no value there"):
        run(frame, "np.log(severity) ~ year")


def test_without_statsmodels_the_extra_is_named(frame, monkeypatch):
    import spacy_bertreg.estimation as room

    for name in ("estimators", "regressions", "formulas", "plan"):
        monkeypatch.delattr(room, name, raising=False)
        monkeypatch.delitem(sys.modules, f"spacy_bertreg.estimation.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "patsy", None)
    monkeypatch.setitem(sys.modules, "statsmodels.stats.sandwich_covariance", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[estimate\]'"):
        run(frame)
