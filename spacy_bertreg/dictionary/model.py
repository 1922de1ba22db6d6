"""What `dictionary_regressor` has learned: terms, the rules for their context, and the readout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from ..data.covariates import CovariateScale
from .context_rules import ContextRules
from .features import Matches, TermFeatures
from .lexicon import Lexicon
from .readouts import Readout
from .term_matcher import Match, MatchOn, TermMatcher

Floats = NDArray[np.float64]


class TermFinder:
    """Finds terms and turns them into features."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        lexicon: Lexicon,
        context: Lexicon,
        *,
        case_sensitive: bool,
        match_on: MatchOn,
        window: int,
    ) -> None:
        """tokenizer (Tokenizer): The pipeline's.
        lexicon (Lexicon): The terms.
        context (Lexicon): Words that change the weight of terms near them; empty for none.
        case_sensitive, match_on: See `TermMatcher`.
        window (int): See `ContextRules`.
        """
        self._matcher = TermMatcher(
            tokenizer, lexicon, case_sensitive=case_sensitive, match_on=match_on
        )
        self._rules: ContextRules | None = None
        if context:
            self._rules = ContextRules(
                tokenizer, context, lexicon, window=window, case_sensitive=case_sensitive
            )
        self._weights = np.array(lexicon.weights)
        self.features = TermFeatures(lexicon)

    def __call__(self, docs: Sequence[Doc]) -> tuple[list[list[Match]], Matches]:
        """docs (Sequence[Doc]): The documents.
        RETURNS (tuple[list[list[Match]], Matches]): The matches of each document, and of all.
        """
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
        sizes = [len(matches) for matches in found]
        documents = np.repeat(np.arange(len(docs)), sizes)
        return found, Matches(documents, entries, weights, n_words)


@dataclass(frozen=True)
class Explained:
    """Predictions and what they come from.

    scores (ndarray): Predictions, transformed as the targets are, shape (documents, targets).
    base (ndarray): What they would be without any term, of the same shape. Covariates count here.
    found (list[list[Match]]): The matches of each document.
    matches (Matches): The same, of all documents in one.
    contributions (ndarray): What each match adds to its document's prediction, shape (matches,
        targets). Base and contributions sum to the prediction.
    """

    scores: Floats
    base: Floats
    found: list[list[Match]]
    matches: Matches
    contributions: Floats


@dataclass(frozen=True)
class DictionaryModel:
    """Predicts from terms.

    lexicon (Lexicon): The terms.
    context (Lexicon): Words that change the weight of terms near them; empty for none.
    readout (Readout): From features to targets.
    finder (TermFinder): Finds the terms.
    without_words (tuple[float, ...]): Predictions for a document of nothing but white space.
    covariates (CovariateScale): What goes to the readout beside the features.
    name (str): The component's, for the errors.
    """

    lexicon: Lexicon
    context: Lexicon
    readout: Readout
    finder: TermFinder
    without_words: tuple[float, ...]
    covariates: CovariateScale
    name: str

    def predict(self, docs: Sequence[Doc]) -> Floats:
        """docs (Sequence[Doc]): The documents.
        RETURNS (ndarray): Predictions, shape (documents, targets)."""
        _, matches = self.finder(docs)
        scores = self.readout.predict(self._join(docs, matches, self._shares(matches)))
        scores[matches.n_words == 0] = self.without_words
        return scores

    def _shares(self, matches: Matches) -> Floats:
        return self.finder.features.shares(matches)

    def _join(self, docs: Sequence[Doc], matches: Matches, shares: Floats) -> Floats:
        sums = self.finder.features.sums(shares, matches)
        if not self.covariates.names:
            return sums
        return np.hstack([sums, self.covariates(docs, self.name)])

    def explain(self, docs: Sequence[Doc]) -> Explained:
        """docs (Sequence[Doc]): The documents.
        RETURNS (Explained): Predictions, and what each term adds to them."""
        found, matches = self.finder(docs)
        shares = self._shares(matches)
        features = self._join(docs, matches, shares)
        # No term has a share in a covariate.
        if beside := features.shape[1] - shares.shape[1]:
            shares = np.hstack([shares, np.zeros((len(shares), beside))])
        base, contributions = self.readout.contributions(features, shares, matches.documents)
        scores = self.readout.predict(features)
        scores[matches.n_words == 0] = base[matches.n_words == 0] = self.without_words
        return Explained(scores, base, found, matches, contributions)


def with_statistics(lexicon: Lexicon, explained: Explained) -> Lexicon:
    """lexicon (Lexicon): The terms. explained (Explained): Of the training documents.
    RETURNS (Lexicon): The same with document frequencies and mean contributions."""
    matches = explained.matches
    pairs, inverse = np.unique(
        np.stack([matches.documents, matches.entries]), axis=1, return_inverse=True
    )
    sums = np.zeros((len(lexicon), explained.scores.shape[1]))
    np.add.at(sums, pairs[1, inverse], explained.contributions)
    frequency = np.bincount(pairs[1], minlength=len(lexicon))
    with np.errstate(invalid="ignore"):
        mean = sums / np.where(frequency > 0, frequency, np.nan)[:, None]
    return Lexicon(
        lexicon.terms, lexicon.categories, lexicon.weights, tuple(frequency.tolist()), mean
    )
