import numpy as np
import pytest
import spacy
from conftest import examples_from, train


@pytest.mark.parametrize("freeze", ["al", "", "ALL", "encoder"])
def test_unknown_freeze(make_bert, freeze):
    message = (
        rf"freeze is '{freeze}' in \[components.transformer.model\]. Expected one of: none, all"
    )
    with pytest.raises(ValueError, match=message):
        make_bert(freeze=freeze)


def test_missing_transformer(make_examples):
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": "./nowhere"}
    nlp.add_pipe("transformer", config={"model": model})
    with pytest.raises(ValueError, match=r"Can't load the transformer './nowhere' \(name in"):
        nlp.initialize(lambda: make_examples(nlp, 4))


def test_empty_documents_do_not_shift_the_others(make_bert, make_examples):
    """With spacy-transformers' own doc_spans, a document behind an empty one gets the vectors of
    its neighbour."""
    get_spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    nlp = make_bert(get_spans=get_spans)
    nlp.initialize(lambda: make_examples(nlp, 4))
    texts = ["", "Shelling killed ten soldiers.", "", "A calm month."]
    alone = [nlp(text).cats["severity"] for text in texts]
    together = [doc.cats["severity"] for doc in nlp.pipe(texts)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    examples = examples_from(nlp, [(text, {"severity": 1.0}) for text in texts])
    train(nlp, examples, nlp.create_optimizer(), steps=1)


def test_long_documents_are_cut_into_windows(make_bert, make_examples):
    nlp = make_bert(
        get_spans={
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 16,
            "stride": 12,
        }
    )
    nlp.initialize(lambda: make_examples(nlp, 4))
    doc = nlp("Shelling killed ten soldiers. " * 30)
    assert doc._.trf_data.model_output.last_hidden_state.shape[0] > 5
    assert np.isfinite(doc.cats["severity"])


def test_replace_listeners_is_refused(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    nlp.add_pipe(
        "tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}}
    )
    with pytest.raises(ValueError, match="would no longer know what is frozen"):
        nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
