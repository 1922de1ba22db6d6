"""The documents that models are compared on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.language import Language
from spacy.tokens import Doc

from ..data.covariates import COVARIATES
from ..data.docbin import iterate_docs
from ..data.splits import first_ids
from ..targets.gold import observed_values

# Of so many documents, observed values are put in a table at once.
BLOCK = 10_000


@dataclass(frozen=True)
class TestSet:
    """Documents with observed targets.

    path (str): The file.
    ids (list[str]): Unique names of the documents; their positions in the file, from 1, where they
        have none.
    groups (list[str]): The group of each: documents that may depend on each other, such as texts
        of one author. Where a document has none, it is a group of its own.
    texts (list[str]): The texts.
    covariates (list[dict | None]): The "covariates" in each document's `user_data`, if any.
    lengths (ndarray): Numbers of words, shape (documents,).
    gold (DataFrame): The observed values, a column a target, NaN where unknown.
    """

    path: str
    ids: list[str]
    groups: list[str]
    texts: list[str]
    covariates: list[dict[str, Any] | None]
    lengths: NDArray[np.int64]
    gold: pd.DataFrame

    # pytest would take the class for tests.
    __test__ = False

    def read_with(self, nlp: Language, numbers: Iterable[int]) -> Iterator[Doc]:
        """Run a pipeline on some of the documents.

        nlp (Language): The pipeline.
        numbers (Iterable[int]): Their positions, from 0.
        YIELDS (Doc): Each of them, with its covariates.
        """

        def make_docs() -> Iterator[Doc]:
            for number in numbers:
                doc = nlp.make_doc(self.texts[number])
                if (covariates := self.covariates[number]) is not None:
                    doc.user_data[COVARIATES] = covariates
                yield doc

        return nlp.pipe(make_docs())

    @property
    def unit(self) -> str:
        """What the bootstrap draws: "group"; "document" if each is a group of its own; or, if only
        documents with the same text share groups, "document, equal texts together"."""
        n_groups = len(set(self.groups))
        if n_groups == len(self.groups):
            return "document"
        of_equal_texts = n_groups == len(set(zip(self.groups, self.texts, strict=True)))
        return "document, equal texts together" if of_equal_texts else "group"


def read_test_set(path: str | Path) -> TestSet:
    """Read a test set.

    path (str | Path): A .spacy file, as `convert` writes it.
    RETURNS (TestSet): Its documents.
    RAISES (ValueError, FileNotFoundError): There is no such file, it can't be read, it has no
        documents, or two have the same id.
    """
    return make_test_set(iterate_docs(path), str(path))


def make_test_set(docs: Iterable[Doc], path: str) -> TestSet:
    """Make a test set of documents, as `convert` writes them.

    docs (Iterable[Doc]): The documents.
    path (str): Where they are from.
    RETURNS (TestSet): The test set.
    RAISES (ValueError): Two have the same id.
    """
    ids: list[str] = []
    groups, texts, covariates, lengths = [], [], [], []
    gold: list[dict[str, Any]] = []
    blocks: list[pd.DataFrame] = []
    places: dict[str, int] = {}
    # One at a time: documents are much larger than what is kept of them.
    for place, doc in enumerate(docs, start=1):
        name = str(doc.user_data.get("id", place))
        if places.setdefault(name, place) != place:
            raise ValueError(
                f"{path}: documents {places[name]} and {place} both have the id {name!r}. Expected "
                "a different id for each."
            )
        ids.append(name)
        groups.append(str(doc.user_data.get("group", name)))
        texts.append(doc.text)
        covariates.append(doc.user_data.get(COVARIATES))
        lengths.append(int(count_words([doc])[0]))
        gold.append(dict(observed_values(doc)))
        if len(gold) == BLOCK:
            blocks.append(pd.DataFrame(gold, dtype=float))
            gold = []
    if groups == texts:
        # Older versions of `convert` named a group of equal texts by the text. No text should be
        # written out as the name of a group.
        groups = first_ids(texts, ids)
    # A target that some documents don't have is NaN there.
    if gold or not blocks:
        blocks.append(pd.DataFrame(gold, range(len(gold)), dtype=float))
    values = pd.concat(blocks, ignore_index=True).reindex(range(len(ids)))
    return TestSet(path, ids, groups, texts, covariates, np.array(lengths, dtype=np.int64), values)


def read_docs(path: str | Path) -> list[Doc]:
    """Read the documents of a .spacy file, as `iterate_docs` does, into a list."""
    return list(iterate_docs(path))


def count_words(docs: Sequence[Doc]) -> NDArray[np.int64]:
    """Count each document's words: tokens that aren't white space."""
    return np.array([len(doc) - int(doc.to_array(IS_SPACE).sum()) for doc in docs], dtype=np.int64)
