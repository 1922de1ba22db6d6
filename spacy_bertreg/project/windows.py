"""How much of a document the transformer reads at once."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from spacy.tokens import Doc

from ..layers.pretrained import EncoderConfig, EncoderTokenizer
from ..layers.windows import pieces_limit
from ..models.transformer_model import STRIDE, WINDOW

# Word pieces that most encoders read at once. Only those that read more get longer windows.
USUAL_LIMIT = 512
# Tokens of the longest window that is chosen. Attention takes time in proportion to the length.
LONGEST = 1024
# Windows are a multiple of this, and overlap by a quarter.
STEP = 32
SPECIAL_PIECES = 2


class Windows(NamedTuple):
    """Windows that a transformer reads.

    window (int), stride (int): Tokens of a window, and from the start of one window to the next.
    why (str): Why these; empty for the default ones.
    is_cut (bool): Whether some may have more word pieces than the transformer reads.
    """

    window: int
    stride: int
    why: str = ""
    is_cut: bool = False


USUAL = Windows(WINDOW, STRIDE)


def choose_windows(docs: Sequence[Doc], transformer: str, window: int | None = None) -> Windows:
    """Choose windows by how much the transformer reads at once and how long the documents are.

    docs (Sequence[Doc]): The documents.
    transformer (str): Folder or name.
    window (int | None): Tokens of a window, if the user has chosen.
    RETURNS (Windows): USUAL for a transformer that reads 512 word pieces or fewer, or can't be
        reached. Otherwise windows that hold 95 % of the documents, of at most 1,024 tokens.
    RAISES (ValueError): `window` is less than 4.
    """
    if window is not None and window < 4:
        raise ValueError(f"window is {window}. Expected 4 tokens or more.")
    if window == WINDOW:
        return USUAL
    try:
        tokenizer, limit = _read_limit(transformer)
    except (ImportError, OSError, ValueError):
        return USUAL if window is None else _windows(window, "chosen by --window")
    if window is None and limit is not None and limit <= USUAL_LIMIT:
        return USUAL
    lengths = np.array([len(doc) for doc in docs])
    long = int(np.percentile(lengths, 95))
    if window is None and long <= WINDOW:
        return USUAL
    # Word pieces of a token, in all documents but a few.
    pieces = [len(tokenizer.tokenize(doc.text)) / len(doc) for doc in docs if len(doc)]
    per_token = np.percentile(pieces, 99)
    most = max(window or 0, LONGEST) if limit is None else int((limit - SPECIAL_PIECES) / per_token)
    if window is not None:
        return _windows(window, "chosen by --window", is_cut=window > most)
    chosen = max(WINDOW, min(-(-long // STEP) * STEP, LONGEST, most // STEP * STEP))
    if chosen == WINDOW:
        return USUAL
    how_many = "any number of" if limit is None else f"{limit:,}"
    return _windows(chosen, f"the transformer reads {how_many} word pieces at once")


def _windows(window: int, why: str, *, is_cut: bool = False) -> Windows:
    return Windows(window, window * 3 // 4, why, is_cut)


def _read_limit(transformer: str) -> tuple[Any, int | None]:
    """Read a tokenizer, and how many word pieces its transformer takes, without the weights."""
    from transformers import AutoModel

    tokenizer = EncoderTokenizer.from_pretrained(transformer)
    config = EncoderConfig().from_pretrained(transformer)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
    return tokenizer, pieces_limit(SimpleNamespace(transformer=model, tokenizer=tokenizer))
