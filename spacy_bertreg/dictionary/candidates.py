"""The terms that a learned list may hold, and where they occur.

Candidates are the words of the texts and their stems: `love` and `love*`. A linear model over both
gives rare words the weight of their relatives. As a list, in which the most specific term counts
for a word, it is the same model: each entry then weighs as much as all candidates that match it
together.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from .features import Floats
from .globs import escape
from .lexicon import LEARNED, Lexicon, normalize

STEM_LENGTHS = (4, 5)


@dataclass(frozen=True)
class Occurrences:
    """Which candidates occur in which documents: a sparse matrix of documents by candidates.

    terms (tuple[str, ...]): The candidates.
    parents (ndarray): For each, the index of the longest other candidate that matches all that it
        matches, -1 for none.
    documents (ndarray): The document of each occurrence, ascending.
    candidates (ndarray): The candidate of each occurrence.
    values (ndarray): 1 divided by the root of the document's number of words.
    n_documents (int): Number of documents.
    """

    terms: tuple[str, ...]
    parents: NDArray[np.int64]
    documents: NDArray[np.int64]
    candidates: NDArray[np.int64]
    values: Floats
    n_documents: int

    def select(self, rows: NDArray[np.int64]) -> "Occurrences":
        """Select documents by their indices, ascending, and number them anew."""
        new_rows = np.full(self.n_documents, -1)
        new_rows[rows] = np.arange(len(rows))
        documents = new_rows[self.documents]
        kept = documents >= 0
        return Occurrences(
            self.terms,
            self.parents,
            documents[kept],
            self.candidates[kept],
            self.values[kept],
            len(rows),
        )

    def predict(self, weights: Floats) -> Floats:
        """Sum for each document the values times the candidates' weights."""
        sums = np.zeros(self.n_documents)
        np.add.at(sums, self.documents, self.values * weights[self.candidates])
        return sums

    def to_lexicon(self, weights: Floats, n_terms: int, category: str = LEARNED) -> Lexicon:
        """Turn a linear model over the candidates into a list.

        weights (ndarray): The weight of each candidate in the model.
        n_terms (int): Number of candidates to keep: those with the greatest weight times root mean
            square of the values.
        category (str): The terms' category.
        RETURNS (Lexicon): The list, in alphabetical order.
        """
        squares = np.zeros(len(self.terms))
        np.add.at(squares, self.candidates, self.values**2)
        importance = np.abs(weights) * np.sqrt(squares / max(self.n_documents, 1))
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
    texts = [_words(doc, attribute, case_sensitive) for doc in docs]
    in_documents: Counter[str] = Counter()
    for words in texts:
        in_documents.update({term for word in words for term in _candidates(word)})
    frequent = (term for term, n in in_documents.items() if n >= min_documents)
    terms = sorted(frequent, key=lambda term: (not term.endswith("*"), len(term), term))
    index = {term: number for number, term in enumerate(terms)}
    documents, candidates, values = [], [], []
    for number, words in enumerate(texts):
        for word in words:
            for term in _candidates(word):
                if term in index:
                    documents.append(number)
                    candidates.append(index[term])
                    values.append(len(words) ** -0.5)
    return Occurrences(
        tuple(terms),
        np.array([_parent(term, index) for term in terms], dtype=np.int64),
        np.array(documents, dtype=np.int64),
        np.array(candidates, dtype=np.int64),
        np.array(values),
        len(texts),
    )


def _words(doc: Doc, attribute: str, case_sensitive: bool) -> list[str]:
    words = (getattr(token, attribute) for token in doc if not token.is_space)
    return [normalize(word, case_sensitive=case_sensitive) for word in words if word]


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
    seed (int): Of the draw.
    RETURNS (ndarray): The fold of each document.
    """
    unique, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    fold_of_group = np.empty(len(unique), dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(unique))
    fold_of_group[order] = np.arange(len(unique)) % n_folds
    return fold_of_group[codes]
