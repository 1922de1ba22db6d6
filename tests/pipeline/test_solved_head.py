"""Where only the head learns, it is solved by ridge regression; others can start from that."""

import math

import numpy as np
import pytest
import spacy
import torch
from conftest import train
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.preprocessing import StandardScaler
from spacy.util import fix_random_seed

from spacy_bertreg.training.losses import (
    AbsoluteLoss,
    GaussianLoss,
    HuberLoss,
    PinballLoss,
    PoissonLoss,
)
from spacy_bertreg.training.ridge import fit_ridge
from spacy_bertreg.training.unfreezing import gradual_unfreezing_v1

N = 24


def head(nlp, name="text_regressor"):
    layer = nlp.get_pipe(name).model.get_ref("head")
    return np.hstack([layer.get_param("W"), layer.get_param("b")[:, None]])


def start(nlp, examples, setting="auto", **more):
    nlp.config["initialize"]["components"]["text_regressor"] = {"head": setting, **more}
    return nlp.initialize(lambda: examples)


def with_loss(nlp, loss, **settings):
    component = nlp.get_pipe("text_regressor")
    component.loss, component.levels = loss, loss.levels
    component.cfg.update(settings)
    return component


def vectors(nlp, docs):
    """Vectors and covariates, computed as in prediction."""
    docs = [doc.copy() for doc in docs]
    docs = list(nlp.get_pipe("transformer").pipe(docs))
    return nlp.get_pipe("text_regressor").model.get_ref("with_covariates").predict(docs)


@pytest.fixture
def frozen(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    return nlp, make_examples(nlp, N)


def expected(X, gold, weights):
    """Solve with scikit-learn, for the penalty that leaving one out chooses."""
    known = ~np.isnan(gold) & (weights > 0)
    X, gold, weights = X[known].astype(float), gold[known], weights[known]
    penalty = fit_ridge(X, gold[:, None], weights)[2][0]
    scaler = StandardScaler().fit(X, sample_weight=weights)
    model = SklearnRidge(alpha=penalty * len(gold))
    model.fit(scaler.transform(X), gold, sample_weight=weights / weights.mean())
    return lambda new: model.predict(scaler.transform(new))


def test_it_is_the_solution_and_steps_leave_it(frozen):
    nlp, examples = frozen
    optimizer = start(nlp, examples)
    component = nlp.get_pipe("text_regressor")
    assert component.is_solved
    before, bert = head(nlp), nlp.get_pipe("transformer").model.to_bytes()
    X = vectors(nlp, [eg.predicted for eg in examples])
    y = np.array([eg.reference.cats["severity"] for eg in examples])
    predict = expected(X, y, np.ones(N))
    predicted = [nlp(eg.reference.text).cats["severity"] for eg in examples]
    np.testing.assert_allclose(predicted, predict(X), rtol=1e-5, atol=1e-5 * y.std())
    losses = {}
    for batch in (examples[:10], examples[10:]):
        nlp.update(batch, sgd=False, losses=losses, drop=0.5)
        for _, part in nlp.pipeline:
            part.finish_update(optimizer)
    # Of the batches, as it is without dropout.
    errors = (y - predict(X)) ** 2 / y.var()
    mean_loss = errors[:10].mean() + errors[10:].mean()
    assert losses["text_regressor"] == pytest.approx(mean_loss, rel=1e-4)
    np.testing.assert_array_equal(head(nlp), before)
    report = nlp.meta["freeze_report"]
    assert report["is_trained"]
    assert report["trainable"] == 65
    assert component.was_trained_on([eg.reference for eg in examples]).all()
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    assert shim.trained_with == ["all"]
    assert not shim.trained
    shim.trained_with.clear()
    assert nlp.get_pipe("transformer").model.to_bytes() == bert


def test_seeds_give_the_same_bytes(make_bert, make_examples):
    heads = []
    for seed in (0, 1):
        fix_random_seed(seed)
        nlp = make_bert(freeze="all")
        examples = make_examples(nlp, N)
        train(nlp, examples, start(nlp, examples), steps=1)
        heads.append(head(nlp).tobytes())
    assert heads[0] == heads[1]


def test_texts_are_encoded_once(frozen, monkeypatch):
    nlp, examples = frozen
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    optimizer = start(nlp, examples)
    monkeypatch.setattr(shim, "predict", None)
    train(nlp, examples, optimizer, steps=2)


def test_missing_values_weights_covariates_targets(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    component = nlp.get_pipe("text_regressor")
    component.cfg.update(covariates=["deaths", "log_length"], target_weights={"severity": 3.0})
    examples = make_examples(nlp, N)
    empty = make_examples(nlp, N + 1)[-1]
    empty.predicted = empty.reference = nlp.make_doc("  ")
    rng = np.random.default_rng(0)
    for number, eg in enumerate(examples):
        eg.reference.cats["other"] = math.nan if number % 3 == 0 else rng.normal()
        eg.reference.user_data["weight"] = float(number % 4)
        eg.reference.user_data["covariates"] = {"deaths": float(number) if number % 5 else None}
    examples[0].reference.cats.pop("severity")
    last = examples[-1].reference
    empty.reference.cats, empty.reference.user_data["covariates"] = dict(last.cats), {"deaths": 1.0}
    start(nlp, [*examples, empty])
    assert component.is_solved
    docs = [eg.predicted for eg in examples]
    for doc, eg in zip(docs, examples, strict=True):
        doc.user_data["covariates"] = eg.reference.user_data["covariates"]
    X = vectors(nlp, docs)
    assert X.shape[1] == 64 + 3
    predicted = [nlp(doc.copy()) for doc in docs]
    for target in ("severity", "other"):
        y = np.array([eg.reference.cats.get(target, math.nan) for eg in examples])
        predict = expected(X, y, np.arange(N) % 4.0)
        got = [doc.cats[target] for doc in predicted]
        np.testing.assert_allclose(got, predict(X), rtol=1e-4, atol=1e-5)


def test_smearing_has_the_residuals_of_all_texts(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    component = nlp.get_pipe("text_regressor")
    component.cfg.update(transform="log1p", smearing=True)
    examples = make_examples(nlp, N)
    train(nlp, examples[:5], start(nlp, examples), steps=2)
    y = np.log1p([eg.reference.cats["severity"] for eg in examples])
    scaled = component.predict(
        list(nlp.get_pipe("transformer").pipe([eg.predicted.copy() for eg in examples]))
    ).scaled[:, 0]
    residuals = np.sort(y - scaled * component.scale.std[0] - component.scale.mean[0])
    np.testing.assert_allclose(component.scale.residuals[0], residuals, atol=1e-5)


LOSSES = [
    AbsoluteLoss(),
    HuberLoss(0.5),
    PoissonLoss(),
    GaussianLoss(),
    PinballLoss([0.1, 0.5, 0.9]),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_other_losses_learn_from_it(make_bert, make_examples, loss):
    fix_random_seed(0)
    first = {}
    for setting in ("random", "auto"):
        nlp = make_bert(freeze="all")
        transform = "none" if loss.log_link else "standardize"
        component = with_loss(nlp, loss, transform=transform)
        examples = make_examples(nlp, N)
        optimizer = start(nlp, examples, setting)
        assert not component.is_solved
        before = head(nlp)
        first[setting] = train(nlp, examples, optimizer, steps=1)
        assert not np.array_equal(head(nlp), before)
        assert component.is_trained
    assert first["auto"] < first["random"] - 0.02
    if isinstance(loss, PoissonLoss):
        # By the intercept, predictions have the mean of the observed values.
        start(nlp, examples)
        predicted = [nlp(eg.reference.text).cats["severity"] for eg in examples]
        mean = np.mean([eg.reference.cats["severity"] for eg in examples])
        assert np.mean(predicted) == pytest.approx(mean, rel=1e-5)


def test_quantiles_and_spread_start_from_residuals(make_bert, make_examples):
    for loss in (PinballLoss([0.1, 0.5, 0.9]), GaussianLoss()):
        nlp = make_bert(freeze="all")
        component = with_loss(nlp, loss)
        examples = make_examples(nlp, N)
        start(nlp, examples)
        docs = list(nlp.get_pipe("transformer").pipe([eg.predicted.copy() for eg in examples]))
        predictions = component.predict(docs)
        gold = np.array([[eg.reference.cats["severity"]] for eg in examples])
        gold = component.scale.scale(gold)[:, 0]
        if loss.levels:
            below = (gold[:, None] <= predictions.quantiles[:, 0] + 1e-5).mean(axis=0)
            np.testing.assert_allclose(below, loss.levels, atol=1 / N)
        else:
            residuals = gold - predictions.scaled[:, 0]
            spread = predictions.spread[:, 0]
            np.testing.assert_allclose(spread, np.sqrt((residuals**2).mean()), rtol=1e-4)


@pytest.mark.parametrize("freeze", ["none", "embeddings", 1])
def test_other_levels_start_from_it_if_asked(make_bert, make_examples, freeze):
    fix_random_seed(0)
    losses = {}
    for setting in ("auto", "ridge"):
        nlp = make_bert(freeze=freeze)
        examples = make_examples(nlp, N)
        optimizer = start(nlp, examples, setting)
        assert not nlp.get_pipe("text_regressor").is_solved
        before = head(nlp)
        losses[setting] = train(nlp, examples, optimizer, steps=1)
        assert not np.array_equal(head(nlp), before)
    assert losses["ridge"] < losses["auto"]


def test_random_learns_by_steps(frozen):
    nlp, examples = frozen
    optimizer = start(nlp, examples, "random")
    before = head(nlp)
    train(nlp, examples, optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)


def test_new_examples_make_it_learn(frozen, make_examples):
    nlp, examples = frozen
    # As in a stream, of which the first examples come to initialize.
    optimizer = start(nlp, examples)
    before = head(nlp)
    train(nlp, make_examples(nlp, N + 4)[N - 4 :], optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)
    assert not nlp.get_pipe("text_regressor").is_solved
    before = head(nlp)
    train(nlp, examples, optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)


def test_other_values_make_it_learn(frozen):
    nlp, examples = frozen
    optimizer = start(nlp, examples)
    before = head(nlp)
    examples[3].reference.cats["severity"] += 1
    train(nlp, examples, optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)


def test_saved_loaded_and_trained_further(frozen, tmp_path):
    nlp, examples = frozen
    start(nlp, examples)
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    text = examples[0].reference.text
    assert again(text).cats == nlp(text).cats
    assert again.config["initialize"]["components"]["text_regressor"] == {"head": "auto"}
    before = head(again)
    np.testing.assert_array_equal(before, head(nlp))
    train(again, examples, again.resume_training(), steps=1)
    assert not np.array_equal(head(again), before)


def test_it_learns_again_when_something_is_unfrozen(frozen):
    nlp, examples = frozen
    optimizer = start(nlp, examples)
    before = head(nlp)
    train(nlp, examples, optimizer, steps=1)
    np.testing.assert_array_equal(head(nlp), before)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    shim.freeze = 1
    shim.apply_freeze()
    train(nlp, examples, optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)
    assert shim.trained


def test_gradual_unfreezing_learns_from_the_first_step(make_bert, make_examples):
    nlp = make_bert()
    examples = make_examples(nlp, N)
    optimizer = start(nlp, examples)
    before = head(nlp)
    gradual_unfreezing_v1(steps_per_block=2)(nlp, {"step": 0, "epoch": 0})
    train(nlp, examples, optimizer, steps=1)
    assert not np.array_equal(head(nlp), before)


def test_frozen_components_count_as_frozen(make_bert, make_examples):
    nlp = make_bert()
    nlp.config["training"]["frozen_components"] = ["transformer"]
    nlp.config["training"]["annotating_components"] = ["transformer"]
    examples = make_examples(nlp, N)
    nlp.initialize(lambda: examples)
    component = nlp.get_pipe("text_regressor")
    # As `spacy train`: a frozen component is disabled while others are initialized.
    with nlp.select_pipes(disable=["transformer"]):
        start(nlp, examples)
    assert component.is_solved
    before = head(nlp)
    nlp.update(examples, exclude=["transformer"], annotates=["transformer"])
    np.testing.assert_array_equal(head(nlp), before)


def test_two_heads_on_one_transformer(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    model = nlp.get_pipe_config("text_regressor")["model"]
    loss = {"@losses": "spacy-bertreg.absolute.v1"}
    config = {"model": model, "output_key": "median:{target}", "loss": loss}
    nlp.add_pipe("text_regressor", name="median", config=config, before="text_regressor")
    examples = make_examples(nlp, N)
    optimizer = nlp.initialize(lambda: examples)
    solved, learns = head(nlp), head(nlp, "median")
    train(nlp, examples, optimizer, steps=2)
    np.testing.assert_array_equal(head(nlp), solved)
    assert not np.array_equal(head(nlp, "median"), learns)


def test_a_tok2vec_learns(make_tok2vec, make_examples):
    nlp = make_tok2vec()
    examples = make_examples(nlp, N)
    nlp.initialize(lambda: examples)
    assert not nlp.get_pipe("text_regressor").is_solved
    random = head(nlp)
    start(nlp, examples, "ridge")
    assert not nlp.get_pipe("text_regressor").is_solved
    assert np.abs(head(nlp)).max() != np.abs(random).max()


def test_wrong_settings(frozen, make_bert, make_examples):
    nlp, examples = frozen
    with pytest.raises(ValueError, match=r"head is 'lasso' in \[initialize.components.text_reg"):
        start(nlp, examples, "lasso")

    class TwoOutputs(HuberLoss):
        n_outputs = 2

    nlp = make_bert(freeze="all")
    component = with_loss(nlp, TwoOutputs())
    examples = make_examples(nlp, N)
    # Nobody knows what the outputs of such a loss are.
    start(nlp, examples)
    assert not component.is_solved
    with pytest.raises(ValueError, match="not known how the loss TwoOutputs starts"):
        start(nlp, examples, "ridge")


def test_dimensions_that_hardly_vary_get_no_weight(make_bert, make_examples):
    """MiniLM has some. Their weights would be huge, and fine-tuning would diverge at once."""
    nlp = make_bert()
    examples = make_examples(nlp, N)
    transformer = nlp.get_pipe("transformer").model
    transformer.initialize()
    norm = transformer.layers[0].shims[0]._model.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        norm.weight[:3], norm.bias[:3] = 1e-8, 0.0
    start(nlp, examples, "ridge")
    X = vectors(nlp, [eg.predicted for eg in examples])
    assert 0 < X.std(axis=0)[:3].max() < 1e-6
    W = head(nlp)[:, :-1]
    assert not W[:, :3].any()
    assert W.any()
