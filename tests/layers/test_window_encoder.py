"""Long documents: windows, what they count, and how much memory they take."""

import warnings

import numpy as np
import pytest
import torch
from long_document import measure_apart
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans

# Of one word piece each in the tiny BERT, as the fixture checks.
WORDS = ["the", "market", "killed", "people", "border", "three", "town", "near"]


def text_of(n_words: int) -> str:
    rng = np.random.default_rng(n_words)
    return " ".join(map(str, rng.choice(WORDS, size=n_words)))


@pytest.fixture
def initialized(make_bert, make_examples):
    def make(**options):
        nlp = make_bert(**options)
        examples = make_examples(nlp, 4)
        nlp.initialize(lambda: examples)
        tokenize = transformer(nlp).tokenizer.tokenize
        assert all(len(tokenize(word)) == 1 for word in WORDS)
        return nlp

    return make


def transformer(nlp):
    return nlp.get_pipe("transformer").model


def without_context(nlp):
    """Leaves of each block's output its input: a vector depends on its word piece alone."""
    hf_model = transformer(nlp).transformer
    with torch.no_grad():
        hf_model.embeddings.position_embeddings.weight.zero_()
        for layer in hf_model.encoder.layer:
            for part in (layer.attention.output, layer.output):
                part.dense.weight.zero_()
                part.dense.bias.zero_()


def vector(nlp, text, window=None, stride=None):
    """The document's vector, as the head gets it."""
    model = transformer(nlp)
    if window is not None:
        spans = get_strided_spans if stride else get_doc_spans
        getter = (lambda docs: spans(docs, window, stride)) if stride else spans
        model.attrs["get_spans"] = getter
    doc = nlp.make_doc(text)
    doc._.trf_data = model.predict([doc]).doc_data[0]
    return nlp.get_pipe("text_regressor").model.get_ref("document_vectors").predict([doc])[0]


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize(("window", "stride"), [(16, 16), (16, 12), (30, 7), (128, 96), (10, 1)])
def test_without_context_windows_make_no_difference(initialized, pooling, window, stride):
    nlp = initialized(pooling=pooling)
    without_context(nlp)
    whole = vector(nlp, text_of(60), window=100, stride=100)
    np.testing.assert_allclose(vector(nlp, text_of(60), window, stride), whole, atol=1e-5)
    # And it does depend on the text.
    assert np.abs(vector(nlp, "the town", window, stride) - whole).max() > 1e-3


def test_long_short_and_empty_documents_together(initialized):
    nlp = initialized()
    texts = [text_of(500), "", "short", text_of(400), " "]
    together = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    alone = [nlp(text).cats["severity"] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_last_word_of_a_long_document_counts(initialized):
    nlp = initialized()
    text = text_of(1000)
    assert nlp(f"{text} peace").cats != nlp(f"{text} siege").cats


def test_cut_windows_are_reported_once_with_counts(initialized):
    nlp = initialized()
    transformer(nlp).attrs["get_spans"] = get_doc_spans
    with pytest.warns(UserWarning, match=r"256 word pieces at once, but 1 of 2 windows .* 146 "):
        scores = [doc.cats["severity"] for doc in nlp.pipe([text_of(400), "short"])]
    assert np.isfinite(scores).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(text_of(400))


def test_windows_of_the_default_size_are_not_cut(initialized):
    nlp = initialized()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(text_of(2000))


@pytest.mark.slow
def test_a_hundred_thousand_words_take_little_more_memory_than_a_hundred(initialized, tmp_path):
    initialized().to_disk(tmp_path / "model")

    def peak(n_words):
        return measure_apart(str(tmp_path / "model"), n_words)["scored_mb"]

    assert peak(100_000) - peak(100) < 300
