import math

import numpy as np
import pytest
import spacy
from conftest import examples_from

from spacy_bertreg.targets.gold import find_targets, gold_values, resolve_targets

nlp = spacy.blank("xx")


def test_targets_are_found_in_order_of_appearance():
    rows = [("a", {"z": 1.0}), ("b", {}), ("c", {"b": 1.0, "z": 2.0, "a": 0.0})]
    assert find_targets(examples_from(nlp, rows)) == ["z", "b", "a"]


def test_unknown_values_are_nan():
    rows = [("a", {"y": 1.5}), ("b", {}), ("c", {"y": math.nan}), ("d", {"other": 1.0})]
    values = gold_values(examples_from(nlp, rows), ["y"])
    np.testing.assert_array_equal(values, [[1.5], [math.nan], [math.nan], [math.nan]])


@pytest.mark.parametrize("value", [math.inf, -math.inf, "high"])
def test_non_finite_targets_are_named(value):
    example = examples_from(nlp, [("some words", {"y": 0.0})])[0]
    example.reference.cats["y"] = value
    with pytest.raises(ValueError, match=f"Target 'y' is {value!r} for the text 'some words'"):
        gold_values([example], ["y"])


def test_no_target_at_all():
    with pytest.raises(ValueError, match="'regressor' found no target in 2 training examples"):
        resolve_targets(examples_from(nlp, [("a", {}), ("b", {})]), None, "regressor")


def test_a_target_that_no_example_has():
    examples = examples_from(nlp, [("a", {"x": 1.0})])
    with pytest.raises(ValueError, match=r"value for the target 'y'. The examples have: x\."):
        resolve_targets(examples, ["y"], "regressor")
