"""What holds for a pipeline that is trained further, streamed, moved or shared."""

import copy
import pickle

import numpy as np
import pytest
import spacy
import torch
from conftest import examples_from, train
from spacy.tokens import DocBin

from spacy_bertreg.comparison.calibrate import calibrate
from spacy_bertreg.targets.intervals import Calibration
from spacy_bertreg.training.freeze_report import freeze_report

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
ADAMW = {
    "@optimizers": "spacy-bertreg.AdamW.v1",
    "total_steps": "${training.max_steps}",
    "warmup_steps": 0,
    "encoder_rate": 0.01,
    "head_rate": 0.01,
}


def trained(nlp, examples, steps=2):
    nlp.config["training"]["optimizer"] = dict(ADAMW)
    train(nlp, examples, nlp.initialize(lambda: examples), steps)
    return nlp


@pytest.fixture
def loaded(make_bert, make_examples, tmp_path):
    """A frozen one from disk, with the calibration of its first training."""
    nlp = make_bert(freeze="all")
    trained(nlp, make_examples(nlp, 8))
    nlp.get_pipe("text_regressor").calibration = Calibration("plain", 0.9, (1.0,), (20,))
    nlp.to_disk(tmp_path / "first")
    model = {"components.transformer.model.freeze": "none"}
    return spacy.load(tmp_path / "first", config=model)


def test_resume_training(loaded, make_examples):
    examples = make_examples(loaded, 8)
    optimizer = loaded.resume_training()
    before = loaded("Shelling killed ten.").cats["severity"]
    train(loaded, examples, optimizer, steps=2)
    assert loaded("Shelling killed ten.").cats["severity"] != before


def test_initialize_and_create_optimizer_by_hand(loaded, make_examples):
    assert loaded.create_optimizer().learn_rate == pytest.approx(0.01)
    examples = make_examples(loaded, 8)
    assert loaded.initialize(lambda: examples).learn_rate == pytest.approx(0.01)


def test_a_setting_alone_changes_nothing_in_the_report(loaded, tmp_path):
    loaded.to_disk(tmp_path / "second")
    report = freeze_report(tmp_path / "second")
    assert report.freeze == ["all"]
    assert report.is_trained
    assert report.blocks["trainable"].sum() == 65


def test_further_training_is_in_the_report(loaded, make_examples, tmp_path):
    seconds = loaded.get_pipe("text_regressor").record.seconds
    assert seconds > 0
    train(loaded, make_examples(loaded, 8), loaded.resume_training(), steps=1)
    loaded.to_disk(tmp_path / "second")
    again = spacy.load(tmp_path / "second")
    report = freeze_report(tmp_path / "second")
    assert report.freeze == ["all", "none"]
    assert "freeze = 'all', then 'none': " in report.summary()
    parameters = report.blocks.set_index("block")
    assert (parameters["share"].drop("not used") == 1).all()
    assert parameters.loc["not used", "trainable"] == 0
    assert again.meta["freeze_report"] == report.to_dict()
    assert again.get_pipe("text_regressor").record.seconds > seconds
    assert "training_seconds" in again.meta
    assert again.get_pipe("text_regressor").calibration is None


def test_calibration_refuses_the_texts_of_a_further_training(loaded, make_examples, tmp_path):
    new = make_examples(loaded, 40)[8:]
    bin_ = DocBin(docs=[example.reference for example in new])
    bin_.to_disk(tmp_path / "new.spacy")
    loaded.to_disk(tmp_path / "before")
    calibrate(tmp_path / "before", tmp_path / "new.spacy", level=0.5)
    with pytest.warns(UserWarning, match=r"scale of its targets .* from 8 texts"):
        train(loaded, new, loaded.resume_training(), steps=1)
    loaded.to_disk(tmp_path / "after")
    with pytest.raises(ValueError, match="32 of the 32 documents .* was trained on"):
        calibrate(tmp_path / "after", tmp_path / "new.spacy", level=0.5)


def test_a_stream_is_noticed(make_tok2vec, make_examples):
    nlp = make_tok2vec()
    examples = make_examples(nlp, 40)
    # As `spacy train` does with max_epochs = -1.
    optimizer = nlp.initialize(lambda: examples[:10])
    train(nlp, examples[:20], optimizer, steps=1)
    with pytest.warns(UserWarning, match=r"from 10 texts, and has now been trained on 30 others"):
        train(nlp, examples, optimizer, steps=2)
    component = nlp.get_pipe("text_regressor")
    assert component.was_trained_on([example.reference for example in examples]).all()
    assert not component.was_trained_on([nlp.make_doc("another text")]).any()


def test_marks_can_be_left_out(make_tok2vec, make_examples, tmp_path):
    nlp = make_tok2vec()
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    component = nlp.get_pipe("text_regressor")
    assert component.record.has_all_hashes
    component.forget_training_texts()
    nlp.to_disk(tmp_path)
    component = spacy.load(tmp_path).get_pipe("text_regressor")
    assert not component.was_trained_on([example.reference for example in examples]).any()
    assert not component.record.has_all_hashes


def test_frozen_components_are_in_the_report(make_bert, make_examples, tmp_path):
    nlp = make_bert()
    nlp.config["training"]["frozen_components"] = ["transformer"]
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    report = nlp.meta["freeze_report"]
    assert report["trainable"] == 65
    assert report["frozen_components"] == ["transformer"]
    assert report["freeze"] == "none"
    nlp.to_disk(tmp_path)
    assert "frozen_components: transformer" in freeze_report(tmp_path).summary()


def test_globs_for_all_that_is_used_are_a_frozen_model(make_bert, make_examples):
    nlp = make_bert(freeze=["embeddings.*", "encoder.*"])
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("transformer").model.layers[0].shims[0].is_frozen
    assert nlp.meta["freeze_report"]["trainable"] == 65


def test_initializing_again_keeps_what_is_kept(make_bert, make_examples):
    nlp = make_bert()
    examples = make_examples(nlp, 8)
    trained(nlp, examples)
    nlp.initialize(lambda: examples)
    # The head is new; spacy-transformers leaves a transformer's weights as they are.
    assert not nlp.get_pipe("text_regressor").is_trained
    assert nlp.get_pipe("transformer").model.layers[0].shims[0].trained


def test_what_a_checkpoint_lacks_is_not_called_changed(
    make_bert, make_examples, tiny_bert, tmp_path
):
    from transformers import AutoModel, AutoTokenizer

    # A language model's weights have no pooler.
    AutoModel.from_pretrained(tiny_bert, add_pooling_layer=False).save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "base")
    nlp = make_bert(freeze="all", name=str(tmp_path / "base"))
    trained(nlp, make_examples(nlp, 8))
    nlp.to_disk(tmp_path / "model")
    report = freeze_report(tmp_path / "model", verify=True)
    assert report.not_in_base == ["pooler.dense.weight", "pooler.dense.bias"]
    assert not report.changes["changed"].any()
    assert not report.changes["tensor"].str.startswith("pooler").any()


def test_components_can_be_copied(make_tok2vec, make_examples):
    nlp = make_tok2vec()
    nlp.initialize(lambda: make_examples(nlp, 8))
    component = nlp.get_pipe("text_regressor")
    for other in (copy.deepcopy(component), pickle.loads(pickle.dumps(component))):  # noqa: S301
        assert other.pipeline() is None
        assert other.peers() == [other]


def test_outputs_lost_when_saved_are_an_error(make_bert, make_examples):
    nlp = make_bert()
    trained(nlp, make_examples(nlp, 8))
    doc = nlp("Shelling killed ten soldiers.")
    (restored,) = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    with pytest.raises(ValueError, match="output for the text 'Shelling .* was lost when"):
        nlp.get_pipe("text_regressor")(restored)
    del restored.user_data[("._.", "trf_data", None, None)]
    with pytest.raises(ValueError, match="none ran before it"):
        nlp.get_pipe("text_regressor")(restored)


def test_a_text_classifier_beside_it(make_tok2vec):
    nlp = make_tok2vec()
    nlp.add_pipe("textcat")
    rows = [("a good film", "praise", 5.0), ("a bad film", "blame", 1.0)] * 4
    cats = [{"praise": float(k == "praise"), "blame": float(k == "blame")} for _, k, _ in rows]
    examples = examples_from(nlp, [(t, c) for (t, _, _), c in zip(rows, cats, strict=True)])
    for example, (_, _, stars) in zip(examples, rows, strict=True):
        example.reference.user_data["targets"] = {"stars": stars}
    optimizer = nlp.initialize(lambda: examples)
    train(nlp, examples, optimizer, steps=40)
    doc = nlp("a good film")
    assert set(doc.cats) == {"praise", "blame", "stars"}
    assert doc.cats["stars"] == pytest.approx(5, abs=1)
    scores = nlp.evaluate(examples)
    assert scores["reg_per_target"]["stars"]["n"] == 8
    assert scores["cats_score"] == 1


def test_targets_that_are_no_dict(make_tok2vec):
    nlp = make_tok2vec()
    examples = examples_from(nlp, [("a film", {})])
    examples[0].reference.user_data["targets"] = 3.0
    with pytest.raises(ValueError, match=r"user_data\['targets'\] is 3.0 for the text 'a film'"):
        nlp.initialize(lambda: examples)


def test_a_part_of_a_batch_counts_as_in_the_whole(make_bert, make_examples, monkeypatch):
    from spacy_bertreg.training.optimizer import EncoderOptimizer

    found = {}

    def step_encoder(self, key, parameters, *rest):
        found[n_parts, "encoder"] = parameters["encoder.layer.1.output.dense.weight"].grad.clone()

    def step_head(self, key, weights, gradient, **kwargs):
        found[n_parts, key[1]] = torch.from_numpy(gradient.copy())
        return weights, gradient

    monkeypatch.setattr(EncoderOptimizer, "step_encoder", step_encoder)
    monkeypatch.setattr(EncoderOptimizer, "__call__", step_head)
    for n_parts in (1, 4):
        nlp = make_bert(transformer_config=NO_DROPOUT)
        nlp.config["training"]["optimizer"] = dict(ADAMW)
        examples = make_examples(nlp, 8)
        optimizer = nlp.initialize(lambda examples=examples: examples)
        weights = np.linspace(-1, 1, 64, dtype="f")[None] ** 3
        nlp.get_pipe("text_regressor").model.get_ref("head").set_param("W", weights)
        for start in range(0, 8, 8 // n_parts):
            nlp.update(examples[start : start + 8 // n_parts], sgd=False, drop=0.0)
        for _, component in nlp.pipeline:
            component.finish_update(optimizer)
    for name in ("encoder", "W", "b"):
        whole, parts = found[1, name], found[4, name]
        assert whole.abs().max() > 0
        assert (parts - whole).abs().max() < 1e-4 * whole.abs().max()


class FakeScaler:
    """As thinc's, which takes a GPU."""

    factor = 1024.0
    found_inf = False

    def scale(self, tensors, inplace=False):
        return [tensor * self.factor for tensor in tensors]

    def unscale(self, tensors):
        for tensor in tensors:
            tensor.div_(self.factor)
        return False

    def update(self):
        pass


def test_scaled_gradients_of_all_parts_count(make_bert, make_examples):
    found = {}
    for scaled in (False, True):
        nlp = make_bert(transformer_config=NO_DROPOUT)
        examples = make_examples(nlp, 8)
        spacy.util.fix_random_seed(0)
        trained(nlp, examples, steps=0)
        shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
        if scaled:
            shim._grad_scaler = FakeScaler()
        spacy.util.fix_random_seed(0)
        for part in (examples[:4], examples[4:]):
            nlp.update(part, sgd=False, drop=0.0)
        shim._word_gradient.clear = lambda model: None
        optimizer = nlp.create_optimizer()
        nlp.get_pipe("transformer").finish_update(optimizer)
        parameters = dict(shim._model.named_parameters())
        found[scaled] = parameters["encoder.layer.0.output.dense.weight"].grad.clone()
    assert found[False].abs().max() > 0
    assert (found[True] - found[False]).abs().max() < 1e-4 * found[False].abs().max()


def test_a_value_outside_the_bounds_does_not_end_the_evaluation(make_tok2vec, make_examples):
    nlp = make_tok2vec(transform="logit", bounds=[0.0, 10.0])
    examples = make_examples(nlp, 16)
    for example in examples:
        example.reference.cats["severity"] += 0.5
    train(nlp, examples, nlp.initialize(lambda: examples), steps=1)
    examples[3].reference.cats["severity"] = 12.0
    scores = nlp.evaluate(examples)["reg_per_target"]["severity"]
    assert scores["n"] == 16
    assert scores["transformed"]["n"] == 15
    assert scores["transformed"]["r2"] is not None
