import pytest
import spacy
from conftest import train
from thinc.api import Adam

from spacy_bertreg.training.unfreezing import gradual_unfreezing_v1


def learning_blocks(nlp) -> set:
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    parameters = shim._model.named_parameters()
    return {shim.blocks[name] for name, parameter in parameters if parameter.requires_grad}


def test_registered():
    registered = spacy.registry.callbacks.get("spacy-bertreg.gradual_unfreezing.v1")
    assert registered is gradual_unfreezing_v1


def test_one_block_more_every_so_many_steps(make_bert, make_examples):
    nlp = make_bert()
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    before_update = gradual_unfreezing_v1(steps_per_block=2)
    seen = []
    for step in range(9):
        before_update(nlp, {"step": step, "epoch": 0})
        train(nlp, examples, Adam(0.001), steps=1)
        seen.append(learning_blocks(nlp))
    everything = {"embeddings", 0, 1}
    assert seen == [set()] * 2 + [{1}] * 2 + [{0, 1}] * 2 + [everything] * 3


def test_what_the_config_freezes_stays_frozen(make_bert, make_examples):
    nlp = make_bert(freeze=1)
    nlp.initialize(lambda: make_examples(nlp, 4))
    gradual_unfreezing_v1(steps_per_block=1)(nlp, {"step": 100, "epoch": 0})
    assert learning_blocks(nlp) == {1}


def test_errors(make_bert, make_tok2vec, make_examples):
    with pytest.raises(ValueError, match="steps_per_block is 0"):
        gradual_unfreezing_v1(steps_per_block=0)
    nlp = make_tok2vec()
    nlp.initialize(lambda: make_examples(nlp, 4))
    with pytest.raises(ValueError, match="found no spacy-bertreg.TransformerModel.v1"):
        gradual_unfreezing_v1(steps_per_block=1)(nlp, {"step": 0, "epoch": 0})
