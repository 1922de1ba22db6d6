"""What `dictionary_regressor` learns: the terms, the rules for their context, and the readout."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..data.covariates import CovariateScale
from .features import Floats, MatchTable
from .lexicon import Lexicon
from .readouts import Readout
from .term_matcher import Match
from .vectorizer import READ_AT_ONCE, LexiconVectorizer


@dataclass(frozen=True)
class Explanation:
    """Predictions and what they come from. Base and contributions sum to the prediction.

    predictions (ndarray): On the targets' transformed scale, shape (documents, targets).
    base (ndarray): The predictions without any term, of the same shape. Covariates count here.
    matches (list[list[Match]]): The matches of each document.
    table (MatchTable): The matches of all documents.
    contributions (ndarray): What each match adds to its document's prediction, shape (matches,
        targets).
    """

    predictions: Floats
    base: Floats
    matches: list[list[Match]]
    table: MatchTable
    contributions: Floats


@dataclass(frozen=True)
class DictionaryModel:
    """Predicts from terms.

    vectorizer (LexiconVectorizer): From documents to features. Has the terms.
    readout (Readout): From features to targets.
    without_words (tuple[float, ...]): Predictions for a document of nothing but white space.
    covariates (CovariateScale): What goes to the readout beside the features.
    """

    vectorizer: LexiconVectorizer
    readout: Readout
    without_words: tuple[float, ...]
    covariates: CovariateScale

    @property
    def n_parameters(self) -> int:
        """Get the number of learned weights of terms, and of the readout's parameters."""
        return sum(self.vectorizer.lexicon.is_learned) + self.readout.n_parameters

    def predict(self, docs: Sequence[Doc]) -> Floats:
        """Predict the targets of documents, shape (documents, targets)."""
        found = self.vectorizer(docs)
        predictions = self.readout.predict(self._add_covariates(found.features, docs))
        predictions[found.table.n_words == 0] = self.without_words
        return predictions

    def explain(self, docs: Sequence[Doc]) -> Explanation:
        """Predict the targets of documents, and say what each term adds to them."""
        found = self.vectorizer(docs)
        features = self._add_covariates(found.features, docs)
        # No term has a share in a covariate.
        n_covariates = features.shape[1] - found.shares.shape[1]
        shares = np.pad(found.shares, ((0, 0), (0, n_covariates)))
        base, contributions = self.readout.contributions(features, shares, found.table.documents)
        predictions = self.readout.predict(features)
        empty = found.table.n_words == 0
        predictions[empty] = base[empty] = self.without_words
        return Explanation(predictions, base, found.matches, found.table, contributions)

    def explain_in_parts(self, docs: Sequence[Doc]) -> Iterator[Explanation]:
        """Explain many documents, so many at a time that memory does not grow with them."""
        for start in range(0, len(docs), READ_AT_ONCE):
            yield self.explain(docs[start : start + READ_AT_ONCE])

    def _add_covariates(self, features: Floats, docs: Sequence[Doc]) -> Floats:
        if not self.covariates.names:
            return features
        return np.hstack([features, self.covariates(docs, self.vectorizer.settings.component)])

    def to_dict(self) -> dict[str, Any]:
        """Serialize all but the terms and the context, for msgpack."""
        return {
            "readout": self.readout.to_dict(),
            "without_words": list(self.without_words),
            "covariates": self.covariates.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], vectorizer: LexiconVectorizer, readout: type[Readout]
    ) -> "DictionaryModel":
        """Create the model from what `to_dict` gave."""
        return cls(
            vectorizer,
            readout.from_dict(data["readout"]),
            tuple(data["without_words"]),
            CovariateScale.from_dict(data["covariates"]),
        )


def add_statistics(lexicon: Lexicon, explanations: Iterable[Explanation]) -> Lexicon:
    """Add document frequencies and mean contributions to a lexicon.

    lexicon (Lexicon): The terms.
    explanations (Iterable[Explanation]): Of the training documents, in parts.
    RETURNS (Lexicon): The terms with statistics.
    """
    frequency = np.zeros(len(lexicon), dtype=np.int64)
    sums: Floats = np.zeros((len(lexicon), 0))
    for explanation in explanations:
        table = explanation.table
        # Each pair of document and term once.
        n_terms = max(len(lexicon), 1)
        pairs = np.unique(table.documents * n_terms + table.entries)
        frequency += np.bincount(pairs % n_terms, minlength=len(lexicon))
        if not sums.size:
            sums = np.zeros((len(lexicon), explanation.predictions.shape[1]))
        np.add.at(sums, table.entries, explanation.contributions)
    with np.errstate(invalid="ignore"):
        mean = sums / np.where(frequency > 0, frequency, np.nan)[:, None]
    return replace(lexicon, document_frequency=tuple(frequency.tolist()), contribution=mean)
