"""Outputs of a frozen transformer that are used again."""

import gc
import random
import tracemalloc

import numpy as np
import pytest
import spacy
from conftest import examples_from, train
from spacy_transformers.data_classes import TransformerData
from thinc.api import Adam

from spacy_bertreg.layers import encoding_cache, outputs
from spacy_bertreg.layers.pooled_data import PooledData


def shim(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


@pytest.fixture
def count_encoded(monkeypatch):
    """The number of texts that the transformer reads."""
    counts = []
    tokenize = outputs.tokenize

    def counting(model, spans):
        counts.append(sum(map(len, spans)))
        return tokenize(model, spans)

    for module in (outputs, encoding_cache):
        monkeypatch.setattr(module, "tokenize", counting)
    return counts


def initialized(make_bert, make_examples, **options):
    spacy.util.fix_random_seed(0)
    nlp = make_bert(freeze="all", **options)
    examples = make_examples(nlp, 12)
    nlp.initialize(lambda: examples)
    return nlp, examples


def test_a_document_is_encoded_once_whatever_the_batches(make_bert, make_examples, count_encoded):
    nlp, examples = initialized(make_bert, make_examples)
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


def random_texts(n_words, n_texts):
    words = ["market", "quiet", "people", "town", "border", "near", "three", "the"]
    rng = np.random.default_rng(n_words)
    return [" ".join(rng.choice(words, size=n_words)) for _ in range(n_texts)]


@pytest.mark.parametrize("by_token", [False, True])
@pytest.mark.parametrize(("n_words", "n_texts"), [(1, 8), (8, 200), (100, 60), (1500, 8)])
def test_what_is_held_is_what_is_counted(make_bert, make_examples, by_token, n_words, n_texts):
    nlp, _ = initialized(make_bert, make_examples)
    model = nlp.get_pipe("transformer").model
    cache = shim(nlp).cache
    # It holds the pooled vectors that the head was solved with.
    cache.clear()
    shim(nlp).is_read_by_token = by_token
    docs = [nlp.make_doc(text) for text in random_texts(n_words, n_texts)]
    tracemalloc.start()
    try:
        for start in range(0, len(docs), 16):
            model.begin_update(docs[start : start + 16])
        counted, entries = cache.n_bytes, list(cache._outputs.values())
        # tracemalloc doesn't see what torch takes.
        of_torch = sum(e.model_output.last_hidden_state.nbytes for e in entries if by_token)
        del entries
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        cache.clear()
        gc.collect()
        held = before - tracemalloc.get_traced_memory()[0] + of_torch
    finally:
        tracemalloc.stop()
    assert counted == pytest.approx(held, rel=0.25)


def test_an_entry_holds_its_own_document_alone(make_bert, make_examples):
    nlp, examples = initialized(make_bert, make_examples)
    train(nlp, examples, Adam(0.01), steps=1)
    for vectors in shim(nlp).cache._outputs.values():
        assert vectors.base is None
        assert vectors.shape == (3, 64)


def test_single_tokens_of_known_documents_are_read_anew(make_bert, make_examples, count_encoded):
    nlp, examples = initialized(make_bert, make_examples)
    model = nlp.get_pipe("transformer").model
    docs = [eg.predicted for eg in examples] + [nlp.make_doc("")]
    model.begin_update(docs[:4])
    data = model.begin_update(docs)[0].doc_data
    assert all(isinstance(own, PooledData) for own in data[:-1])
    assert sum(count_encoded) == 12
    whole = model.predict(docs).doc_data
    for own, other in zip(data[:-1], whole, strict=False):
        hidden = own.model_output.last_hidden_state
        np.testing.assert_allclose(hidden, other.model_output.last_hidden_state, atol=1e-5)
        assert own.wordpieces.strings == other.wordpieces.strings
    # Once for all of the batch, beside those that it is compared with.
    assert sum(count_encoded) == 12 + 12 + 12
    assert not data[-1].model_output


class OnDevice(np.ndarray):
    """Stands in for an array in a GPU's memory."""


@pytest.mark.parametrize("by_token", [False, True])
def test_entries_are_in_host_memory_and_outputs_where_the_transformer_is(
    make_bert, make_examples, monkeypatch, by_token
):
    nlp, examples = initialized(make_bert, make_examples)
    model = nlp.get_pipe("transformer").model
    shim(nlp).cache.clear()
    shim(nlp).is_read_by_token = by_token
    to_device, to_host = lambda a: np.asarray(a).view(OnDevice), lambda a: a.view(np.ndarray)
    monkeypatch.setattr(outputs, "torch2xp", lambda tensor: to_device(tensor.numpy()))
    monkeypatch.setattr(encoding_cache, "to_numpy", to_host)
    monkeypatch.setattr(model.ops, "asarray", to_device)
    docs = [eg.predicted for eg in examples]
    first, second = (model.begin_update(docs)[0].doc_data for _ in range(2))
    for output in shim(nlp).cache._outputs.values():
        assert isinstance(output, TransformerData) == by_token
        kept = output.model_output.last_hidden_state if by_token else output
        assert type(kept) is np.ndarray
    for one, other in zip(first, second, strict=True):
        if by_token:
            found = [data.model_output.last_hidden_state for data in (one, other)]
            assert [type(array) for array in found] == [OnDevice] * 2
        else:
            found = [data.get_vector("mean") for data in (one, other)]
        np.testing.assert_array_equal(*found)
