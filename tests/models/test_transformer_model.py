import numpy as np
import pytest
import spacy
import torch
from conftest import examples_from, train
from thinc.api import ArgsKwargs


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


@pytest.mark.parametrize("dropout", [True, False])
def test_dropout_in_training(make_bert, make_examples, dropout):
    nlp = make_bert(dropout=dropout)
    nlp.initialize(lambda: make_examples(nlp, 4))
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    part = ArgsKwargs(args=(), kwargs={"input_ids": torch.arange(5, 25)[None]})
    (first,), _ = shim.begin_update_in_parts([part])
    (second,), backprop = shim.begin_update_in_parts([part])
    assert first.equal(second) != dropout
    backprop([torch.ones_like(second)])
    assert all(p.grad is not None for n, p in shim._model.named_parameters() if "layer.0" in n)
    # Scoring does without.
    assert shim.predict(part).last_hidden_state.equal(second) != dropout


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
