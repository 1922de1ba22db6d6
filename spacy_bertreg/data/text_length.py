"""Texts longer than spaCy's limit."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spacy.language import Language


@contextmanager
def any_length(nlp: Language) -> Iterator[None]:
    """Let a pipeline read texts of any length inside of this context.

    spaCy's limit is for components whose memory grows with length; ours read long texts in parts.
    """
    max_length = nlp.max_length
    nlp.max_length = sys.maxsize
    try:
        yield
    finally:
        nlp.max_length = max_length


def long_texts_v1(max_length: int = 10**9) -> Callable[[Language], Language]:
    """Raise spaCy's limit of 1,000,000 characters a text, for every command.

    `spacy evaluate` has no setting of its own for it.

    max_length (int): Number of characters. Mind the memory that other components in the pipeline
        take, such as a parser.
    RETURNS (Callable[[Language], Language]): For [nlp.after_pipeline_creation].
    RAISES (ValueError): `max_length` is less than 1.
    """
    if max_length < 1:
        raise ValueError(
            f"max_length is {max_length} in [nlp.after_pipeline_creation]. Expected 1 or more."
        )

    def set_max_length(nlp: Language) -> Language:
        nlp.max_length = max_length
        return nlp

    return set_max_length
