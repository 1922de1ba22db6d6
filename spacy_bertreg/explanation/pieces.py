"""Word pieces of documents, and which tokens they belong to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc

from ..layers.pooling import window_weights
from ..layers.windows import Ints, Window, tokenize

Bools = NDArray[np.bool_]


class Pieces:
    """Word pieces of a document.

    windows (list[Window]): What the transformer reads, one after the other.
    weights (list[ndarray]): For each window, the weights of its word pieces in pooling.
    is_word (list[ndarray]): For each window, which word pieces belong to a token that is not white
        space. Special tokens do not.
    n_pieces (int): Length of all windows.
    """

    def __init__(self, doc: Doc, windows: list[Window]) -> None:
        """Find the tokens of each word piece."""
        self.windows = windows
        self.weights = window_weights(windows)
        self.is_word: list[Bools] = []
        self.n_pieces = sum(map(len, windows))
        self._n_tokens = len(doc)
        is_space = doc.to_array(IS_SPACE).astype(bool)
        pieces, tokens, shares = (
            [np.zeros(0, dtype=np.int64)],
            [np.zeros(0, dtype=np.int64)],
            [np.zeros(0)],
        )
        start = 0
        for window in windows:
            piece, token = _tokens_of_pieces(window, is_space)
            n_tokens = np.bincount(piece, minlength=len(window))
            self.is_word.append(n_tokens > 0)
            pieces.append(start + piece)
            tokens.append(token)
            shares.append(1 / n_tokens[piece])
            start += len(window)
        self._piece, self._token = np.concatenate(pieces), np.concatenate(tokens)
        self._share = np.concatenate(shares)

    def sum_by_token(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum values of word pieces by token. A word piece that belongs to several tokens is
        divided equally; those that several windows cover are summed.

        values (ndarray): Shape (word pieces of all windows, n).
        RETURNS (ndarray): Shape (tokens, n).
        """
        sums = np.zeros((self._n_tokens, values.shape[1]), dtype=np.float32)
        np.add.at(sums, self._token, values[self._piece] * self._share[:, None].astype("f"))
        return sums


def read_pieces(transformer: Any, docs: Sequence[Doc]) -> list[Pieces]:
    """Split documents into windows and word pieces, as the pipeline does.

    transformer (TransformerModel): A spacy-bertreg.TransformerModel.v1.
    docs (Sequence[Doc]): The documents.
    RETURNS (list[Pieces]): The word pieces of each.
    """
    windows = tokenize(transformer, transformer.attrs["get_spans"](docs))
    return [Pieces(doc, doc_windows) for doc, doc_windows in zip(docs, windows, strict=True)]


def _tokens_of_pieces(window: Window, is_space: Bools) -> tuple[Ints, Ints]:
    """Get each word piece's number beside each of its tokens that is not white space."""
    lengths = np.maximum(window.last - window.first + 1, 0)
    piece = np.repeat(np.arange(len(window)), lengths)
    within = np.arange(len(piece)) - np.repeat(lengths.cumsum() - lengths, lengths)
    token = window.first[piece] + within
    is_covered = ~np.isin(token, window.gaps) & ~is_space[token]
    return piece[is_covered], token[is_covered]
