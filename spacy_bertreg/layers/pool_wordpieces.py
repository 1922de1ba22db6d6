"""One vector for each document from a transformer's outputs."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d
from transformers.file_utils import ModelOutput

from .forks import use_one_thread_in_fork
from .pooled_data import PooledData
from .pooling import POOLINGS, alignment_weights, pool_documents, pool_windows
from .window_encoder import to_device


def pool_wordpieces(pooling: str) -> Model[list[TransformerData], Floats2d]:
    """Pool each document's word-piece vectors. Special tokens such as [SEP] and padding are left
    out, and a word piece that several windows cover counts once.

    pooling (str): "mean" or "max" over the document's word pieces, or "cls": each window's first
        vector, averaged over the windows.
    RETURNS (Model[list[TransformerData], Floats2d]): Output of shape (documents, width); zeros for
        a document without word pieces.
    RAISES (ValueError): `pooling` is none of the three.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}. Expected one of: {', '.join(POOLINGS)}.")
    return Model("pool_wordpieces", forward, attrs={"pooling": pooling}, dims={"nO": None})


def forward(
    model: Model, docs: list[TransformerData], is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], list[TransformerData]]]:
    pooling = model.attrs["pooling"]
    vectors = model.ops.alloc2f(len(docs), model.get_dim("nO"))
    pooled: list[int] = []
    # By length of the windows: on a GPU, each call takes as long for one document as for all.
    groups: dict[int, list[int]] = defaultdict(list)
    for i, doc in enumerate(docs):
        if isinstance(doc, PooledData):
            pooled.append(i)
        elif "last_hidden_state" in doc.model_output:
            groups[doc.model_output["last_hidden_state"].shape[1]].append(i)
    if pooled:
        rows: Any = np.stack([docs[i].get_vector(pooling) for i in pooled])  # type: ignore[attr-defined]
        vectors[pooled] = model.ops.asarray2f(rows)
    backprops = []
    for group in groups.values():
        vectors[group], backprop_group = _pool(pooling, [docs[i] for i in group], is_train)
        backprops.append((group, backprop_group))

    def backprop(d_vectors: Floats2d) -> list[TransformerData]:
        # As spacy-transformers expects: nothing for a document without a gradient.
        d_hidden: dict[int, Any] = {}
        for group, backprop_group in backprops:
            d_hidden.update(zip(group, backprop_group(d_vectors[group]), strict=True))
        empty = TransformerData.empty()
        outputs = [ModelOutput(last_hidden_state=d_hidden[i]) for i in sorted(d_hidden)]
        return [TransformerData(empty.wordpieces, output, empty.align) for output in outputs]

    return vectors, backprop


def _pool(
    pooling: str, docs: list[TransformerData], is_train: bool
) -> tuple[Any, Callable[[Any], list[Any]]]:
    """Pool documents whose windows have the same length."""
    use_one_thread_in_fork()
    arrays = [doc.model_output["last_hidden_state"] for doc in docs]
    n_windows = [len(array) for array in arrays]
    hidden = torch.cat([xp2torch(array) for array in arrays]).requires_grad_(is_train)
    pairs = zip(docs, arrays, strict=True)
    weights = np.concatenate([alignment_weights(doc.align, *a.shape[:2]) for doc, a in pairs])
    numbers = np.repeat(np.arange(len(docs)), n_windows)
    with torch.set_grad_enabled(is_train):
        table = to_device(weights, hidden.device)
        rows = pool_windows(pooling, hidden, table)
        owners = to_device(numbers, hidden.device)
        vectors = pool_documents(pooling, rows, table.sum(1), owners, len(docs))

    def backprop(d_vectors: Any) -> list[Any]:
        (d_hidden,) = torch.autograd.grad(vectors, hidden, xp2torch(d_vectors))
        return [torch2xp(part) for part in d_hidden.split(n_windows)]

    return torch2xp(vectors), backprop
