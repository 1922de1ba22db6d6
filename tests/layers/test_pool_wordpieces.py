import numpy as np
import pytest
from spacy_transformers.data_classes import TransformerData, WordpieceBatch
from thinc.types import Ragged
from transformers.file_utils import ModelOutput

from spacy_bertreg.layers.pool_wordpieces import pool_wordpieces
from spacy_bertreg.layers.pooled_data import PooledData
from spacy_bertreg.layers.pooling import POOLINGS, alignment_weights

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
    weights = alignment_weights(LONG.align, 2, 4)
    np.testing.assert_array_equal(weights, [[0, 1, 0.5, 0], [0, 0.5, 1, 0]])
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


def pooled_data() -> PooledData:
    vectors = rng.normal(size=(len(POOLINGS), WIDTH)).astype("f")
    return PooledData(vectors, list, 0)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_documents_of_several_kinds_stay_in_order(pooling):
    one, two = pooled_data(), pooled_data()
    docs = [one, SHORT, EMPTY, two, LONG, WITHOUT_PIECES, one, SHORT]
    vectors, backprop = pooled(pooling, docs)
    short, long = (pooled(pooling, [doc])[0][0] for doc in (SHORT, LONG))
    zeros = np.zeros(WIDTH)
    expected = [one.get_vector(pooling), short, zeros, two.get_vector(pooling), long, zeros]
    expected += [one.get_vector(pooling), short]
    np.testing.assert_array_equal(vectors, np.stack(expected))
    gradients = [d.model_output.last_hidden_state for d in backprop(np.ones_like(vectors))]
    shapes = [(1, 5), (2, 4), (1, 2), (1, 5)]
    assert [d.shape for d in gradients] == [(*shape, WIDTH) for shape in shapes]
    assert [bool(d.any()) for d in gradients] == [True, True, False, True]
    np.testing.assert_array_equal(gradients[0], gradients[3])
