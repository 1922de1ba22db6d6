"""The README of a package says what was found, and the Hugging Face hub can read it."""

import pytest
import spacy
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from spacy_bertreg.evaluation.metrics import METRICS
from spacy_bertreg.project.hub_metadata import HUB_METRICS, hub_metadata
from spacy_bertreg.project.model_card import model_card

META = {"lang": "en", "name": "bertreg_reports", "version": "1.0.0"}
INTERVAL = {
    "level": 0.9, "method": "plain", "n_calibration": 1200, "coverage": 0.88125,
    "mean_width": 2.3456,
}  # fmt: skip
SCORES = dict.fromkeys(METRICS, 0.5) | {"n": 840, "r2": 0.853219, "rmse": 1234.5678}


def metrics(**per_target):
    return {"reg_per_target": per_target}


def read(front):
    """Check that the front matter is at the top alone, and read what the hub would."""
    assert front.startswith("---\n")
    assert front.endswith("\n---\n")
    card = ModelCard(front + "# A title\n---\nA line above is no front matter.\n")
    assert card.text.strip().startswith("# A title")
    return card.data


def test_the_hub_reads_scores_and_coverage():
    data = read(hub_metadata(META, metrics(score=SCORES | {"interval": INTERVAL}), "tweets"))
    assert (data.language, data.library_name, data.license) == (["en"], "spacy", None)
    assert (data.pipeline_tag, data.model_name) == ("text-classification", "en_bertreg_reports")
    found = {result.metric_type: result for result in data.eval_results}
    assert set(found) == {name for name, _ in HUB_METRICS.values()} | {"coverage", "mean_width"}
    assert found["r_squared"].metric_value == 0.8532
    assert found["r_squared"].metric_name == "R² (score)"
    assert found["rmse"].metric_value == 1235.0
    assert found["coverage"].metric_value == 0.8812
    assert found["coverage"].metric_name == "Coverage of 90 % intervals (score)"
    assert {(r.dataset_name, r.dataset_split) for r in found.values()} == {("tweets", "test")}
    assert {r.task_type for r in found.values()} == {"text-classification"}


def test_every_metric_has_a_name_on_the_hub():
    assert set(HUB_METRICS) == set(METRICS)


def test_targets_stay_apart_when_the_hub_writes_the_metadata_anew():
    front = hub_metadata(META, metrics(a=SCORES, b=SCORES | {"r2": -0.25}), "reports")
    again = yaml.safe_load(read(front).to_yaml())["model-index"]
    _, results = model_index_to_eval_results(again)
    r2 = {r.metric_name: r.metric_value for r in results if r.metric_type == "r_squared"}
    assert r2 == {"R² (a)": 0.8532, "R² (b)": -0.25}


@pytest.mark.parametrize(
    "scores", [None, {"reg_per_target": {}}, metrics(a=dict.fromkeys(METRICS) | {"n": 0})]
)
def test_undefined_scores_are_left_out(scores):
    data = read(hub_metadata(META, scores, "reports"))
    assert data.eval_results is None
    assert "text-regression" in data.tags


@pytest.mark.parametrize(
    ("license_", "expected"),
    [("MIT", "mit"), ("CC BY 4.0", "cc-by-4.0"), ("GNU GPL 3.0", "gpl-3.0"), ("", None)],
)
def test_licence_and_language_by_the_names_of_the_hub(license_, expected):
    data = read(hub_metadata(META | {"license": license_, "lang": "xx"}, None, "reports"))
    assert data.license == expected
    assert data.language == ["multilingual"]


def test_names_that_yaml_might_take_for_something_else():
    front = hub_metadata(META | {"lang": "no"}, metrics(**{"yes: [1": SCORES}), "2019-01-01")
    data = read(front)
    assert data.language == ["no"]
    assert data.eval_results[0].dataset_name == "2019-01-01"
    assert data.eval_results[0].metric_name == "R² (yes: [1)"


@pytest.mark.parametrize("coverage", [0.88125, None])
def test_the_card_says_what_intervals_hold(coverage):
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    interval = INTERVAL | {"coverage": coverage, "mean_width": coverage and 2.3456}
    scores = metrics(a=SCORES | {"interval": interval}, b=SCORES)
    config = nlp.config.interpolate()
    card = model_card(META, config, ["a", "b"], scores, [], keeps_texts=False)
    held = "88.1 % | 2.346" if coverage else "– | –"
    assert f"| a | 90 % | {held} | 1,200 documents |" in card
    assert "| b | 90 %" not in card
    assert card.count("| a | 840 |") == card.count("| b | 840 |") == 1
    without = model_card(META, config, ["a"], None, [], keeps_texts=False)
    assert "doc._.interval" not in without
