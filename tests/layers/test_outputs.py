"""Outputs that are computed when something asks for them, against the stock ones."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import spacy
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy_transformers.architectures import create_TransformerModel_v3
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.span_getters import get_strided_spans

from spacy_bertreg.layers.pooled_data import PooledData
from spacy_bertreg.layers.pooling import POOLINGS
from spacy_bertreg.layers.window_encoder import (
    PIECES_AT_ONCE,
    SIZES,
    STARTING,
    Part,
    cut_into_parts,
    padded_lengths,
)

TEXTS = [
    "Three people were killed near the border town.",
    "",
    "Calm. " * 40,
    "  spaces  between\n\nlines ",
    "Ünïcödé 🙂👍🏽 naïveté ... \t --- déjà-vu!",
    "a",
    "The market was quiet, " * 90,
]


@pytest.fixture(scope="module", params=["fast", "slow"])
def pair(tiny_bert, request):
    """Two transformers with the same weights: ours, and the stock one."""
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    def windows(docs):
        return get_strided_spans(docs, 32, 20)

    settings = {"use_fast": request.param == "fast"}
    ours = TransformerModel_v1(tiny_bert, get_spans=windows, tokenizer_config=settings)
    ours.initialize()
    assert ours.tokenizer.is_fast == settings["use_fast"]
    stock = create_TransformerModel_v3(tiny_bert, windows, settings, {}, False, {})
    stock.initialize()
    return ours, stock


def compare(ours, stock, texts):
    nlp = spacy.blank("en")
    docs = [nlp(text) for text in texts]
    mine, theirs = ours.predict(docs).doc_data, stock.predict(docs).doc_data
    for own, other in zip(mine, theirs, strict=True):
        if "last_hidden_state" not in other.model_output:
            assert "last_hidden_state" not in own.model_output
            continue
        # The stock outputs are padded to the length of other documents' windows.
        n_windows, n_padded, _ = other.model_output.last_hidden_state.shape
        hidden = own.model_output.last_hidden_state
        n_pieces = hidden.shape[1]
        is_piece = other.wordpieces.attention_mask.astype(bool)
        assert is_piece.sum(axis=1).max() == n_pieces
        places = np.asarray(other.align.dataXd).reshape(-1)
        places = places // n_padded * n_pieces + places % n_padded
        np.testing.assert_array_equal(own.align.lengths, other.align.lengths)
        np.testing.assert_array_equal(np.asarray(own.align.dataXd).reshape(-1), places)
        np.testing.assert_allclose(
            hidden[is_piece[:, :n_pieces]],
            other.model_output.last_hidden_state[is_piece],
            atol=1e-5,
        )
        assert own.wordpieces.input_ids.shape == (n_windows, n_pieces)
        assert own.wordpieces.strings == [row[:n_pieces] for row in other.wordpieces.strings]


def test_outputs_and_alignment_are_the_stock_ones(pair):
    compare(*pair, TEXTS)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=4))
# A slow tokenizer drops the token in the middle.
@example(texts=["0A#\x1fAA"])
def test_alignment_is_the_stock_one_for_any_text(pair, texts):
    compare(*pair, [text.encode("utf-8", "ignore").decode() for text in texts])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooled_are_the_pooled_outputs(pair, pooling):
    from spacy_bertreg.layers.pool_wordpieces import pool_wordpieces

    ours, _ = pair
    nlp = spacy.blank("en")
    docs = [nlp(text) for text in TEXTS]
    pool = pool_wordpieces(pooling)
    pool.set_dim("nO", ours.get_dim("nO"))
    ours.layers[0].shims[0].is_read_by_token = False
    pooled = ours.predict(docs).doc_data
    assert all(isinstance(data, PooledData) for data in pooled)
    from_pooled = pool.predict(pooled)
    assert not ours.layers[0].shims[0].is_read_by_token
    whole = [TransformerData(d.wordpieces, d.model_output, d.align) for d in pooled]
    np.testing.assert_allclose(from_pooled, pool.predict(whole), atol=1e-5)
    assert not from_pooled[1].any()
    # Something has read single tokens, so the next are computed at once. Document 1 is empty.
    again = [isinstance(data, PooledData) for data in ours.predict(docs).doc_data]
    assert again == [False, True, False, False, False, False, False]
    ours.layers[0].shims[0].is_read_by_token = False


def test_documents_are_read_once_for_all_poolings_and_once_for_tokens(tiny_bert, monkeypatch):
    from spacy_bertreg.layers import outputs
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    model = TransformerModel_v1(tiny_bert)
    model.initialize()
    docs = [spacy.blank("en")(text) for text in TEXTS]
    readings = []
    read = outputs.read
    monkeypatch.setattr(outputs, "read", lambda *args: readings.append(read(*args)))
    first = model.predict(docs).doc_data
    assert all(first[0].get_vector(pooling).any() for pooling in POOLINGS)
    assert len(readings) == 1
    for data in (first[0], first[0], first[2]):
        assert len(data.model_output.last_hidden_state)
    assert len(readings) == 2
    assert len(model.predict(docs).doc_data[0].model_output.last_hidden_state)
    assert len(readings) == 3


@pytest.mark.parametrize("keep", [True, False])
def test_outputs_stay_on_documents_where_wished(make_bert, make_examples, keep):
    nlp = make_bert(keep_trf_data=keep)
    examples = make_examples(nlp, 8)
    nlp.initialize(lambda: examples)
    (doc,) = nlp.pipe(["The market was quiet."])
    assert isinstance(doc._.trf_data, PooledData) != keep
    saved = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    (loaded,) = DocBin().from_bytes(saved).get_docs(nlp.vocab)
    assert bool(loaded._.trf_data.model_output) == keep
    assert loaded.cats == doc.cats
    for other in (doc.copy(), pickle.loads(pickle.dumps(doc)), copy.copy(doc._.trf_data)):  # noqa: S301
        assert other is not None
    # Whoever asks for them gets them.
    assert doc._.trf_data.model_output.last_hidden_state.shape[0] == 1


def copied(data):
    return copy.copy(data).vectors.shape, copy.deepcopy(data).vectors.shape


LOOKS = {
    "repr": repr,
    "str": str,
    "==": lambda data: (data == copy.copy(data), data == 1, data in [1, data], hash(data)),
    "copies": copied,
    "pickle": lambda data: pickle.loads(pickle.dumps(data)),  # noqa: S301
    "to_bytes": lambda data: data.to_bytes(),
    "hasattr": lambda data: hasattr(data, "__array__"),
    "vars": lambda data: repr(vars(data)) + str(dir(data)),
    "width": lambda data: data.width,
}


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_at_outputs_computes_nothing_and_changes_nothing(tiny_bert, monkeypatch, look):
    from spacy_bertreg.layers import outputs
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    model = TransformerModel_v1(tiny_bert)
    model.initialize()
    shim = model.layers[0].shims[0]
    batch = model.predict([spacy.blank("en")(text) for text in TEXTS])
    readings = []
    read = outputs.read
    monkeypatch.setattr(outputs, "read", lambda *args: readings.append(read(*args)))
    for data in batch.doc_data:
        assert LOOKS[look](data) is not None
    assert repr(batch)
    assert not readings
    assert not shim.is_read_by_token
    assert batch.doc_data[0].model_output.last_hidden_state.shape[-1] == batch.doc_data[0].width
    assert len(readings) == 1
    assert shim.is_read_by_token


def parts_with(lengths, few_shapes, limit=None):
    """lengths (list[int]): Of windows, in word pieces."""
    windows = [range(n) for n in lengths]
    return cut_into_parts(windows, "cpu", max(lengths) if limit is None else limit, few_shapes)


def every_way(windows):
    """YIELDS (list[list[int]]): Each way to cut a list into parts."""
    for cuts in itertools.product([False, True], repeat=len(windows) - 1):
        parts = [[windows[0]]]
        for window, cut in zip(windows[1:], cuts, strict=True):
            parts += [[window]] if cut else []
            parts[-1] += [] if cut else [window]
        yield parts


@given(st.lists(st.integers(2, 400), min_size=1, max_size=8), st.booleans())
def test_parts_take_the_least_time(lengths, few_shapes):
    parts = parts_with(lengths, few_shapes)
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    assert [number for part in parts for number in part.windows] == order

    def padded(numbers):
        longest = np.array([lengths[numbers[0]]])
        n_pieces = padded_lengths(np.array([len(numbers)]), longest, few_shapes).item()
        return min(n_pieces, max(lengths))

    def cost(ways):
        """In word pieces, padding and starting included."""
        return sum(STARTING["cpu"] + padded(numbers) * len(numbers) for numbers in ways)

    allowed = [
        ways
        for ways in every_way(order)
        if all(len(p) == 1 or padded(p) * len(p) <= PIECES_AT_ONCE["cpu"] for p in ways)
        and all(len(p) in SIZES for p in ways)
    ]
    found = [part.windows for part in parts]
    assert found in allowed
    assert cost(found) == min(map(cost, allowed))
    assert [part.n_pieces for part in parts] == [padded(numbers) for numbers in found]


def test_padding_is_small_and_never_beyond_what_the_model_reads():
    lengths = np.arange(514)
    for n_windows in SIZES[:12]:
        padded = padded_lengths(n_windows, lengths, False)
        assert (padded >= lengths).all()
        assert (padded <= lengths * (1 + 1 / 16)).all()
        coarse = padded_lengths(n_windows, lengths, True)
        assert (coarse >= padded).all()
        is_small = padded * n_windows < 512
        assert (coarse[is_small] * n_windows % 16 == 0).all()
        assert (coarse[~is_small] == padded[~is_small]).all()
    for few_shapes in (False, True):
        (part,) = parts_with([509], few_shapes, limit=510)
        assert part.n_pieces == 510


@pytest.mark.parametrize(("few_shapes", "most"), [(False, 80), (True, 60)])
def test_parts_of_many_documents_have_few_shapes(few_shapes, most):
    """Else a process grows with what it reads. With parts of any size and length, there are 275
    numbers of word pieces."""
    rng = np.random.default_rng(0)
    n_parts, n_pieces = 0, set()
    for _ in range(20):
        lengths = np.minimum(rng.geometric(1 / 25, size=1024) + 2, 128)
        parts = parts_with(lengths, few_shapes, limit=128)
        n_parts += len(parts)
        n_pieces |= {len(part.windows) * part.n_pieces for part in parts}
    assert n_parts > 500
    assert len(n_pieces) < most


@pytest.mark.parametrize("few_shapes", [False, True])
def test_parts_hold_all_windows_with_little_padding(few_shapes):
    lengths = np.random.default_rng(0).integers(2, 200, size=500)
    parts = parts_with(lengths, few_shapes, limit=512)
    assert sorted(number for part in parts for number in part.windows) == list(range(500))
    n_pieces = [part.n_pieces * len(part.windows) for part in parts]
    assert max(n_pieces) <= PIECES_AT_ONCE["cpu"]
    assert sum(n_pieces) < 1.03 * lengths.sum()
    assert parts_with([10**5], few_shapes) == [Part([0], 10**5)]
    assert cut_into_parts([], "cpu", 512, few_shapes) == []


def test_gradients_of_parts_add_up_to_those_of_the_stock_model(pair):
    """Also of documents in several windows, and of an empty one."""
    docs = [spacy.blank("en")(text) for text in TEXTS]
    found = []
    for model in pair:
        transformer = model.layers[0].shims[0]._model
        modules = [m for m in transformer.modules() if hasattr(m, "dropout_prob")]
        for module in modules:
            module.dropout_prob = 0.0
        for module in transformer.modules():
            if module.__class__.__name__ == "Dropout":
                module.p = 0.0
        batch, backprop = model.begin_update(docs)
        gradients = []
        for data in batch.doc_data:
            if "last_hidden_state" in data.model_output:
                hidden = data.model_output.last_hidden_state
                weights = np.sin(np.arange(hidden.shape[-1]), dtype="f")
                gradients.append([data.wordpieces.attention_mask[..., None] * weights])
        backprop(batch.unsplit_by_doc(gradients))
        named = transformer.named_parameters()
        found.append({name: p.grad.clone() for name, p in named if p.grad is not None})
        transformer.zero_grad()
    ours, stock = found
    assert ours.keys() == stock.keys()
    for name, gradient in stock.items():
        # Some are 0 but for rounding, as those of keys' biases.
        difference = (ours[name] - gradient).norm()
        assert difference < 1e-4 * gradient.norm() + 1e-5, name


def test_a_batch_without_documents(pair):
    ours, _ = pair
    assert ours.predict([]).doc_data == []


def test_a_batch_without_windows_can_be_trained_on(tiny_bert):
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    model = TransformerModel_v1(tiny_bert, get_spans=lambda docs: [[] for _ in docs])
    model.initialize()
    docs = [spacy.blank("en")("Some words.")]
    batch, backprop = model.begin_update(docs)
    assert "last_hidden_state" not in batch.doc_data[0].model_output
    backprop(batch.unsplit_by_doc([[]]))


@pytest.mark.parametrize("freeze", ["none", "all"])
def test_having_no_window_is_not_having_lost_outputs(tiny_bert, freeze):
    from spacy_bertreg.models.transformer_model import TransformerModel_v1

    def first_alone(docs):
        return [[doc[:]] if number == 0 else [] for number, doc in enumerate(docs)]

    model = TransformerModel_v1(tiny_bert, freeze=freeze, get_spans=first_alone)
    model.initialize()
    docs = [spacy.blank("en")(text) for text in ("Some words.", "Others.", "")]
    trained = model.begin_update(docs)[0].doc_data
    pooled = model.predict(docs).doc_data
    model.layers[0].shims[0].expect_reading_by_token()
    whole = model.predict(docs).doc_data
    again = model.begin_update(docs)[0].doc_data
    for data in (trained, pooled, whole, again):
        assert data[0].model_output
        for own in data[1:]:
            assert isinstance(own, PooledData)
            assert not own.vectors.any()
            assert not own.model_output
            assert own.wordpieces.strings == []
    saved = DocBin(store_user_data=True)
    docs[1]._.trf_data = whole[1]
    saved.add(docs[1])
    (loaded,) = DocBin().from_bytes(saved.to_bytes()).get_docs(docs[1].vocab)
    assert not loaded._.trf_data.model_output
