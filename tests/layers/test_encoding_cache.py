"""Outputs of a frozen transformer that are used again."""

import random

import numpy as np
import pytest
import spacy
from conftest import examples_from, train
from thinc.api import Adam


def shim(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


@pytest.fixture
def count_encoded(monkeypatch):
    """The number of texts that the transformer reads."""
    from spacy_bertreg.layers import outputs

    counts = []
    tokenize = outputs.tokenize

    def counting(model, spans):
        counts.append(sum(map(len, spans)))
        return tokenize(model, spans)

    monkeypatch.setattr(outputs, "tokenize", counting)
    return counts


def initialized(make_bert, make_examples, **options):
    spacy.util.fix_random_seed(0)
    nlp = make_bert(freeze="all", **options)
    examples = make_examples(nlp, 12)
    nlp.initialize(lambda: examples)
    return nlp, examples


def test_a_document_is_encoded_once_whatever_the_batches(make_bert, make_examples, count_encoded):
    nlp, examples = initialized(make_bert, make_examples)
    count_encoded.clear()
    for epoch in range(3):
        order = np.random.default_rng(epoch).permutation(12)
        for batch in np.array_split(order, 3 + epoch):
            train(nlp, [examples[i] for i in batch], Adam(0.01), steps=1)
    assert sum(count_encoded) == 12


def test_a_changed_text_is_encoded_anew(make_bert, make_examples, count_encoded):
    nlp, _ = initialized(make_bert, make_examples)
    count_encoded.clear()
    for text in ("A text.", "A  text.", "a text.", "A text."):
        train(nlp, examples_from(nlp, [(text, {"severity": 1.0})]), Adam(0.01), steps=1)
    assert sum(count_encoded) == 3


def test_vectors_of_documents_make_room_where_those_of_tokens_are_read(make_bert, make_examples):
    nlp, examples = initialized(make_bert, make_examples)
    train(nlp, examples, Adam(0.01), steps=1)
    of_documents = shim(nlp).cache.n_bytes
    doc = nlp("Something reads single tokens.")
    assert len(doc._.trf_data.model_output.last_hidden_state)
    assert shim(nlp).cache.n_bytes == 0
    train(nlp, examples, Adam(0.01), steps=1)
    assert shim(nlp).cache.n_bytes > of_documents > 0


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_training_gives_the_same_with_and_without(make_bert, make_examples, pooling):
    predicted, states = [], []
    for reuse_mb in (0, 100):
        nlp, examples = initialized(make_bert, make_examples, pooling=pooling, reuse_mb=reuse_mb)
        # Batches of documents that differ in length, and an empty one.
        examples += examples_from(
            nlp, [("", {"severity": 1.0}), ("Calm " * 300, {"severity": 0.0})]
        )
        optimizer = Adam(0.01)
        for epoch in range(3):
            order = np.random.default_rng(epoch).permutation(len(examples))
            for batch in np.array_split(order, 4):
                train(nlp, [examples[i] for i in batch], optimizer, steps=1)
        predicted.append([nlp(eg.text).cats["severity"] for eg in examples])
        assert bool(shim(nlp).cache.n_bytes) == bool(reuse_mb)
        states.append(random.getstate())
    # spaCy shuffles by this state: the next epoch's batches are the same, too.
    assert states[0] == states[1]
    np.testing.assert_allclose(*predicted, atol=1e-4)


def test_an_empty_document_among_known_ones(make_bert, make_examples):
    nlp, examples = initialized(make_bert, make_examples)
    train(nlp, examples, Adam(0.01), steps=1)
    empty = examples_from(nlp, [("", {"severity": 1.0})])
    assert np.isfinite(train(nlp, examples[:2] + empty, Adam(0.01), steps=1))


def test_memory_is_bounded(make_bert, make_examples, count_encoded):
    nlp, examples = initialized(make_bert, make_examples)
    cache = shim(nlp).cache
    train(nlp, examples, Adam(0.01), steps=1)
    needed = cache.n_bytes
    assert needed > 0
    cache.clear()
    cache.max_bytes = needed // 2
    count_encoded.clear()
    train(nlp, examples, Adam(0.01), steps=2)
    assert 0 < cache.n_bytes <= needed // 2
    assert 12 < sum(count_encoded) < 24


def test_loading_other_weights_empties_it(make_bert, make_examples):
    nlp, examples = initialized(make_bert, make_examples)
    train(nlp, examples, Adam(0.01), steps=1)
    assert shim(nlp).cache.n_bytes
    nlp.from_bytes(nlp.to_bytes())
    assert not shim(nlp).cache.n_bytes
