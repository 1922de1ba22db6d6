"""Joining what was coded, and predictions of models that have not seen it."""

import json

import numpy as np
import pandas as pd
import pytest

from spacy_bertreg import estimate


@pytest.fixture
def tables():
    """What `score` writes for 60 documents; codes of 20; and out-of-fold predictions of these."""
    i = np.arange(60)
    y = np.sin(2.3 * i)
    scored = pd.DataFrame({"id": [f"d{k}" for k in i], "x": i % 7, "y_predicted": 0.9 * y})
    coded = pd.DataFrame({"id": scored["id"][::3], "y": y[::3], "probability": 1 / 3})
    folds = pd.DataFrame(
        {
            "target": "y",
            "id": scored["id"][::3],
            "group": scored["id"][::3],
            "repeat": 0,
            "fold": i[:20] % 5,
            "gold": y[::3],
            "dictionary": 0.5 * y[::3] + 0.1,
        }
    )
    return scored, coded, folds


def run(scored, estimators=("gold", "dsl"), **settings):
    settings = {"predicted": "y", "id_column": "id", **settings}
    return estimate("y ~ 1", scored, estimators=estimators, **settings)


def test_out_of_fold_predictions_take_the_place_of_those_of_coded_documents(tables):
    scored, coded, folds = tables
    table = run(scored, coded=coded, folds=folds)
    dsl = table[table["estimator"] == "dsl"]["estimate"].item()
    predicted = scored.set_index("id")["y_predicted"].copy()
    predicted[folds["id"]] = folds["dictionary"].to_numpy()
    error = coded["y"].to_numpy() - folds["dictionary"].to_numpy()
    assert dsl == pytest.approx(predicted.mean() + error.mean())


def test_codes_may_be_in_the_table_in_one_of_their_own_or_in_the_folds(tables):
    scored, coded, folds = tables
    expected = run(scored, coded=coded, folds=folds)
    with_codes = scored.merge(coded[["id", "y"]], how="left")
    for table in (run(with_codes, folds=folds), run(scored, folds=folds)):
        pd.testing.assert_frame_equal(table, expected)
    # Rows in any order, and ids that are numbers.
    shuffled = folds.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(run(scored, coded=coded[::-1], folds=shuffled), expected)
    numbers = [frame.assign(id=frame["id"].str[1:].astype(int)) for frame in tables]
    pd.testing.assert_frame_equal(run(numbers[0], coded=numbers[1], folds=numbers[2]), expected)


def test_predictions_of_repeats_are_averaged(tables):
    scored, coded, folds = tables
    other = folds.assign(repeat=1, dictionary=folds["dictionary"] + 1)
    both = pd.concat([folds, other], ignore_index=True)
    expected = run(scored, coded=coded, folds=folds.assign(dictionary=folds["dictionary"] + 0.5))
    np.testing.assert_allclose(
        run(scored, coded=coded, folds=both)["estimate"], expected["estimate"]
    )


def test_a_model_is_chosen_by_name(tables):
    scored, coded, folds = tables
    two = folds.assign(bert=folds["gold"])
    with pytest.raises(ValueError, match="No --model is named. Expected .*: dictionary, bert"):
        run(scored, coded=coded, folds=two)
    with pytest.raises(ValueError, match="--model is 'x'. Expected"):
        run(scored, coded=coded, folds=two, model="x")
    expected = run(scored, coded=coded, folds=folds)
    found = run(scored, coded=coded, folds=two, model="dictionary")
    pd.testing.assert_frame_equal(found, expected)


def test_documents_outside_of_the_table_are_noted(tables):
    scored, coded, folds = tables
    more = pd.concat([folds, folds.head(2).assign(id=["z1", "z2"])], ignore_index=True)
    notes = run(scored, coded=coded, folds=more).attrs["notes"]
    assert any("2 documents of The cross-validation are not in the table" in n for n in notes)


def test_what_does_not_fit_is_named(tables):
    scored, coded, folds = tables
    for settings, message in (
        ({"folds": folds.iloc[1:]}, "no out-of-fold prediction for 1 of the 20 .* the id 'd0'"),
        ({"folds": folds.assign(target="z")}, "has no predictions of 'y', but of z"),
        ({"folds": folds.assign(id="q" + folds["id"])}, "No document of .* is in The table"),
        ({"folds": folds.assign(gold=folds["gold"] + 1)}, "For the id 'd0', .* Expected the same"),
        ({"folds": folds, "id_column": None}, "No id column is named"),
        ({"folds": folds, "id_column": "name"}, "has no column 'name'"),
        ({"folds": folds, "probability": "p"}, "coded has no column 'p'"),
        ({"folds": folds, "coded": coded.assign(id="q")}, "column 'id': found 'q' in both"),
        ({"folds": folds, "coded": coded.drop(columns="y")}, "coded has no column 'y'"),
    ):
        with pytest.raises(ValueError, match=message):
            run(scored, **{"coded": coded, **settings})
    unknown = coded.assign(id=["q0", *coded["id"][1:]])
    with pytest.raises(ValueError, match="coded, row 1, column 'id': the id 'q0' is not in"):
        run(scored, coded=unknown, folds=folds)
    both = scored.merge(coded[["id", "y"]], how="left")
    with pytest.raises(ValueError, match="For the id 'd0', coded has the coded value"):
        run(both, coded=coded.assign(y=coded["y"] + 1), folds=folds)


def test_probabilities_are_read_from_the_coded_table(tables):
    scored, coded, folds = tables
    unequal = coded.assign(probability=np.where(np.arange(20) < 10, 0.5, 0.2))
    table = run(scored, ["gold"], coded=unequal, folds=folds, probability="probability")
    expected = np.average(coded["y"], weights=1 / unequal["probability"])
    assert table["estimate"][0] == pytest.approx(expected)


def test_a_folder_of_crossval_is_read(tables, tmp_path):
    scored, coded, folds = tables
    folds.to_csv(tmp_path / "predictions.csv", index=False)
    (tmp_path / "crossval.json").write_text(json.dumps({"settings": {}, "scores": []}))
    found = run(scored, coded=coded, folds=tmp_path)
    pd.testing.assert_frame_equal(found, run(scored, coded=coded, folds=folds))
    with pytest.raises(FileNotFoundError, match="Expected it from `crossval`"):
        run(scored, coded=coded, folds=tmp_path / "none")


def test_pipelines_know_what_they_were_trained_on(nlp, pipeline, sample, tmp_path):
    rows = sample.assign(severity_predicted=0.5, severity=sample["severity"].astype(float))
    rows.loc[rows.index % 3 > 0, "severity"] = np.nan

    def check(table, folder=pipeline):
        return estimate(
            "severity ~ 1", table, predicted="severity", estimators=["dsl"], pipeline=folder
        )

    # It was trained on the first 32.
    with pytest.raises(ValueError, match="was trained on 11 of the 1.. coded documents"):
        check(rows)
    later = rows.iloc[40:]
    seen = set(sample["text"][:32]) & set(later["text"])
    assert check(later[~later["text"].isin(seen)])["estimate"].notna().all()
    with pytest.raises(ValueError, match="has no column 'text'"):
        check(rows.drop(columns="text"))
    nlp.get_pipe("text_regressor").forget_training_texts()
    nlp.to_disk(tmp_path / "forgetful")
    with pytest.raises(ValueError, match="keeps no fingerprints of its training texts"):
        check(rows, tmp_path / "forgetful")
    stars = rows.rename(columns={"severity": "stars", "severity_predicted": "stars_predicted"})
    with pytest.raises(ValueError, match="does not predict 'stars'"):
        estimate("stars ~ 1", stars, predicted="stars", estimators=["dsl"], pipeline=pipeline)
