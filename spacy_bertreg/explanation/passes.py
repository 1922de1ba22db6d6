"""Forward and backward passes through a transformer that do not change it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.tokens import Doc
from torch import nn

from ..layers.forks import use_one_thread_in_fork
from ..layers.pooling import pool_documents, pool_windows
from ..layers.window_encoder import Part, cut_into_parts, to_device
from ..layers.windows import model_inputs
from .head import Head
from .parts import Floats, RegressorParts
from .pieces import read_pieces
from .transformer import find_transformer, mask_id, word_embeddings

# Most word pieces whose activations are kept for the backward pass: those of a BERT-base take some
# 0.7 MB each.
PIECES_AT_ONCE = {"cpu": 1024, "cuda": 8192}
# How many times as many word pieces fit if only their last hidden states are kept.
HIDDEN_STATES = 16

# What contributions are of: the word embeddings, less those of the mask, or the last hidden states.
Of = Literal["embeddings", "hidden states"]


class Pass(NamedTuple):
    """What a pass gives for a document.

    values (ndarray): The explained number of each target.
    tokens (ndarray): For each token, gradient times what the number is explained by, float32,
        shape (tokens, targets).
    columns (ndarray): The same for each column of covariates, shape (columns, targets).
    """

    values: Floats
    tokens: NDArray[np.float32]
    columns: Floats


class _Read(NamedTuple):
    """A part that was read: vectors of its windows, what they were computed from, and what its
    gradient is multiplied by."""

    rows: torch.Tensor
    leaf: torch.Tensor
    factor: torch.Tensor


class TransformerPasses:
    """Passes through transformer, pooling and head for some documents, at places on the path from
    mask to text: at 0, each word piece's embedding is that of the mask, and covariates are their
    means; at 1, both are the text's own; in between, they are interpolated linearly.
    """

    def __init__(self, parts: RegressorParts, docs: Sequence[Doc], of: Of = "embeddings") -> None:
        """Split documents into word pieces.

        parts (RegressorParts): The regressor.
        docs (Sequence[Doc]): The documents, each with a word.
        of (str): What contributions are of.
        RAISES (ValueError): The regressor does not listen to a spacy-bertreg.TransformerModel.v1.
        """
        use_one_thread_in_fork()
        listener = parts.model.get_ref("document_vectors")
        self._model = find_transformer(parts)
        self._pooling = listener.get_ref("pool").attrs["pooling"]
        pool = listener.layers[1]
        self.head = Head(parts, () if pool is listener.get_ref("pool") else pool.layers[1:])
        self._of = of
        self._n_targets = len(parts.targets)
        self._device = self._model.layers[0].shims[0].device
        self._limit = PIECES_AT_ONCE.get(self._device.type, 8192)
        if of == "hidden states":
            self._limit *= HIDDEN_STATES
        self._columns = self.head.read_columns(docs)
        self.pieces = read_pieces(self._model, docs)
        self._mask = mask_id(self._model.tokenizer)

    def run(self, items: Sequence[tuple[int, float]]) -> list[Pass]:
        """Compute the explained number and its gradient, in bounded memory: documents that are too
        long for it are read twice.

        items (Sequence[tuple[int, float]]): Numbers of documents, and places on the path.
        RETURNS (list[Pass]): For each item.
        """
        transformer = self._model.transformer
        # As in scoring, which leaves it in this mode, too.
        transformer.eval()
        found: dict[int, Pass] = {}
        autocast = torch.autocast(self._device.type, enabled=False)
        with torch.inference_mode(False), torch.enable_grad(), autocast:
            for group in self._groups(items):
                passes = self._run_group([items[number] for number in group])
                found.update(zip(group, passes, strict=True))
        return [found[number] for number in range(len(items))]

    def _groups(self, items: Sequence[tuple[int, float]]) -> Iterator[list[int]]:
        """Group items of about the same length, up to the limit of word pieces."""
        lengths = [self.pieces[doc].n_pieces for doc, _ in items]
        group: list[int] = []
        n_pieces = 0
        for number in sorted(range(len(items)), key=lambda number: -lengths[number]):
            if group and n_pieces + lengths[number] > self._limit:
                yield group
                group, n_pieces = [], 0
            group.append(number)
            n_pieces += lengths[number]
        if group:
            yield group

    def _run_group(self, items: list[tuple[int, float]]) -> list[Pass]:
        documents = [self.pieces[doc] for doc, _ in items]
        windows = [window for pieces in documents for window in pieces.windows]
        weights = [row for pieces in documents for row in pieces.weights]
        is_word = [row for pieces in documents for row in pieces.is_word]
        n_windows = [len(pieces.windows) for pieces in documents]
        places = np.repeat(np.array([place for _, place in items], dtype=np.float32), n_windows)
        is_kept = sum(map(len, windows)) <= self._limit
        parts = cut_into_parts(windows, self._device.type, max(map(len, windows), default=0))

        def read(part: Part, learns: bool) -> _Read:
            numbers = part.windows
            inputs = model_inputs(
                [windows[n] for n in numbers], part.n_pieces, self._model.tokenizer.pad_token_id
            )
            masks = [self._table([of[n] for n in numbers], part) for of in (is_word, weights)]
            tensors = {name: to_device(array, self._device) for name, array in inputs.items()}
            with torch.set_grad_enabled(learns):
                return self._read(
                    tensors, masks[0], masks[1], to_device(places[numbers], self._device)
                )

        kept = [read(part, is_kept) for part in parts] if is_kept else []
        rows = [r.rows.detach() for r in kept] or [read(part, False).rows for part in parts]
        order = np.array([number for part in parts for number in part.windows], dtype=np.int64)
        width = self._model.get_dim("nO")
        joined = torch.cat([torch.zeros(0, width, device=self._device), *rows])
        joined = joined[to_device(np.argsort(order), self._device)].requires_grad_()
        counts = np.array([row.sum() for row in weights], dtype=np.float32)
        owners = np.repeat(np.arange(len(items)), n_windows)
        vectors = pool_documents(
            self._pooling,
            joined,
            to_device(counts, self._device),
            to_device(owners, self._device),
            len(items),
        )
        covariates = self._columns[[doc for doc, _ in items]]
        at = np.array([[place] for _, place in items])
        head = self.head.differentiate(
            vectors.detach().cpu().numpy(),
            covariates * at,
            fixed_length=self._of == "hidden states",
        )
        d_rows = [
            torch.autograd.grad(vectors, joined, to_device(d, self._device), retain_graph=True)[0]
            for d in head.vectors
        ]
        products = [
            np.zeros((len(window), self._n_targets), dtype=np.float32) for window in windows
        ]
        for number, part in enumerate(parts):
            again = kept[number] if is_kept else read(part, True)
            own = to_device(np.array(part.windows, dtype=np.int64), self._device)
            for target, gradient in enumerate(d_rows):
                keep = target + 1 < self._n_targets
                (d_leaf,) = torch.autograd.grad(
                    again.rows, again.leaf, gradient[own], retain_graph=keep
                )
                table = (d_leaf * again.factor).sum(-1).cpu().numpy()
                for n, row in zip(part.windows, table, strict=True):
                    products[n][:, target] = row[: len(windows[n])]
        return self._collect(items, head.values, head.columns, covariates, products)

    def _collect(
        self,
        items: list[tuple[int, float]],
        values: Floats,
        d_columns: Floats,
        covariates: Floats,
        products: list[NDArray[np.float32]],
    ) -> list[Pass]:
        passes = []
        first = 0
        for number, (doc, _) in enumerate(items):
            pieces = self.pieces[doc]
            last = first + len(pieces.windows)
            empty = np.zeros((0, self._n_targets), dtype=np.float32)
            tokens = pieces.sum_by_token(np.concatenate([empty, *products[first:last]]))
            columns = d_columns[:, number].T * covariates[number][:, None]
            passes.append(Pass(values[number], tokens, columns))
            first = last
        return passes

    def _table(self, rows: list[NDArray], part: Part) -> torch.Tensor:
        table = np.zeros((len(rows), part.n_pieces), dtype=rows[0].dtype)
        for place, row in zip(table, rows, strict=True):
            place[: len(row)] = row
        return to_device(table, self._device)

    def _read(
        self,
        inputs: dict[str, torch.Tensor],
        is_word: torch.Tensor,
        weights: torch.Tensor,
        places: torch.Tensor,
    ) -> _Read:
        transformer = self._model.transformer
        if self._of == "hidden states":
            with torch.no_grad():
                hidden = transformer(**inputs).last_hidden_state.float()
            leaf = hidden.requires_grad_(torch.is_grad_enabled())
            return _Read(pool_windows(self._pooling, leaf, weights), leaf, hidden.detach())
        words, ids = word_embeddings(transformer), inputs["input_ids"]
        with torch.no_grad():
            baseline = words(torch.where(is_word, self._mask, ids))
            factor = words(ids) - baseline
        leaf = baseline + places[:, None, None] * factor
        leaf.requires_grad_(torch.is_grad_enabled())
        with _embeddings_replaced(words, ids, leaf):
            hidden = transformer(**inputs).last_hidden_state.float()
        return _Read(pool_windows(self._pooling, hidden, weights), leaf, factor)


@contextmanager
def _embeddings_replaced(
    words: nn.Module, ids: torch.Tensor, vectors: torch.Tensor
) -> Iterator[None]:
    """In this context, let a layer of word embeddings give other vectors.

    words (Module): The layer.
    ids (Tensor): The word pieces that it is given.
    vectors (Tensor): What it gives for them.
    RAISES (ValueError): The transformer looks up other word pieces.
    """
    seen = []

    def replace(module: nn.Module, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> Any:
        if not args or args[0].shape != ids.shape or not args[0].equal(ids):
            return None
        seen.append(True)
        return vectors

    hook = words.register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()
    if len(seen) != 1:
        raise ValueError(
            "This transformer does not look up its word pieces' embeddings exactly once, so their "
            "gradient is unknown. Expected method = 'token_vectors' or 'occlusion'."
        )
