import sys

import numpy as np
import pytest

from spacy_bertreg.dictionary.readouts import READOUTS
from spacy_bertreg.dictionary.readouts.trees import GradientBoosting, RandomForest

rng = np.random.default_rng(0)
FEATURES = rng.normal(size=(300, 4))
TARGETS = np.stack([np.abs(FEATURES[:, 0]), 3 + FEATURES[:, 1] * (FEATURES[:, 2] > 0)], axis=1)
FOLDS = np.arange(300) % 5


@pytest.fixture(params=[RandomForest, GradientBoosting], scope="module")
def fitted(request):
    return request.param.fit(FEATURES, TARGETS, FOLDS, seed=0)


def test_learns_what_is_not_linear(fitted):
    errors = ((fitted.predict(FEATURES) - TARGETS) ** 2).mean(axis=0)
    assert (errors < 0.6 * TARGETS.var(axis=0)).all()


def test_shapley_values_sum_to_the_prediction(fitted):
    values = fitted.shapley(FEATURES)
    np.testing.assert_allclose(values.sum(axis=1), fitted.predict(FEATURES), atol=1e-6)


def test_shapley_values_are_exact(fitted):
    """Against the definition, for two features: the mean over both orders of what one adds."""
    features = FEATURES[:, :2].round(1)
    model = type(fitted).fit(features, features[:, :1] * features[:, 1:], FOLDS, seed=0)
    booster = model._boosters[0]
    trees = booster.trees_to_dataframe()
    row = features[0]

    def expected(tree, known):
        """The tree's value where unknown features go both ways, by the training documents there."""
        nodes = trees[trees["tree_index"] == tree].set_index("node_index")

        def down(name):
            node = nodes.loc[name]
            if node["split_feature"] is None or node["split_feature"] != node["split_feature"]:
                return node["value"]
            feature = int(node["split_feature"].removeprefix("Column_"))
            left, right = node["left_child"], node["right_child"]
            if feature in known:
                return down(left if row[feature] <= node["threshold"] else right)
            counts = nodes.loc[left, "count"], nodes.loc[right, "count"]
            return (counts[0] * down(left) + counts[1] * down(right)) / sum(counts)

        return down(nodes.index[0])

    numbers = trees["tree_index"].unique()
    value = {
        known: sum(expected(tree, known) for tree in numbers) for known in [(), (0,), (1,), (0, 1)]
    }
    first = (value[0,] - value[()] + value[0, 1] - value[1,]) / 2
    scale = len(numbers) if model.settings["boosting"] == "rf" else 1
    assert model.shapley(features[:1])[0, 0, 0] == pytest.approx(first / scale, rel=1e-5)


def test_contributions_and_base_sum_to_the_prediction(fitted):
    documents = np.array([0, 0, 2, 2, 2])
    shares = rng.normal(size=(5, 4))
    shares[:, 3] = 0
    features = np.zeros((3, 4))
    np.add.at(features, documents, shares)
    base, contributions = fitted.contributions(features, shares, documents)
    total = base.copy()
    np.add.at(total, documents, contributions)
    np.testing.assert_allclose(total, fitted.predict(features), atol=1e-6)
    assert fitted.predict(features[1:2]) == pytest.approx(base[1:2])


def test_state_is_text_and_exact(fitted):
    state = fitted.to_dict()
    assert all(isinstance(model, str) for model in state["models"])
    assert all(isinstance(center, float) for center in state["centers"])
    again = type(fitted).from_dict(state)
    np.testing.assert_array_equal(again.predict(FEATURES), fitted.predict(FEATURES))
    np.testing.assert_array_equal(
        type(fitted).fit(FEATURES, TARGETS, FOLDS, seed=0).predict(FEATURES),
        fitted.predict(FEATURES),
    )


def test_unknown_targets_and_few_documents():
    targets = TARGETS[:12].copy()
    targets[:4, 0] = np.nan
    for readout in (RandomForest, GradientBoosting):
        predicted = readout.fit(FEATURES[:12], targets, FOLDS[:12], seed=0).predict(FEATURES)
        assert np.isfinite(predicted).all()


EACH = pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
RARE = np.zeros((500, 2))
RARE[::20] = 1.0


def fit(readout, features, targets, weights=None):
    folds = np.arange(len(features)) % 5
    model = readout.fit(features, targets, folds, seed=0, weights=weights)
    base, contributions = model.contributions(features, features, np.arange(len(features)))
    # What a match adds and what is without it are the prediction, here of one match a document.
    predicted = model.predict(features)
    np.testing.assert_allclose(base + contributions, predicted, atol=1e-6)
    return predicted


@EACH
@pytest.mark.parametrize("value", [0.0, 2.0, -1000.1])
@pytest.mark.parametrize("features", [FEATURES, np.zeros((300, 4)), np.ones((300, 1))])
def test_a_constant_target_is_predicted(readout, value, features):
    predicted = fit(readout, features, np.full((300, 1), value))
    np.testing.assert_allclose(predicted, value, atol=1e-9)


@EACH
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 1.5, 300)])
def test_without_any_match_the_mean_is_predicted(readout, weights):
    predicted = fit(readout, np.zeros((300, 2)), 4 + TARGETS, weights)
    mean = np.average(4 + TARGETS, axis=0, weights=weights)
    np.testing.assert_allclose(predicted, np.tile(mean, (300, 1)), atol=1e-3)


@EACH
def test_a_rare_term(readout):
    """In which many trees of a forest find no split."""
    targets = 4 + rng.normal(size=(500, 1)) + RARE[:, :1]
    predicted = fit(readout, RARE, targets)
    assert predicted.mean() == pytest.approx(targets.mean(), abs=0.05)
    assert ((predicted - targets) ** 2).mean() <= targets.var()


@EACH
@pytest.mark.parametrize("features", [FEATURES, RARE[:300]])
def test_what_is_added_to_the_target_is_added_to_the_prediction(readout, features):
    # Of few bits, so that their sums are exact.
    targets = TARGETS.round() + features[:, :1].round()
    first, second = (fit(readout, features, targets + more) for more in (0.0, 1000.0))
    np.testing.assert_allclose(second - first, 1000.0, atol=1e-6)


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting"])
def test_missing_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[dictionary\]'"):
        READOUTS[name].fit(FEATURES, TARGETS, FOLDS, seed=0)
