"""Texts that are longer than spaCy lets through."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spacy.language import Language


@contextmanager
def any_length(nlp: Language) -> Iterator[None]:
    """Let a pipeline read texts of any length inside of this. spaCy's limit is for components that
    take memory by length; ours read long texts in parts.

    nlp (Language): The pipeline."""
    usual = nlp.max_length
    nlp.max_length = sys.maxsize
    try:
        yield
    finally:
        nlp.max_length = usual
