"""What `freeze` promises, on a tiny BERT of two blocks. Most of this fails on the stock stack."""

import pickle

import pytest
import spacy
import torch
from conftest import examples_from, train
from spacy.training import Example
from thinc.api import Adam

from spacy_bertreg.training.freezing import frozen_names
from spacy_bertreg.training.model_blocks import find_blocks
from spacy_bertreg.training.optimizer import AdamW_v1

FREEZE = ["none", "embeddings", 1, 2, ["*.attention.*", "embeddings.*"], "all"]
OPTIMIZERS = {
    "Adam": lambda: Adam(0.01, L2=0.1, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True),
    "AdamW": lambda: AdamW_v1(0.01, 0.01, total_steps=100, warmup_steps=0, weight_decay=0.1),
}


def encoder(nlp) -> torch.nn.Module:
    return nlp.get_pipe("transformer").model.transformer


def shim(nlp):
    return nlp.get_pipe("transformer").model.layers[0].shims[0]


def weights(nlp) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in encoder(nlp).named_parameters()}


def changed(before: dict[str, torch.Tensor], nlp) -> set[str]:
    return {name for name, tensor in weights(nlp).items() if not torch.equal(tensor, before[name])}


def expected_to_change(freeze, nlp) -> set[str]:
    # Nothing has a use for the pooler: it gets no gradient, frozen or not.
    blocks = find_blocks(encoder(nlp))
    used = {name for name in blocks if "pooler" not in name}
    return used - frozen_names(freeze, blocks)


@pytest.fixture(params=FREEZE, ids=str)
def freeze(request):
    return request.param


@pytest.fixture(params=OPTIMIZERS)
def make_optimizer(request):
    return OPTIMIZERS[request.param]


def test_exactly_what_is_not_frozen_changes(freeze, make_bert, make_examples, make_optimizer):
    nlp = make_bert(freeze=freeze)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    train(nlp, examples, make_optimizer(), steps=3)
    assert changed(before, nlp) == expected_to_change(freeze, nlp)


def test_it_survives_saving_and_training_further(freeze, make_bert, make_examples, tmp_path):
    nlp = make_bert(freeze=freeze)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    train(nlp, examples, OPTIMIZERS["Adam"](), steps=1)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    before = weights(loaded)
    assert not changed(before, nlp)
    train(loaded, make_examples(loaded, 8), OPTIMIZERS["Adam"](), steps=3)
    assert changed(before, loaded) == expected_to_change(freeze, nlp)


def test_frozen_parameters_have_no_gradient_and_no_optimizer_state(
    freeze, make_bert, make_examples
):
    nlp = make_bert(freeze=freeze)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    for name, make in OPTIMIZERS.items():
        optimizer = make()
        train(nlp, examples, optimizer, steps=2)
        learning = expected_to_change(freeze, nlp)
        if name == "Adam":
            state = {n for key, n in optimizer.mom1 if key == shim(nlp).id}
            averaged = {n for key, n in optimizer.averages if key == shim(nlp).id}
            assert averaged == learning
        else:
            torch_optimizer = optimizer._torch_optimizers.get(shim(nlp).id)
            groups = torch_optimizer.param_groups if torch_optimizer else []
            state = {n for group in groups for n in group["names"]}
        assert state == learning
    for name, parameter in encoder(nlp).named_parameters():
        assert parameter.grad is None or name in learning


@pytest.mark.parametrize(
    ("freeze", "frozen_blocks"), [("none", 0), ("embeddings", 0), (1, 1), (2, 2), ("all", 2)]
)
def test_frozen_blocks_run_without_dropout_and_others_with_it(
    make_bert, make_examples, freeze, frozen_blocks
):
    nlp = make_bert(freeze=freeze, reuse_mb=0)
    nlp.initialize(lambda: make_examples(nlp, 4))
    model = nlp.get_pipe("transformer").model
    docs = [nlp.make_doc("Shelling killed ten soldiers.")]
    found = []
    for module in (encoder(nlp).embeddings, *encoder(nlp).encoder.layer):
        module.register_forward_hook(lambda module, inputs, output: found.append(output))
    for _ in range(2):
        model.begin_update(docs)
    outputs = [output[0] if isinstance(output, tuple) else output for output in found]
    same = [torch.equal(a, b) for a, b in zip(outputs[:3], outputs[3:], strict=True)]
    n_same = 0 if freeze == "none" else frozen_blocks + 1
    assert same == [True] * n_same + [False] * (3 - n_same)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_nothing_is_computed_backwards_below_what_learns(make_bert, make_examples):
    nlp = make_bert(freeze=1)
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    layers = encoder(nlp).encoder.layer
    reached = []
    for i, layer in enumerate(layers):
        layer.register_full_backward_pre_hook(lambda *_, i=i: reached.append(i))
    train(nlp, examples, OPTIMIZERS["Adam"](), steps=1)
    assert set(reached) == {1}


def test_with_all_frozen_there_is_no_graph_at_all(make_bert, make_examples):
    nlp = make_bert(freeze="all", reuse_mb=0)
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    found = []
    top = encoder(nlp).encoder.layer[-1]
    top.register_forward_hook(lambda module, inputs, output: found.append(output[0]))
    train(nlp, examples, OPTIMIZERS["Adam"](), steps=1)
    assert len(found) > 0
    assert all(output.grad_fn is None for output in found)


def test_with_the_transformer_among_the_frozen_components(make_bert, make_examples):
    nlp = make_bert(freeze="all")
    examples = make_examples(nlp, 8)
    nlp.config["initialize"]["components"]["text_regressor"] = {"head": "random"}
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    optimizer = OPTIMIZERS["Adam"]()
    head = nlp.get_pipe("text_regressor").model.get_ref("head").get_param("W").copy()
    for _ in range(2):
        # As `spacy train` does with frozen_components and annotating_components.
        nlp.update(examples, sgd=False, exclude=["transformer"], annotates=["transformer"])
        nlp.get_pipe("text_regressor").finish_update(optimizer)
    assert not changed(before, nlp)
    assert (nlp.get_pipe("text_regressor").model.get_ref("head").get_param("W") != head).any()


@pytest.mark.parametrize(("freeze", "reuse_mb"), [(1, 100), ("all", 100), ("all", 0)])
def test_with_the_transformer_shared_by_a_tagger(make_bert, freeze, reuse_mb):
    nlp = make_bert(freeze=freeze, reuse_mb=reuse_mb)
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    nlp.add_pipe("tagger", config={"model": tagger})
    annotations = {"words": ["A", "text"], "tags": ["D", "N"], "cats": {"y": 1.0}}
    examples = [Example.from_dict(nlp.make_doc("A text"), annotations)]
    examples += examples_from(nlp, [("", {"y": 0.0}), ("Another longer text", {"y": 2.0})])
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    tagger_before = nlp.get_pipe("tagger").model.to_bytes()
    train(nlp, examples, OPTIMIZERS["Adam"](), steps=3)
    assert changed(before, nlp) == expected_to_change(freeze, nlp)
    assert nlp.get_pipe("tagger").model.to_bytes() != tagger_before


def test_with_select_pipes(make_bert, make_examples):
    nlp = make_bert(freeze=1)
    nlp.add_pipe("sentencizer", first=True)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    before = weights(nlp)
    with nlp.select_pipes(enable=["transformer", "text_regressor"]):
        train(nlp, examples, OPTIMIZERS["Adam"](), steps=2)
    assert changed(before, nlp) == expected_to_change(1, nlp)


def test_copies_for_other_processes_stay_frozen(make_bert, make_examples):
    nlp = make_bert(freeze=1)
    nlp.initialize(lambda: make_examples(nlp, 4))
    copy = pickle.loads(pickle.dumps(nlp.get_pipe("transformer").model))  # noqa: S301
    flags = {n: p.requires_grad for n, p in copy.transformer.named_parameters()}
    assert flags == {n: p.requires_grad for n, p in encoder(nlp).named_parameters()}
