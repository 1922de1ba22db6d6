"""The registered reader `spacy-bertreg.Corpus.v1`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.vocab import Vocab

from .covariates import copy_covariates
from .text_length import any_length

Augmenter = Callable[[Language, Example], Iterator[Example]]


def Corpus_v1(
    path: str | Path | None,
    limit: int = 0,
    max_length: int = 0,
    shuffle: bool = False,
    augmenter: Augmenter | None = None,
) -> Callable[[Language], Iterable[Example]]:
    """Read documents for training like spacy.Corpus.v1, but keep their user data and cut long ones.

    Covariates, weight, group and targets are kept even if an augmenter changes the text. Documents
    over `max_length` are cut; spaCy would leave them out or split them.

    path (str | Path | None): A .spacy file, or a folder of such.
    limit (int): Number of documents to read; 0 for all.
    max_length (int): Number of tokens to which longer documents are cut; 0 for no limit.
    shuffle (bool): Whether to shuffle the documents, which reads all of them into memory.
    augmenter (Callable | None): Makes more examples of each, from the registry "augmenters".
    RETURNS (Callable[[Language], Iterable[Example]]): The reader.
    RAISES (ValueError): No path, or a negative length.
    """
    if path is None:
        raise ValueError(
            "A corpus has no path. Expected .spacy files, such as --paths.train corpus/train.spacy "
            "and --paths.dev corpus/dev.spacy."
        )
    if max_length < 0:
        raise ValueError(f"max_length is {max_length} in [corpora]. Expected 0 or more.")
    augment = None if augmenter is None else _keep_user_data(augmenter)
    corpus = _CuttingCorpus(path, limit=limit, shuffle=shuffle, augmenter=augment)
    corpus.cut_at = max_length

    def read(nlp: Language) -> Iterator[Example]:
        examples = iter(corpus(nlp))
        while True:
            # Not around the whole loop: between documents, the caller's limit holds.
            with any_length(nlp):
                example = next(examples, None)
            if example is None:
                return
            copy_covariates(example.reference, example.predicted)
            yield example

    return read


class _CuttingCorpus(Corpus):
    """spaCy's corpus, with long documents cut to their first tokens."""

    cut_at = 0

    def read_docbin(self, vocab: Vocab, locs: Iterable[str | Path]) -> Iterator[Doc]:
        for doc in super().read_docbin(vocab, locs):
            if 0 < self.cut_at < len(doc):
                cats = doc.cats
                doc = doc[: self.cut_at].as_doc(copy_user_data=True)
                # spaCy takes a key of three letters for a span's start, end and label, and leaves
                # it out.
                doc.cats = dict(cats)
            yield doc


def _keep_user_data(augmenter: Augmenter) -> Augmenter:
    """Make an augmenter that gives its examples the user data of the original."""

    def augment(nlp: Language, example: Example) -> Iterator[Example]:
        # Values of extensions have tuples as keys, and may belong to positions in the old text.
        kept = {k: v for k, v in example.reference.user_data.items() if isinstance(k, str)}
        for augmented in augmenter(nlp, example):
            for key, value in kept.items():
                augmented.reference.user_data.setdefault(key, value)
            yield augmented

    return augment
