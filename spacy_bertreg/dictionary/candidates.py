"""The terms that a learned list may hold, and where they occur.

Candidates are the words of the texts and their stems: `love` and `love*`. A linear model over both
gives rare words the weight of related words. A list, in which only the most specific term counts
for a word, can express the same model: each entry weighs the sum of all candidates that match it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE, LEMMA, ORTH
from spacy.tokens import Doc

from .features import Floats
from .globs import escape
from .lexicon import LEARNED, Lexicon, normalize

STEM_LENGTHS = (4, 5)


@dataclass(frozen=True)
class Occurrences:
    """Which candidates occur in which documents: a sparse matrix of documents by candidates, in
    compressed rows.

    terms (tuple[str, ...]): The candidates.
    parents (ndarray): For each, the index of the longest other candidate that matches all that it
        matches, -1 for none.
    starts (ndarray): Where each document's occurrences start, and where the last one's end, shape
        (documents + 1,).
    candidates (ndarray): The candidate of each occurrence. A candidate that occurs twice in a
        document is there twice.
    scales (ndarray): For each document, the value of its occurrences: 1 divided by the root of its
        number of words.
    """

    terms: tuple[str, ...]
    parents: NDArray[np.int64]
    starts: NDArray[np.int64]
    candidates: NDArray[np.int32]
    scales: Floats

    @property
    def n_documents(self) -> int:
        """Get the number of documents."""
        return len(self.scales)

    @property
    def documents(self) -> NDArray[np.int64]:
        """Get the document of each occurrence, ascending."""
        return np.repeat(np.arange(self.n_documents), np.diff(self.starts))

    @property
    def values(self) -> Floats:
        """Get the value of each occurrence."""
        return np.repeat(self.scales, np.diff(self.starts))

    def select(self, rows: NDArray[np.int64]) -> "Occurrences":
        """Select documents by their indices, ascending, and number them anew."""
        is_selected = np.zeros(self.n_documents, dtype=bool)
        is_selected[rows] = True
        lengths = np.diff(self.starts)
        return Occurrences(
            self.terms,
            self.parents,
            _to_starts(lengths[is_selected]),
            self.candidates[np.repeat(is_selected, lengths)],
            self.scales[is_selected],
        )

    def select_candidates(self, kept: NDArray[np.int64]) -> "Occurrences":
        """Select candidates by their indices, ascending, and number them anew; all documents stay,
        and none of the selected has a parent any more."""
        if len(kept) == len(self.terms):
            return self
        new = np.full(len(self.terms), -1, dtype=np.int32)
        new[kept] = np.arange(len(kept))
        candidates = new[self.candidates]
        is_kept = candidates >= 0
        lengths = np.bincount(self.documents[is_kept], minlength=self.n_documents)
        return Occurrences(
            tuple(self.terms[index] for index in kept),
            np.full(len(kept), -1),
            _to_starts(lengths),
            candidates[is_kept],
            self.scales,
        )

    def predict(self, weights: Floats) -> Floats:
        """Sum for each document the values times the candidates' weights."""
        values = self.values * weights[self.candidates]
        return np.bincount(self.documents, values, self.n_documents).astype(np.float64)

    def spread(self) -> Floats:
        """Compute the root mean square of each candidate's values."""
        squares = np.bincount(self.candidates, self.values**2, minlength=len(self.terms))
        return np.sqrt(squares / max(self.n_documents, 1))

    def to_lexicon(self, weights: Floats, n_terms: int, category: str = LEARNED) -> Lexicon:
        """Turn a linear model over the candidates into a list.

        weights (ndarray): The weight of each candidate in the model.
        n_terms (int): Number of candidates to keep: those with the greatest weight times root mean
            square of the values.
        category (str): The terms' category.
        RETURNS (Lexicon): The list, in alphabetical order.
        """
        importance = np.abs(weights) * self.spread()
        order = np.argsort(-importance, kind="stable")[:n_terms]
        kept = np.zeros(len(weights), dtype=bool)
        kept[order[importance[order] > 0]] = True
        total = np.where(kept, weights, 0.0)
        # `find_candidates` sorts parents, which are shorter stems, before their children.
        for child in np.flatnonzero(self.parents >= 0):
            total[child] += total[self.parents[child]]
        chosen = sorted((self.terms[index], float(total[index])) for index in np.flatnonzero(kept))
        return Lexicon(
            tuple(term for term, _ in chosen),
            (category,) * len(chosen),
            tuple(weight for _, weight in chosen),
        )


def find_candidates(
    docs: Iterable[Doc], *, attribute: str, case_sensitive: bool, min_documents: int
) -> Occurrences:
    """Find the candidates in documents.

    docs (Iterable[Doc]): The training documents.
    attribute (str): What of a token counts, "orth_" or "lemma_".
    case_sensitive (bool): Whether "US" and "us" are different words.
    min_documents (int): Number of documents in which a candidate must occur.
    RETURNS (Occurrences): The candidates in them.
    """
    texts, words = _read_words(docs, attribute, case_sensitive)
    of_words = [_candidates(word) for word in words]
    terms = sorted({term for own in of_words for term in own}, key=_shorter_stems_first)
    index = {term: number for number, term in enumerate(terms)}
    # The candidates of each word; -1 where there is none, or none that is frequent enough.
    table = np.full((len(words), len(STEM_LENGTHS) + 1), -1, dtype=np.int32)
    for row, own in zip(table, of_words, strict=True):
        row[: len(own)] = [index[term] for term in own]
    in_documents = np.zeros(len(terms) + 1, dtype=np.int64)
    for text in texts:
        # -1 is the last, which is none of the terms.
        in_documents[np.unique(table[text])] += 1
    is_frequent = in_documents >= min_documents
    is_frequent[-1] = False
    table = np.where(is_frequent, np.cumsum(is_frequent) - 1, -1).astype(np.int32)[table]
    terms = [terms[number] for number in np.flatnonzero(is_frequent)]
    index = {term: number for number, term in enumerate(terms)}
    found = [(row := table[text].ravel())[row >= 0] for text in texts]
    return Occurrences(
        tuple(terms),
        np.array([_parent(term, index) for term in terms], dtype=np.int64),
        _to_starts([len(own) for own in found]),
        np.concatenate([*found, np.zeros(0, dtype=np.int32)]),
        np.array([max(len(text), 1) ** -0.5 for text in texts]),
    )


def _read_words(
    docs: Iterable[Doc], attribute: str, case_sensitive: bool
) -> tuple[list[NDArray[np.int32]], list[str]]:
    """Read the words of documents, each different token once.

    RETURNS (tuple): For each document the indices of its words, and the different words.
    """
    key_name = LEMMA if attribute == "lemma_" else ORTH
    words: dict[str, int] = {}
    word_of_key: dict[int, int] = {}
    texts = []
    for doc in docs:
        keys, is_space = doc.to_array([key_name, IS_SPACE]).T
        # The key of an empty text is 0.
        kept = keys[(is_space == 0) & (keys != 0)].tolist()
        for key in set(kept).difference(word_of_key):
            # A key is the same in all vocabularies, but only the document's has its text.
            word = normalize(doc.vocab.strings[key], case_sensitive=case_sensitive)
            word_of_key[key] = words.setdefault(word, len(words))
        texts.append(np.array([word_of_key[key] for key in kept], dtype=np.int32))
    return texts, list(words)


def _shorter_stems_first(term: str) -> tuple[bool, int, str]:
    return not term.endswith("*"), len(term), term


def _to_starts(lengths: "Sequence[int] | NDArray[np.int64]") -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _candidates(word: str) -> list[str]:
    if not word.isalpha():
        return [escape(word)]
    return [f"{word[:length]}*" for length in STEM_LENGTHS if length <= len(word)] + [word]


def _parent(term: str, index: dict[str, int]) -> int:
    is_stem = term.endswith("*")
    word = term[:-1] if is_stem else term
    if not word.isalpha():
        return -1
    # A word as long as a stem is matched by it as well: love* matches love.
    longest = len(word) - 1 if is_stem else len(word)
    stems = (f"{word[:length]}*" for length in reversed(STEM_LENGTHS) if length <= longest)
    return next((index[stem] for stem in stems if stem in index), -1)


def assign_folds(groups: Sequence[str], n_folds: int, seed: int) -> NDArray[np.int64]:
    """Draw folds of documents for cross-validation; groups are kept whole.

    groups (Sequence[str]): The group of each document.
    n_folds (int): Number of folds, if there are as many groups.
    seed (int): Seed of the draw.
    RETURNS (ndarray): The fold of each document.
    """
    unique, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    fold_of_group = np.empty(len(unique), dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(unique))
    fold_of_group[order] = np.arange(len(unique)) % n_folds
    return fold_of_group[codes]
