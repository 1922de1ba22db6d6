"""Any text, in any language: finite predictions, alone and in batches."""

import math

import numpy as np
import pytest
import spacy
from conftest import examples_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# spaCy itself refuses lone surrogates, which no UTF-8 file can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
ODD = [
    "",
    " \n\t ",
    "\x00",
    "a\x00b",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "e" + "\u0301" * 50,
    "\u202eright to left\u202c",
    "\ufeffBOM",
    "ꙮ𓂀𝔘",
    "نص عربي قصير",
    "这是一个句子。",
    "यह एक वाक्य है।",
    "x" * 100_000,
    "。" * 2000,
    " ".join("word" for _ in range(3000)),
]
LANGUAGES = ["en", "de", "ar", "zh", "hi", "xx"]


def rows():
    words = ["good", "bad", "killed", "peace", "好", "坏", "अच्छा", "بد"]
    return [(f"{w} {v}", {"y": float(i)}) for i, w in enumerate(words) for v in words]


@pytest.fixture(scope="module")
def make_pipeline(request, tiny_bert):
    def make(kind: str, lang: str = "en"):
        nlp = spacy.blank(lang)
        if kind == "dictionary":
            component = nlp.add_pipe("dictionary_regressor", config={"covariates": ["log_length"]})
            component.initialize(lambda: examples_from(nlp, rows()), learn="elastic_net", nlp=nlp)
            return nlp
        if kind == "bert":
            model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
            nlp.add_pipe("transformer", config={"model": model})
            tok2vec = {"@architectures": "spacy-bertreg.TransformerListener.v1"}
        else:
            tok2vec = {
                "@architectures": "spacy.HashEmbedCNN.v2",
                "pretrained_vectors": None,
                "width": 16,
                "depth": 1,
                "embed_size": 100,
                "window_size": 1,
                "maxout_pieces": 2,
                "subword_features": True,
            }
            tok2vec = {"@architectures": "spacy-bertreg.Tok2VecPooling.v1", "tok2vec": tok2vec}
        nlp.add_pipe(
            "text_regressor", config={"model": {"tok2vec": tok2vec}, "covariates": ["log_length"]}
        )
        nlp.initialize(lambda: examples_from(nlp, rows()))
        return nlp

    return make


def scores(docs):
    return np.array([doc.cats["y"] for doc in docs])


@pytest.fixture(scope="module", params=["dictionary", "tok2vec", "bert"])
def pipeline(request, make_pipeline):
    return make_pipeline(request.param)


@given(st.lists(TEXTS, min_size=1, max_size=5))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_strings(pipeline, texts):
    together = scores(pipeline.pipe(texts))
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, scores(map(pipeline, texts)), atol=1e-4)


@pytest.mark.filterwarnings("ignore:The transformer reads")
def test_odd_strings(pipeline):
    together = scores(pipeline.pipe(ODD))
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, scores(map(pipeline, ODD)), atol=1e-4)


@pytest.mark.parametrize("kind", ["dictionary", "tok2vec", "bert"])
@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_languages(make_pipeline, kind, lang):
    nlp = make_pipeline(kind, lang)
    texts = ODD[:12]
    together = scores(nlp.pipe(texts))
    assert np.isfinite(together).all()
    np.testing.assert_allclose(together, scores(map(nlp, texts)), atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The transformer reads")
def test_a_token_of_a_megabyte(pipeline):
    pipeline.max_length = 2_000_000
    assert math.isfinite(pipeline("x" * 1_000_000).cats["y"])


def test_a_lone_surrogate_is_refused_by_spacy_itself(pipeline):
    with pytest.raises(UnicodeEncodeError):
        spacy.blank("en")("\ud800")
    with pytest.raises(UnicodeEncodeError):
        pipeline("\ud800")


@pytest.mark.filterwarnings("ignore:The transformer reads")
def test_text_without_a_known_word_piece(make_pipeline):
    nlp = make_pipeline("bert")
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    text = "ꙮꙮ 𓂀𓂀"
    assert set(tokenizer.tokenize(text)) == {tokenizer.unk_token}
    assert math.isfinite(nlp(text).cats["y"])
