from types import SimpleNamespace

import numpy as np
import pytest
from spacy_transformers.data_classes import TransformerData, WordpieceBatch
from thinc.types import Ragged
from transformers.file_utils import ModelOutput

from spacy_bertreg.layers.outputs import DeferredData
from spacy_bertreg.layers.pool_wordpieces import (
    _on_device,
    pool_wordpieces,
    wordpiece_weights,
)

rng = np.random.default_rng(0)
WIDTH = 4


def output(n_windows: int, n_pieces: int, tokens: list[list[int]]) -> TransformerData:
    """An output of random vectors. tokens: for each token, its rows over all windows."""
    hidden = rng.normal(size=(n_windows, n_pieces, WIDTH)).astype("f")
    align = Ragged(
        np.array([row for rows in tokens for row in rows], dtype="i"),
        np.array([len(rows) for rows in tokens], dtype="i"),
    )
    return TransformerData(WordpieceBatch.empty(), ModelOutput(last_hidden_state=hidden), align)


def pooled(pooling: str, docs: list[TransformerData]):
    model = pool_wordpieces(pooling)
    model.set_dim("nO", WIDTH)
    return model.begin_update(docs)


# One window: [CLS] a ##b c [SEP]
SHORT = output(1, 5, [[1, 2], [3]])
# Two windows of [CLS] x y [SEP]; the second token is in both.
LONG = output(2, 4, [[1], [2, 5], [6]])
WITHOUT_PIECES = output(1, 2, [[]])
EMPTY = TransformerData.empty()


def test_mean_leaves_out_special_tokens():
    vectors, _ = pooled("mean", [SHORT])
    np.testing.assert_allclose(
        vectors[0], SHORT.model_output.last_hidden_state[0, 1:4].mean(axis=0), rtol=1e-6
    )


def test_mean_counts_a_piece_in_two_windows_once():
    np.testing.assert_array_equal(wordpiece_weights(LONG), [[0, 1, 0.5, 0], [0, 0.5, 1, 0]])
    hidden = LONG.model_output.last_hidden_state
    expected = (hidden[0, 1] + (hidden[0, 2] + hidden[1, 1]) / 2 + hidden[1, 2]) / 3
    vectors, _ = pooled("mean", [LONG])
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-5)


def test_cls_averages_the_windows_first_vectors():
    vectors, _ = pooled("cls", [LONG])
    expected = LONG.model_output.last_hidden_state[:, 0].mean(axis=0)
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-6)


def test_max_leaves_out_special_tokens():
    vectors, _ = pooled("max", [SHORT])
    expected = SHORT.model_output.last_hidden_state[0, 1:4].max(axis=0)
    np.testing.assert_array_equal(vectors[0], expected)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_documents_without_pieces_get_zeros(pooling):
    vectors, backprop = pooled(pooling, [EMPTY, WITHOUT_PIECES, SHORT])
    assert not vectors[:2].any()
    assert vectors[2].any()
    d_docs = backprop(np.ones_like(vectors))
    # As spacy-transformers expects: nothing for a document that the transformer never saw.
    shapes = [d.model_output.last_hidden_state.shape for d in d_docs]
    assert shapes == [(1, 2, WIDTH), (1, 5, WIDTH)]
    assert not d_docs[0].model_output.last_hidden_state.any()


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("doc", [SHORT, LONG])
def test_gradient_agrees_with_finite_differences(pooling, doc):
    d_vector = rng.normal(size=(1, WIDTH)).astype("f")
    _, backprop = pooled(pooling, [doc])
    gradient = backprop(d_vector)[0].model_output.last_hidden_state
    numeric = np.zeros_like(gradient)
    hidden = doc.model_output.last_hidden_state
    for index in np.ndindex(hidden.shape):
        original = hidden[index]
        values = []
        for step in (1e-2, -1e-2):
            hidden[index] = original + step
            values.append(float((pooled(pooling, [doc])[0] * d_vector).sum()))
        hidden[index] = original
        numeric[index] = (values[0] - values[1]) / 2e-2
    np.testing.assert_allclose(gradient, numeric, atol=1e-3)


def test_unknown_pooling():
    with pytest.raises(ValueError, match="pooling is 'sum'. Expected one of: mean, max, cls"):
        pool_wordpieces("sum")


class Vectors:
    """A reading whose vectors are at hand."""

    width = WIDTH

    def __init__(self, shapes: list[tuple[int, int]]) -> None:
        self.shapes = shapes
        self.vectors = rng.normal(size=(len(shapes), WIDTH)).astype("f")
        self.n_asked = 0

    def pooled(self, pooling: str):
        self.n_asked += 1
        return self.vectors


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_documents_of_several_readings_stay_in_order(pooling):
    one, two = Vectors([(1, 3), (0, 0), (2, 4)]), Vectors([(1, 2), (1, 5)])
    docs = [
        DeferredData(two, 1),
        SHORT,
        DeferredData(one, 2),
        EMPTY,
        DeferredData(one, 1),
        DeferredData(two, 0),
        LONG,
        DeferredData(one, 0),
    ]
    vectors, backprop = pooled(pooling, docs)
    own = [pooled(pooling, [doc])[0][0] for doc in (SHORT, LONG)]
    empty = np.zeros(WIDTH)
    expected = [two.vectors[1], own[0], one.vectors[2], empty]
    expected += [empty, two.vectors[0], own[1], one.vectors[0]]
    np.testing.assert_array_equal(vectors, np.stack(expected))
    assert (one.n_asked, two.n_asked) == (1, 1)
    gradients = [d.model_output.last_hidden_state for d in backprop(np.ones_like(vectors))]
    shapes = [(1, 5), (1, 5), (2, 4), (1, 2), (2, 4), (1, 3)]
    assert [d.shape for d in gradients] == [(*shape, WIDTH) for shape in shapes]
    assert [bool(d.any()) for d in gradients] == [False, True, False, False, True, False]


def test_arrays_are_copied_to_a_gpu_at_once():
    copies = []
    xp = SimpleNamespace(asarray=lambda array: copies.append(array) or array)
    arrays = [wordpiece_weights(doc) for doc in (SHORT, LONG, WITHOUT_PIECES)]
    found = _on_device(SimpleNamespace(ops=SimpleNamespace(xp=xp)), arrays)
    assert len(copies) == 1
    for own, expected in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(own, expected)
