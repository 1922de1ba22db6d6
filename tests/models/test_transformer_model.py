import numpy as np
import pytest
import spacy
import torch
from conftest import examples_from, train
from thinc.api import Adam


def encoder(nlp) -> torch.nn.Module:
    return nlp.get_pipe("transformer").model.transformer


def weights(nlp) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in encoder(nlp).state_dict().items()}


def changed(before: dict[str, torch.Tensor], nlp) -> set[str]:
    return {name for name, tensor in weights(nlp).items() if not torch.equal(tensor, before[name])}


def hard_optimizer() -> Adam:
    return Adam(0.01, L2=0.1, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)


def test_nothing_frozen_changes_the_encoder(make_bert, make_examples):
    nlp = make_bert(freeze="none")
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    train(nlp, examples, hard_optimizer(), steps=3)
    # The pooler is the one part that mean pooling does not use.
    learned = {name for name in before if not name.startswith("pooler")}
    assert changed(before, nlp) == learned


def test_all_frozen_leaves_the_encoder_exactly_as_it_was(make_bert, make_examples, tmp_path):
    nlp = make_bert(freeze="all")
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    head = nlp.get_pipe("text_regressor").model.get_ref("head")
    head_before = head.get_param("W").copy()
    optimizer = hard_optimizer()
    train(nlp, examples, optimizer, steps=3)
    assert not changed(before, nlp)
    assert (head.get_param("W") != head_before).any()
    transformer_id = nlp.get_pipe("transformer").model.layers[0].shims[0].id
    assert transformer_id not in {key[0] for key in optimizer.averages}

    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert not changed(before, loaded)
    train(loaded, make_examples(loaded, 8), hard_optimizer(), steps=3)
    assert not changed(before, loaded)


@pytest.mark.parametrize(("freeze", "n_different"), [("all", 1), ("none", 2)])
def test_a_frozen_encoder_runs_without_dropout(make_bert, make_examples, freeze, n_different):
    nlp = make_bert(freeze=freeze)
    nlp.initialize(lambda: make_examples(nlp, 4))
    model = nlp.get_pipe("transformer").model
    docs = [nlp.make_doc("Shelling killed ten soldiers.")]
    runs = [model.begin_update(docs)[0].model_output.last_hidden_state for _ in range(2)]
    assert len({run.detach().numpy().tobytes() for run in runs}) == n_different


def test_frozen_parameters_are_marked_also_after_loading(make_bert, make_examples, tmp_path):
    nlp = make_bert(freeze="all")
    nlp.initialize(lambda: make_examples(nlp, 4))
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        assert not any(p.requires_grad for p in encoder(pipeline).parameters())


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
