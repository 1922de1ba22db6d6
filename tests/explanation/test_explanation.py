import numpy as np
import pytest
import spacy
import torch
from conftest import examples_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import Span

from spacy_bertreg.explanation.gradients import END, _Path
from spacy_bertreg.explanation.passes import Pass
from spacy_bertreg.explanation.pieces import read_pieces

GRADIENTS = ["integrated_gradients", "gradient_x_input"]
TEXTS = ["Shelling killed ten people in Corvash.", "Talks went on, and calm returned.", "Calm"]
LONG = (
    " ".join(f"{word} month in Corvash, shelling {word}ed" for word in "abcdefghijklmnopqrst") * 3
)


@pytest.fixture(scope="session")
def make_explained(tiny_bert, sample):
    """A pipeline with a transformer whose head has weights that count. Made once for each set of
    arguments: tests must leave it as it is."""
    made = {}

    def make(pooling="mean", normalize=False, targets=("severity",), **config):
        key = repr((pooling, normalize, targets, config))
        if key not in made:
            spacy.util.fix_random_seed(0)
            nlp = spacy.blank("en")
            architecture = "spacy-bertreg.TransformerModel.v1"
            spans = {
                "@span_getters": "spacy-transformers.strided_spans.v1",
                "window": 24,
                "stride": 16,
            }
            transformer = {"@architectures": architecture, "name": tiny_bert, "get_spans": spans}
            transformer["precision"] = config.pop("precision", "float32")
            nlp.add_pipe("transformer", config={"model": transformer})
            listener = {"@architectures": "spacy-bertreg.TransformerListener.v1"}
            tok2vec = {**listener, "pooling": pooling, "normalize": normalize}
            nlp.add_pipe("text_regressor", config={"model": {"tok2vec": tok2vec}, **config})
            initialize(nlp, sample, targets)
            made[key] = nlp
        return made[key]

    return make


def initialize(nlp, sample, targets):
    rows = sample.head(24)
    values = [{t: (i + 1) * v + i for i, t in enumerate(targets)} for v in rows["severity"]]
    examples = examples_from(nlp, list(zip(rows["text"], values, strict=True)))
    for number, example in enumerate(examples):
        example.reference.user_data["covariates"] = {"deaths": float(number)}
    nlp.initialize(lambda: examples)
    head = nlp.get_pipe("text_regressor").model.get_ref("head")
    head.set_param("W", head.get_param("W") * 4)


def read(nlp, texts=TEXTS, deaths=30.0):
    docs = [nlp.make_doc(text) for text in texts]
    for doc in docs:
        doc.user_data["covariates"] = {"deaths": deaths}
    return list(nlp.pipe(docs))


def check_sums(nlp, docs, *, tolerance=0.01, key="text_regressor"):
    """Check that base, contributions and covariates sum to the prediction of each target."""
    component = nlp.get_pipe("text_regressor")
    expected = component.predict(docs)
    parts = component.parts()
    explained = parts.from_scaled(expected.scaled)
    for doc, values in zip(docs, explained, strict=True):
        attrs = doc.spans[key].attrs
        for place, target in enumerate(component.targets):
            added = sum(attrs["contributions"][target]) + sum(attrs["covariates"][target].values())
            total = attrs["base"][target] + added
            unit = parts.unit[place]
            assert total == pytest.approx(values[place], abs=tolerance * unit + 1e-4)
            assert total + attrs["error"][target] == pytest.approx(values[place], abs=1e-4)


@pytest.mark.parametrize("method", GRADIENTS)
@pytest.mark.parametrize(("pooling", "normalize"), [("mean", 0), ("cls", 0), ("mean", 1)])
def test_contributions_sum_to_the_prediction(make_explained, method, pooling, normalize):
    nlp = make_explained(pooling, bool(normalize))
    docs = read(nlp, [*TEXTS, "", " \n", LONG])
    nlp.get_pipe("text_regressor").explain(docs, method=method)
    check_sums(nlp, docs)
    first = docs[0].spans["text_regressor"]
    assert [span.text for span in first] == [token.text for token in docs[0]]
    assert len(set(first.attrs["contributions"]["severity"])) == len(docs[0])
    assert first[2]._.contribution == first.attrs["contributions"]["severity"][2]
    assert first[2]._.contributions == {"severity": first[2]._.contribution}
    assert len(docs[3].spans["text_regressor"]) == 0
    assert docs[3].spans["text_regressor"].attrs["base"] == docs[3].cats


def test_maximum_of_vectors_takes_more_steps(make_explained):
    nlp = make_explained("max")
    docs = read(nlp)
    nlp.get_pipe("text_regressor").explain(docs)
    check_sums(nlp, docs)
    nlp.get_pipe("text_regressor").explain(docs, max_steps=4, tolerance=1e-9)
    errors = [doc.spans["text_regressor"].attrs["error"]["severity"] for doc in docs]
    assert max(map(abs, errors)) > 0.001
    check_sums(nlp, docs, tolerance=10)


@pytest.mark.parametrize("method", [*GRADIENTS, "token_vectors", "occlusion"])
def test_several_targets_covariates_and_curves(make_explained, method):
    config = {"covariates": ["deaths", "log_length"], "transform": {"b": "log1p"}}
    nlp = make_explained(targets=("a", "b"), **config)
    docs = [*read(nlp, TEXTS), *read(nlp, TEXTS[:1], deaths=None), *read(nlp, [""])]
    nlp.get_pipe("text_regressor").explain(docs, method=method)
    check_sums(nlp, docs)
    attrs = [doc.spans["text_regressor"].attrs for doc in docs]
    assert attrs[0]["covariates"]["a"].keys() == {"deaths", "log_length"}
    # The head is linear: a covariate adds its weight times its value, by any method.
    component = nlp.get_pipe("text_regressor")
    columns = component.model.get_ref("with_covariates").predict(docs)[0, -3:]
    weights = component.model.get_ref("head").get_param("W")[:, -3:]
    added = weights * columns * np.array(component.scale.std)[:, None]
    assert attrs[0]["covariates"]["b"]["deaths"] == pytest.approx(added[1, 0], rel=1e-3)
    assert attrs[0]["covariates"]["b"]["log_length"] == pytest.approx(added[1, 1], rel=1e-3)
    assert attrs[3]["covariates"]["a"]["deaths"] != 0
    assert attrs[4]["covariates"]["a"] == {"deaths": 0.0, "log_length": 0.0}


@pytest.mark.parametrize("loss", ["gaussian", "pinball", "poisson"])
def test_losses_of_several_outputs_and_logarithms(make_explained, loss):
    config = {"loss": {"@losses": f"spacy-bertreg.{loss}.v1"}}
    if loss == "poisson":
        config["transform"] = "none"
    nlp = make_explained(**config)
    docs = read(nlp)
    for method in (*GRADIENTS, "token_vectors"):
        nlp.get_pipe("text_regressor").explain(docs, method=method)
        check_sums(nlp, docs)
    if loss == "poisson":
        attrs = docs[0].spans["text_regressor"].attrs
        total = attrs["base"]["severity"] + sum(attrs["contributions"]["severity"])
        assert np.exp(total) == pytest.approx(docs[0].cats["severity"], rel=1e-3)


@pytest.mark.parametrize(("pooling", "normalize"), [("mean", 0), ("max", 0), ("mean", 1)])
def test_token_vectors_divide_a_linear_head(make_explained, pooling, normalize):
    nlp = make_explained(pooling, bool(normalize))
    docs = read(nlp, [*TEXTS, LONG])
    component = nlp.get_pipe("text_regressor")
    component.explain(docs, method="token_vectors")
    check_sums(nlp, docs, tolerance=1e-5)
    # What is left is the intercept alone, for each text.
    bias = float(component.model.get_ref("head").get_param("b")[0])
    for doc in docs:
        base = doc.spans["text_regressor"].attrs["base"]["severity"]
        assert base == pytest.approx(
            bias * component.scale.std[0] + component.scale.mean[0], abs=1e-4
        )


def test_gradient_is_the_derivative(make_explained):
    """Moving one word a little towards the mask changes the prediction as the gradient says."""
    nlp = make_explained()
    component = nlp.get_pipe("text_regressor")
    doc = read(nlp, TEXTS[:1])[0]
    component.explain([doc], method="gradient_x_input")
    words = nlp.get_pipe("transformer").model.transformer.get_input_embeddings()
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    place, step = tokenizer(doc.text)["input_ids"].index(tokenizer.vocab["in"]), 1e-2

    def move(module, args, output):
        mask = module.weight[tokenizer.mask_token_id]
        moved = output.clone()
        moved[:, place] = output[:, place] + step * (output[:, place] - mask)
        return moved

    before = component.predict([doc]).values[0, 0]
    hook = words.register_forward_hook(move)
    after = nlp(doc.text).cats["severity"]
    hook.remove()
    contribution = next(s for s in doc.spans["text_regressor"] if s.text == "in")._.contribution
    assert (after - before) / step == pytest.approx(contribution, rel=0.05)


def test_long_documents_are_read_in_parts(make_explained, monkeypatch):
    nlp = make_explained()
    docs = read(nlp, [LONG, *TEXTS])
    component = nlp.get_pipe("text_regressor")
    kept = {}
    for limit in (100_000, 48):
        monkeypatch.setattr("spacy_bertreg.explanation.passes.PIECES_AT_ONCE", {"cpu": limit})
        component.explain(docs)
        groups = [doc.spans["text_regressor"] for doc in docs]
        kept[limit] = [value for g in groups for value in g.attrs["contributions"]["severity"]]
    pieces = read_pieces(nlp.get_pipe("transformer").model, docs[:1])[0]
    assert pieces.n_pieces > 48
    assert len(pieces.windows) > 5
    np.testing.assert_allclose(kept[48], kept[100_000], atol=1e-5)


def test_nothing_is_left_behind(make_explained):
    nlp = make_explained(precision="bfloat16", pooling="mean")
    transformer, component = nlp.get_pipe("transformer").model, nlp.get_pipe("text_regressor")
    docs = read(nlp)
    words = transformer.transformer.get_input_embeddings()
    shim = transformer.layers[0].shims[0]

    def state():
        flags = [p.requires_grad for p in transformer.transformer.parameters()]
        grads = [p.grad is None for p in transformer.transformer.parameters()]
        thinc = [node.has_grad(n) for node in component.model.walk() for n in node.grad_names]
        hooks = len(words._forward_hooks)
        settings = shim.is_read_by_token, shim.precision, transformer.transformer.training
        return flags, grads, thinc, hooks, settings

    before, predictions, bytes_before = state(), component.predict(docs), component.model.to_bytes()
    for method in (*GRADIENTS, "token_vectors", "occlusion"):
        component.explain(docs, method=method)
        # In float32, whatever the pipeline's precision.
        check_sums(nlp, read(nlp)[:0])
        assert state() == before
    with torch.no_grad():
        component.explain(docs)

    def fail(*args):
        raise RuntimeError("halfway")

    hook = transformer.transformer.encoder.register_forward_pre_hook(fail)
    for method in (*GRADIENTS, "occlusion"):
        with pytest.raises(RuntimeError, match="halfway"):
            component.explain(docs, method=method)
    hook.remove()
    assert state() == before
    assert (component.predict(docs).values == predictions.values).all()
    assert component.model.to_bytes() == bytes_before
    assert all("text_regressor" not in doc.spans for doc in read(nlp))


def test_bfloat16_is_explained_in_float32(make_explained):
    texts = [*TEXTS, LONG]
    found = []
    for precision in ("float32", "bfloat16"):
        nlp = make_explained(precision=precision)
        docs = read(nlp, texts)
        component = nlp.get_pipe("text_regressor")
        for method in (*GRADIENTS, "token_vectors"):
            found.append([e.contributions for e in component.explain(docs, method=method)])
        found.append([e.base for e in component.explain(docs[:2], method="occlusion")])
    for exact, other in zip(found[:4], found[4:], strict=True):
        for one, two in zip(exact, other, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-6)


@settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.text(max_size=40), st.sampled_from([*GRADIENTS, "token_vectors"]))
def test_any_text(make_explained, text, method):
    nlp = make_explained()
    doc = read(nlp, [text])[0]
    nlp.get_pipe("text_regressor").explain([doc], method=method)
    check_sums(nlp, [doc])


def test_occlusion_is_the_change_of_the_prediction(make_explained):
    nlp = make_explained()
    doc = read(nlp, ["Shelling went on. Calm returned! "])[0]
    component = nlp.get_pipe("text_regressor")
    component.explain([doc], method="occlusion")
    without = nlp("Shelling on. Calm returned! ").cats["severity"]
    span = doc.spans["text_regressor"][1]
    assert span.text == "went"
    assert span._.contribution == pytest.approx(doc.cats["severity"] - without, abs=1e-5)
    check_sums(nlp, [doc])
    component.explain([doc], method="occlusion", unit="sentence", spans_key="sentences")
    assert [s.text for s in doc.spans["sentences"]] == ["Shelling went on.", "Calm returned!"]
    assert not doc.has_annotation("SENT_START")
    without = nlp("Calm returned! ").cats["severity"]
    contribution = doc.spans["sentences"][0]._.contribution
    assert contribution == pytest.approx(doc.cats["severity"] - without, abs=1e-5)
    check_sums(nlp, [doc], key="sentences")


def test_without_a_transformer(nlp):
    component = nlp.get_pipe("text_regressor")
    docs = read(nlp, [*TEXTS, ""])
    component.explain(docs)
    assert docs[0].spans["text_regressor"].attrs["method"] == "token_vectors"
    check_sums(nlp, docs, tolerance=1e-5)
    component.explain(docs, method="occlusion")
    check_sums(nlp, docs, tolerance=1e-5)
    with pytest.raises(ValueError, match="does not listen to a spacy-bertreg.TransformerModel"):
        component.explain(docs, method="integrated_gradients")


def test_two_regressors_share_a_transformer(tiny_bert, sample):
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
    nlp.add_pipe("transformer", config={"model": {**model, "freeze": "all"}})
    for name in ("one", "two"):
        nlp.add_pipe("text_regressor", name=name, config={"output_key": "{name}:{target}"})
    rows = sample.head(16)
    values = [{"severity": value} for value in rows["severity"]]
    examples = examples_from(nlp, list(zip(rows["text"], values, strict=True)))
    nlp.get_pipe("two").cfg["transform"] = "asinh"
    nlp.initialize(lambda: examples)
    doc = nlp(TEXTS[0])
    one, two = nlp.get_pipe("one"), nlp.get_pipe("two")
    one.explain([doc])
    two.explain([doc])
    first, second = (doc.spans[name][0]._.contribution for name in ("one", "two"))
    assert first != second
    with pytest.raises(ValueError, match=r"Another component writes to doc.spans\['one'\]"):
        two.explain([doc], spans_key="one")
    assert doc.spans["one"][0]._.contribution == first


def test_a_dictionary_keeps_its_spans(make_explained, sample):
    nlp = make_explained()
    dictionary = nlp.add_pipe("dictionary_regressor", config={"output_key": "d:{target}"})
    try:
        component = nlp.get_pipe("text_regressor")
        doc = nlp.make_doc(TEXTS[0])
        with pytest.raises(ValueError, match="'dictionary_regressor' writes to doc.spans"):
            component.explain([doc], spans_key=dictionary.spans_key)
        doc.spans["mine"] = [Span(doc, 0, 1)]
        with pytest.raises(ValueError, match=r"Another component writes to doc.spans\['mine'\]"):
            component.explain([doc], spans_key="mine")
    finally:
        nlp.remove_pipe("dictionary_regressor")


def test_wrong_arguments(make_explained, make_bert):
    component = make_explained("cls").get_pipe("text_regressor")
    docs = read(make_explained("cls"))
    for settings_, message in (
        ({"method": "x"}, "method is 'x'. Expected one of 'integrated_gradients'"),
        ({"method": "gradient_x_input", "steps": 3}, "has no setting 'steps'. It has: none"),
        ({"steps": 3}, "no setting 'steps'. It has: tolerance, max_steps"),
        ({"max_steps": 3}, "max_steps is 3. Expected 4 or more"),
        ({"tolerance": 0.0}, "tolerance is 0.0. Expected more than 0"),
        ({"method": "occlusion", "unit": "page"}, "unit is 'page'. Expected 'word' or 'sentence'"),
        ({"method": "token_vectors"}, "pooling = 'cls'"),
    ):
        with pytest.raises(ValueError, match=message):
            component.explain(docs, **settings_)
    with pytest.raises(ValueError, match="has not learned anything yet"):
        make_bert().get_pipe("text_regressor").explain([])


def test_steps_go_where_the_path_bends():
    """A prediction that rises by 1 within a tenth of the path."""
    rise = {node: (node / END - 0.2) * 10 for node in range(0, END + 1, END // 256)}
    path, new = _Path({}), _Path.start()
    while new:
        for node in new:
            value = np.clip([rise[node]], 0, 1)
            slope = np.array([[10.0 if 0 < rise[node] < 1 else 0.0]], dtype="f")
            path.passes[node] = Pass(value, slope, np.zeros((0, 1)))
        new = path.refine(np.array([0.02]), 64)
    nodes = np.array(sorted(path.passes)) / END
    assert len(nodes) < 25
    assert ((nodes > 0.15) & (nodes < 0.35)).sum() > len(nodes) / 2
    areas = [path.passes[int(node * END)].tokens[0, 0] for node in nodes]
    assert np.trapezoid(areas, nodes) == pytest.approx(1, abs=0.02)
