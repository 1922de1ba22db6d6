"""The registered reader `spacy-bertreg.Corpus.v1`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Corpus, Example

from .covariates import copy_covariates


def Corpus_v1(
    path: str | Path | None,
    limit: int = 0,
    max_length: int = 0,
    shuffle: bool = False,
    augmenter: Callable[[Language, Example], Iterator[Example]] | None = None,
) -> Callable[[Language], Iterable[Example]]:
    """spaCy's spacy.Corpus.v1, with the documents' covariates, which that leaves out.

    path, limit, max_length, shuffle, augmenter: See spacy.Corpus.v1.
    RETURNS (Callable[[Language], Iterable[Example]]): The reader.
    RAISES (ValueError): No path.
    """
    if path is None:
        raise ValueError(
            "A corpus has no path. Expected a .spacy file, as --paths.train corpus/train.spacy and "
            "--paths.dev corpus/dev.spacy."
        )
    settings: dict[str, Any] = {"limit": limit, "max_length": max_length, "shuffle": shuffle}
    corpus = Corpus(path, augmenter=augmenter, **settings)

    def read(nlp: Language) -> Iterator[Example]:
        for example in corpus(nlp):
            copy_covariates(example.reference, example.predicted)
            yield example

    return read
