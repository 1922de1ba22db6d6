"""Pool word-piece vectors into one vector for each window, and these into one for each document.

Word pieces that several windows cover count once: each has the weight 1 / (number of windows). A
window can be pooled as soon as it is read, so a long document needs memory only for one vector of
each window.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from thinc.types import Ragged

from .windows import Window, get_alignment

POOLINGS = ("mean", "max", "cls")


def pool_windows(pooling: str, hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Pool the word pieces of each window.

    pooling (str): One of POOLINGS; "mean" gives sums, which `pool_documents` divides.
    hidden (Tensor): Word-piece vectors, shape (windows, word pieces, width).
    weights (Tensor): Weights of the word pieces, shape (windows, word pieces); 0 for special tokens
        and padding.
    RETURNS (Tensor): Shape (windows, width).
    """
    if pooling == "mean":
        return (weights[:, None] @ hidden)[:, 0]
    if pooling == "max":
        return hidden.masked_fill(weights[..., None] == 0, -torch.inf).amax(1)
    return hidden[:, 0]


def pool_documents(
    pooling: str, rows: torch.Tensor, counts: torch.Tensor, docs: torch.Tensor, n_docs: int
) -> torch.Tensor:
    """Join the windows of each document.

    pooling (str): One of POOLINGS.
    rows (Tensor): What `pool_windows` gave, shape (windows, width).
    counts (Tensor): Sum of each window's weights, shape (windows,).
    docs (Tensor): Index of each window's document, shape (windows,).
    n_docs (int): Number of documents.
    RETURNS (Tensor): Shape (documents, width); zeros for documents without word pieces.
    """
    vectors = torch.zeros(n_docs, rows.shape[1], device=rows.device)
    n_pieces = torch.zeros(n_docs, device=rows.device).index_add(0, docs, counts)
    if pooling == "max":
        index = docs[:, None].expand_as(rows)
        vectors = vectors.scatter_reduce(0, index, rows, "amax", include_self=False)
    else:
        n_windows = torch.zeros_like(n_pieces).index_add(0, docs, torch.ones_like(counts))
        total = n_pieces if pooling == "mean" else n_windows
        vectors = vectors.index_add(0, docs, rows) / total.clamp(min=1e-9)[:, None]
    return vectors.masked_fill((n_pieces == 0)[:, None], 0.0)


def window_weights(windows: list[Window]) -> list[NDArray[np.float32]]:
    """Get the weights of the word pieces of a document's windows, for each window."""
    if len(windows) == 1:
        return [(windows[0].last >= windows[0].first).astype(np.float32)]
    n_pieces = max(map(len, windows), default=0)
    weights = alignment_weights(get_alignment(windows, n_pieces), len(windows), n_pieces)
    return [row[: len(window)] for row, window in zip(weights, windows, strict=True)]


def alignment_weights(align: Ragged, n_windows: int, n_pieces: int) -> NDArray[np.float32]:
    """Get the weight of each word piece in its document: 1 / the number of windows that cover it.

    align (Ragged): For each token, the positions of its word pieces in the concatenated windows, as
        in `TransformerData`.
    n_windows (int): Number of windows.
    n_pieces (int): Length of a window, padding included.
    RETURNS (ndarray): Shape (windows, word pieces); 0 for special tokens and padding.
    """
    places, lengths = np.asarray(align.dataXd).reshape(-1), np.asarray(align.lengths)
    tokens = np.repeat(np.arange(len(lengths)), lengths)
    covered = np.unique(tokens * n_windows + places // max(n_pieces, 1)) // max(n_windows, 1)
    weights = np.zeros(n_windows * n_pieces, dtype=np.float32)
    weights[places] = 1 / np.bincount(covered, minlength=len(lengths))[tokens]
    return weights.reshape(n_windows, n_pieces)
