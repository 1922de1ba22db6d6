import math

import numpy as np
import pytest
import spacy
from conftest import examples_from, train
from spacy.training import Example


def test_config_round_trip(make_bert):
    nlp = make_bert(freeze="all", pooling="max")
    config = nlp.get_pipe_config("text_regressor")
    assert config["model"]["tok2vec"]["pooling"] == "max"
    again = spacy.util.load_model_from_config(nlp.config)
    assert again.get_pipe_config("text_regressor") == config
    assert again.get_pipe_config("transformer") == nlp.get_pipe_config("transformer")


def test_short_config(tiny_bert, make_examples):
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
    nlp.add_pipe("transformer", config={"model": {**model, "freeze": "all"}})
    nlp.add_pipe("text_regressor")
    nlp.initialize(lambda: make_examples(nlp, 4))
    assert math.isfinite(nlp("A text.").cats["severity"])


def test_architecture_defaults(make_examples, tiny_bert):
    nlp = spacy.blank("en")
    stock = {"@architectures": "spacy-transformers.TransformerModel.v3", "name": tiny_bert}
    nlp.add_pipe("transformer", config={"model": stock})
    model = {"@architectures": "spacy-bertreg.TextRegressor.v1", "tok2vec": None}
    nlp.add_pipe("text_regressor", config={"model": model})
    examples = make_examples(nlp, 8)
    optimizer = nlp.initialize(lambda: examples)
    assert train(nlp, examples, optimizer, steps=1) > 0


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_overfits(make_bert, make_examples, pooling):
    spacy.util.fix_random_seed(0)
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    nlp = make_bert(pooling=pooling, transformer_config=no_dropout)
    examples = make_examples(nlp, 16)
    optimizer = nlp.initialize(lambda: examples)
    train(nlp, examples, optimizer, steps=30)
    assert nlp.evaluate(examples)["reg_r2"] > 0.9


def test_loss_is_in_standard_deviations(make_tok2vec, make_examples):
    nlp = make_tok2vec()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    component = nlp.get_pipe("text_regressor")
    loss, gradient = component.get_loss(examples, np.zeros((len(examples), 1), dtype="f"))
    assert loss == pytest.approx(1)  # the training mean explains nothing of the variance
    assert gradient.shape == (len(examples), 1)


def test_batches_of_empty_documents_change_nothing(make_bert, make_examples):
    nlp = make_bert()
    optimizer = nlp.initialize(lambda: make_examples(nlp))
    before = nlp("A text.").cats["severity"]
    empty = examples_from(nlp, [("", {"severity": 9.0})] * 3)
    nlp.update(empty, sgd=optimizer)
    assert nlp("A text.").cats["severity"] == before


def test_empty_documents_among_others_in_training(make_bert):
    nlp = make_bert()
    rows = [("", {"y": 1.0}), ("A text.", {"y": 2.0}), (" ", {"y": 3.0}), ("Another", {"y": 0.0})]
    examples = examples_from(nlp, rows)
    optimizer = nlp.initialize(lambda: examples)
    losses = nlp.update(examples, sgd=optimizer)
    assert math.isfinite(losses["text_regressor"])
    assert math.isfinite(nlp("A text.").cats["y"])


def test_unknown_targets_and_empty_documents_give_no_gradient(make_tok2vec, make_examples):
    nlp = make_tok2vec()
    nlp.initialize(lambda: make_examples(nlp))
    rows = [("A text.", {}), ("More", {"severity": math.nan, "x": 1.0}), (" ", {"severity": 1.0})]
    component = nlp.get_pipe("text_regressor")
    loss, gradient = component.get_loss(examples_from(nlp, rows), np.ones((3, 1), dtype="f"))
    assert loss == 0
    assert not gradient.any()


def test_targets_by_name(make_tok2vec):
    nlp = make_tok2vec()
    examples = examples_from(nlp, [("a", {"x": 1.0, "y": 2.0}), ("b", {"x": 2.0, "y": 4.0})])
    component = nlp.get_pipe("text_regressor")
    component.initialize(lambda: examples, nlp=nlp, targets=["y"])
    assert component.targets == ("y",)
    assert component.label_data == ["y"]
    with pytest.raises(ValueError, match=r"for the target 'z'. The examples have: x, y"):
        component.initialize(lambda: examples, nlp=nlp, targets=["z"])


def test_infinite_target(make_tok2vec):
    nlp = make_tok2vec()
    examples = examples_from(nlp, [("a text", {"y": math.inf})])
    with pytest.raises(ValueError, match="Target 'y' is inf for the text 'a text'"):
        nlp.initialize(lambda: examples)


def test_no_targets(make_tok2vec):
    nlp = make_tok2vec()
    with pytest.raises(ValueError, match="'text_regressor' found no target in 1 training examples"):
        nlp.initialize(lambda: examples_from(nlp, [("a", {})]))


def test_no_transformer_in_the_pipeline(make_examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("text_regressor")
    with pytest.raises(ValueError, match="listens to a transformer, but none ran before it"):
        nlp.initialize(lambda: make_examples(nlp, 4))


def test_disabled_transformer(make_bert, make_examples):
    nlp = make_bert()
    nlp.initialize(lambda: make_examples(nlp, 4))
    with (
        nlp.select_pipes(disable="transformer"),
        pytest.raises(ValueError, match="Add the component 'transformer' before it"),
    ):
        nlp("A text.")


def test_shares_the_transformer_with_a_tagger(make_bert):
    nlp = make_bert()
    listener = {"@architectures": "spacy-transformers.TransformerListener.v1"}
    listener["pooling"] = {"@layers": "reduce_mean.v1"}
    model = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    nlp.add_pipe("tagger", config={"model": model})
    doc = {"words": ["A", "text"], "tags": ["D", "N"], "cats": {"y": 1.0}}
    examples = [Example.from_dict(nlp.make_doc("A text"), doc)]
    examples += examples_from(nlp, [("", {"y": 0.0})])
    optimizer = nlp.initialize(lambda: examples)
    losses = nlp.update(examples, sgd=optimizer)
    assert losses["tagger"] > 0
    assert losses["text_regressor"] > 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes(make_bert, make_examples, method, monkeypatch):
    import multiprocessing

    import torch

    nlp = make_bert()
    nlp.initialize(lambda: make_examples(nlp))
    texts = ["A text.", "", "Talks went on.", "Shelling killed ten."] * 5
    expected = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    # What a fork after it would make hang: torch's threads in use in this process.
    torch.ones(500, 500) @ torch.ones(500, 500)
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method(method, force=True)
    try:
        docs = list(nlp.pipe(texts, n_process=2, batch_size=4))
    finally:
        multiprocessing.set_start_method(before, force=True)
    np.testing.assert_allclose([doc.cats["severity"] for doc in docs], expected, atol=1e-5)
    assert [doc._.score for doc in docs] == [doc.cats["severity"] for doc in docs]
