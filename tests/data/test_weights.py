import math

import numpy as np
import pytest
import spacy
from conftest import examples_from, train
from thinc.api import Adam

from spacy_bertreg.data.weights import document_weights, resolve_target_weights

nlp = spacy.blank("en")


def weighted(rows, weights, nlp=nlp):
    examples = examples_from(nlp, rows)
    for example, weight in zip(examples, weights, strict=True):
        if weight is not None:
            example.reference.user_data["weight"] = weight
    return examples


def test_weights_are_read_from_user_data():
    examples = weighted([("a", {}), ("b", {}), ("c", {})], [2, None, 0])
    np.testing.assert_array_equal(document_weights(examples), [2, 1, 0])


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, "heavy"])
def test_wrong_weights_are_named(weight):
    with pytest.raises(ValueError, match=f"weight is {weight!r} for the text 'some text'"):
        document_weights(weighted([("some text", {})], [weight]))


def test_target_weights_are_one_in_the_mean():
    assert resolve_target_weights(["a", "b"], {"b": 3}, "[r]") == [0.5, 1.5]
    assert resolve_target_weights(["a", "b"], None, "[r]") == [1, 1]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"c": 1}, r"names the target 'c' in \[r\]. Expected one of: a, b"),
        ({"a": -1}, "has -1 for 'a'"),
        ({"a": 0, "b": 0}, "all 0"),
    ],
)
def test_wrong_target_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        resolve_target_weights(["a", "b"], weights, "[r]")


def test_a_document_without_weight_teaches_nothing(make_tok2vec):
    pipeline = make_tok2vec()
    rows = [("same words", {"y": 0.0}), ("same words", {"y": 10.0})] * 10
    examples = weighted(rows, [3.0, 0.0] * 10)
    pipeline.initialize(lambda: examples)
    train(pipeline, examples, Adam(0.01), 100)
    assert pipeline("same words").cats["y"] == pytest.approx(0, abs=0.5)


def test_a_heavy_target_is_learned_first(make_tok2vec):
    def gradient(weights):
        pipeline = make_tok2vec(target_weights=weights)
        examples = examples_from(nlp, [("a", {"x": 0.0, "y": 0.0}), ("b", {"x": 1.0, "y": 1.0})])
        pipeline.initialize(lambda: examples)
        component = pipeline.get_pipe("text_regressor")
        scores, _ = component.model.begin_update([eg.predicted for eg in examples])
        return component.get_loss(examples, np.zeros_like(scores))[1]

    even, uneven = gradient(None), gradient({"x": 3, "y": 1})
    np.testing.assert_allclose(uneven, even * [1.5, 0.5], rtol=1e-6)


def test_three_targets_with_values_missing_at_random_are_as_good_as_alone(make_tok2vec):
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(12)]
    effects = rng.normal(size=(12, 3))
    rows = []
    for _ in range(400):
        counts = rng.poisson(0.7, size=12)
        text = " ".join(w for w, n in zip(vocabulary, counts, strict=True) for _ in range(n))
        values = counts @ effects / max(counts.sum(), 1)
        rows.append((text or "none", dict(zip("xyz", values.tolist(), strict=True))))
    test = examples_from(nlp, rows[300:])
    known = rng.random(size=(300, 3)) > 0.3
    partly = [
        (text, {t: cats[t] for t, there in zip("xyz", row, strict=True) if there})
        for (text, cats), row in zip(rows[:300], known, strict=True)
    ]

    def fit(targets):
        pipeline = make_tok2vec()
        own = [(text, {t: cats[t] for t in targets if t in cats}) for text, cats in partly]
        examples = examples_from(pipeline, own)
        pipeline.initialize(lambda: examples)
        for _ in range(12):
            for start in range(0, 300, 30):
                train(pipeline, examples[start : start + 30], optimizer, 1)
        per_target = pipeline.evaluate(test)["reg_per_target"]
        return {t: per_target[t]["r2"] for t in targets}

    optimizer = Adam(0.01)
    together = fit("xyz")
    for target in "xyz":
        optimizer = Adam(0.01)
        alone = fit(target)[target]
        assert alone > 0.8
        assert together[target] > alone - 0.03


@pytest.mark.parametrize(
    ("learn", "readout"),
    [
        ("sensitivity", "ridge"),
        ("elastic_net", "ridge"),
        ("elastic_net", "random_forest"),
        ("elastic_net", "gradient_boosting"),
    ],
)
def test_dictionaries_heed_weights(learn, readout):
    """Half of the documents say the opposite of the other half, and count for little or nothing."""
    rng = np.random.default_rng(0)
    rows, weights = [], []
    for number in range(200):
        words = rng.choice(["good", "bad", "the", "of"], size=6).tolist()
        sign = -1 if number % 2 else 1
        rows.append((" ".join(words), {"y": sign * (words.count("good") - words.count("bad"))}))
        weights.append(1.0 if sign == 1 else (0.0 if number % 4 == 1 else 0.05))

    def slope(own_weights):
        pipeline = spacy.blank("en")
        pipeline.add_pipe("dictionary_regressor", config={"readout": readout})
        examples = weighted(rows, own_weights, pipeline)
        pipeline.config["initialize"]["components"]["dictionary_regressor"] = {"learn": learn}
        pipeline.initialize(lambda: examples)
        good, bad = (pipeline(f"{word} {word} the of").cats["y"] for word in ("good", "bad"))
        return good - bad

    heeded = slope(weights)
    assert heeded > 1
    # Rounding decides between equally good splits of a tree.
    assert slope([10 * weight for weight in weights]) == pytest.approx(heeded, rel=0.02)
    assert abs(slope([1.0] * 200)) < 1


def test_weights_that_are_all_zero(make_tok2vec):
    examples = weighted([("good", {"y": 1.0})] * 10, [0.0] * 10)
    component = spacy.blank("en").add_pipe("dictionary_regressor")
    with pytest.raises(ValueError, match="'dictionary_regressor': the weights of all documents"):
        component.initialize(lambda: examples, learn="sensitivity")
    with pytest.raises(ValueError, match="'text_regressor': the weights of all documents are 0"):
        make_tok2vec().initialize(lambda: examples)
