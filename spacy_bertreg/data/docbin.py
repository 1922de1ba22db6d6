"""Reading the documents of a .spacy file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, DocBin


def iterate_docs(path: str | Path) -> Iterator[Doc]:
    """Read the documents of a .spacy file one by one.

    path (str | Path): The file.
    YIELDS (Doc): Its documents, in a vocabulary of their own.
    RAISES (ValueError, FileNotFoundError): The file is missing, has no documents, or is no .spacy
        file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a .spacy file.")
    is_empty = True
    try:
        saved: Any = DocBin().from_disk(path)
        columns = [saved.tokens, saved.spaces, saved.cats, saved.flags, saved.span_groups]
        for place, doc in enumerate(saved.get_docs(spacy.blank("xx").vocab)):
            is_empty = False
            yield doc
            # Of a million documents, what has been read already takes a gigabyte.
            for column in columns:
                column[place] = None
            if place < len(saved.user_data):
                saved.user_data[place] = None
    except Exception as error:  # zlib's, msgpack's and NumPy's own, by what is broken
        raise ValueError(f"{path} can't be read as a .spacy file: {error}") from error
    if is_empty:
        raise ValueError(f"{path} has no documents.")
