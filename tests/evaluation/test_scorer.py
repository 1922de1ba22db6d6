import math

import pytest
import spacy
from spacy.training import Example

from spacy_bertreg.evaluation.scorer import SCORE_WEIGHTS, regression_score

nlp = spacy.blank("xx")


def scored(gold: dict, predicted: dict) -> Example:
    example = Example(nlp.make_doc("a text"), nlp.make_doc("a text"))
    example.reference.cats = gold
    example.predicted.cats = predicted
    return example


def test_registered_scorer_gives_every_score():
    scorer = spacy.registry.scorers.get("spacy-bertreg.regression_scorer.v1")()
    scores = scorer([scored({"y": 1.0}, {"y": 2.0})], output_keys={"y": "y"})
    assert set(scores) == set(SCORE_WEIGHTS)


def test_scores_are_means_over_targets():
    examples = [
        scored({"x": 1.0, "y": 10.0}, {"x": 1.0, "y": 12.0}),
        scored({"x": 2.0, "y": 20.0}, {"x": 2.0, "y": 20.0}),
        scored({"x": 3.0, "y": 30.0}, {"x": 3.0, "y": 28.0}),
    ]
    scores = regression_score(examples, output_keys={"x": "x", "y": "y"})
    assert scores["reg_per_target"]["x"]["r2"] == 1
    assert scores["reg_per_target"]["y"]["r2"] == pytest.approx(1 - 8 / 200)
    assert scores["reg_r2"] == pytest.approx((1 + 1 - 8 / 200) / 2)
    assert scores["reg_mse"] == pytest.approx((0 + 8 / 3) / 2)


def test_missing_and_nan_gold_is_left_out():
    examples = [
        scored({"y": 1.0}, {"y": 1.0}),
        scored({}, {"y": 99.0}),
        scored({"y": math.nan}, {"y": 99.0}),
        scored({"y": 3.0}, {"y": 2.0}),
    ]
    scores = regression_score(examples, output_keys={"y": "y"})
    assert scores["reg_per_target"]["y"]["n"] == 2
    assert scores["reg_mse"] == pytest.approx(0.5)


def test_a_target_without_gold_does_not_count_in_the_means():
    examples = [scored({"x": v}, {"x": v, "y": 5.0}) for v in (1.0, 2.0)]
    scores = regression_score(examples, output_keys={"x": "x", "y": "y"})
    assert scores["reg_r2"] == 1
    assert scores["reg_per_target"]["y"] == {**dict.fromkeys(scores["reg_per_target"]["y"]), "n": 0}


def test_no_examples_gives_none():
    scores = regression_score([], output_keys={"y": "y"})
    assert scores["reg_r2"] is None
    assert scores["reg_mse"] is None


def test_prediction_under_another_key():
    scores = regression_score([scored({"y": 1.0}, {"a:y": 3.0})], output_keys={"y": "a:y"})
    assert scores["reg_mae"] == 2


def test_missing_prediction_is_an_error_that_names_it():
    with pytest.raises(ValueError, match=r"No prediction under doc.cats\['y'\].*\['z'\]"):
        regression_score([scored({"y": 1.0}, {"z": 1.0})], output_keys={"y": "y"})


def test_infinite_gold_is_an_error():
    with pytest.raises(ValueError, match="Target 'y' is inf for the text 'a text'"):
        regression_score([scored({"y": math.inf}, {"y": 1.0})], output_keys={"y": "y"})
