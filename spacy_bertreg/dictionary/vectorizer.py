"""Turns documents into features, by the terms of a lexicon that they hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from .context_rules import ContextRules
from .features import Floats, MatchTable, TermFeatures
from .lexicon import Lexicon
from .term_matcher import Match, MatchOn, TermMatcher

# Documents whose matches are held in memory at a time, where there may be any number of them.
READ_AT_ONCE = 4096


@dataclass(frozen=True)
class MatchSettings:
    """How terms are matched.

    component (str): The component's name, for the errors.
    tokenizer (Tokenizer): The pipeline's, for terms of several tokens.
    case_sensitive (bool): Whether a term matches only in the case in which it is listed.
    match_on (str): What of a token is compared with a term, "text" or "lemma".
    context_window (int): Number of words before a term that can change its weight.
    """

    component: str
    tokenizer: Tokenizer
    case_sensitive: bool
    match_on: MatchOn
    context_window: int

    def add_lemmas(self, docs: list[Doc], nlp: Language | None) -> list[Doc]:
        """Copy documents and run the components before this one, if lemmas are matched.

        docs (list[Doc]): The documents.
        nlp (Language | None): The pipeline; None to leave the documents as they are.
        RETURNS (list[Doc]): The copies, or the documents.
        RAISES (ValueError): A document has no lemmas.
        """
        if self.match_on == "lemma" and nlp is not None:
            docs = [doc.copy() for doc in docs]
            for _, component in nlp.pipeline[: nlp.pipe_names.index(self.component)]:
                docs = [component(doc) for doc in docs]
        self.check_lemmas(docs)
        return docs

    def check_lemmas(self, docs: Iterable[Doc]) -> None:
        """Raise a ValueError if lemmas are to be matched, and a document has none."""
        if self.match_on == "lemma" and not all(doc.has_annotation("LEMMA") for doc in docs):
            raise ValueError(
                f"match_on is 'lemma' in [components.{self.component}], but the documents have no "
                "lemmas. Expected a lemmatizer before it in the pipeline."
            )


@dataclass(frozen=True)
class TermVectors:
    """The terms found in some documents, and the documents' features.

    matches (list[list[Match]]): The matches of each document.
    table (MatchTable): The matches of all documents.
    shares (ndarray): What each match adds to each feature of its document, shape (matches,
        features).
    features (ndarray): The sums of the shares, shape (documents, features).
    """

    matches: list[list[Match]]
    table: MatchTable
    shares: Floats
    features: Floats


class LexiconVectorizer:
    """Finds terms and turns them into features.

    lexicon (Lexicon): The terms.
    context (Lexicon): Words that change the weight of terms near them; empty for none.
    settings (MatchSettings): How terms are matched.
    feature_names (tuple[str, ...]): Names of the features.
    """

    def __init__(self, lexicon: Lexicon, context: Lexicon, settings: MatchSettings) -> None:
        """Create a vectorizer. See the class for the arguments."""
        self.lexicon = lexicon
        self.context = context
        self.settings = settings
        tokenizer, case_sensitive = settings.tokenizer, settings.case_sensitive
        self._matcher = TermMatcher(
            tokenizer, lexicon, case_sensitive=case_sensitive, match_on=settings.match_on
        )
        self._rules: ContextRules | None = None
        if context:
            window = settings.context_window
            self._rules = ContextRules(
                tokenizer, context, lexicon, window=window, case_sensitive=case_sensitive
            )
        self._weights = np.array(lexicon.weights)
        self._features = TermFeatures(lexicon)
        self.feature_names = self._features.names

    def __call__(self, docs: Sequence[Doc]) -> TermVectors:
        """Find the terms of documents and compute the features.

        RAISES (ValueError): Lemmas are to be matched, and a document has none.
        """
        self.settings.check_lemmas(docs)
        scanned = [self._matcher.scan(doc) for doc in docs]
        found = [matches for matches, _ in scanned]
        n_words = np.array([n for _, n in scanned], dtype=np.int64)
        entries = np.array([m.entry for matches in found for m in matches], dtype=np.int64)
        if self._rules is None:
            weights = self._weights[entries]
        else:
            pairs = zip(docs, found, strict=True)
            changed = [w for doc, matches in pairs for w in self._rules(doc, matches)]
            weights = np.array(changed, dtype=np.float64)
        documents = np.repeat(np.arange(len(docs)), [len(matches) for matches in found])
        table = MatchTable(documents, entries, weights, n_words)
        shares = self._features.shares(table)
        return TermVectors(found, table, shares, self._features.sums(shares, table))

    def count(self, docs: Sequence[Doc]) -> tuple[Floats, NDArray[np.int64]]:
        """Compute the features alone, of any number of documents.

        docs (Sequence[Doc]): The documents.
        RETURNS (tuple[ndarray, ndarray]): The features, shape (documents, features), and the
            documents' numbers of words.
        RAISES (ValueError): Lemmas are to be matched, and a document has none.
        """
        features = np.zeros((len(docs), len(self.feature_names)))
        n_words = np.zeros(len(docs), dtype=np.int64)
        for start in range(0, len(docs), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            found = self(docs[part])
            features[part], n_words[part] = found.features, found.table.n_words
        return features, n_words
