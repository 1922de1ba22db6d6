"""Fit a dictionary: learn terms, if asked to, and the readout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

from ..data.covariates import CovariateScale
from .candidates import assign_folds, find_candidates
from .context_rules import read_context
from .coverage import report_coverage
from .features import Floats
from .formats import Duplicates, read_lexicon
from .learning import CrossFittedLexicon, Method, learn_lexicon
from .lexicon import LEARNED, Lexicon
from .model import DictionaryModel, add_statistics
from .pseudo_labels import LearningSet, PseudoLabels
from .readouts import Readout
from .readouts.ridge import Ridge
from .term_tokenizer import TermTokenizer
from .vectorizer import LexiconVectorizer, MatchSettings

N_FOLDS = 5


@dataclass(frozen=True)
class FitSettings:
    """What a dictionary is made from.

    component (str): The component's name, for the errors.
    lexicon (str | Path | None): The term list's file; see `read_lexicon` for the formats.
    duplicates (str): Which weight counts if a term has several in a category: that of its "first"
        or "last" line, or their "mean"; "error" to refuse such a term.
    encoding (str): The encoding of that file.
    learn (str | None): How to learn a list from the examples: "sensitivity", "elastic_net", or None
        for not at all.
    n_terms (int): Number of terms to learn, for each target.
    min_documents (int): Number of documents in which a term must occur to be learned.
    context (str | Path | None): Words that change the weight of terms near them: "en", or a file;
        see `read_context`. None for no such rules.
    seed (int): Seed of everything random.
    """

    component: str
    lexicon: str | Path | None
    duplicates: str
    encoding: str
    learn: str | None
    n_terms: int
    min_documents: int
    context: str | Path | None
    seed: int

    def __post_init__(self) -> None:
        where = f"[initialize.components.{self.component}]"
        methods = get_args(Method)
        if not self.lexicon and not self.learn:
            raise ValueError(
                f"Component {self.component!r} has no lexicon. Expected lexicon, the path of a "
                f"term list, or learn, one of {', '.join(methods)}, in {where}."
            )
        choices = {"learn": (*methods, None, ""), "duplicates": get_args(Duplicates)}
        for setting, expected in choices.items():
            if (value := getattr(self, setting)) not in expected:
                raise ValueError(
                    f"{setting} is {value!r} in {where}. Expected one of "
                    f"{', '.join(repr(choice) for choice in expected if choice)}."
                )
        for setting in ("n_terms", "min_documents"):
            if (number := getattr(self, setting)) < 1:
                raise ValueError(f"{setting} is {number} in {where}. Expected 1 or more.")

    def read_lexicon(self, *, case_sensitive: bool) -> Lexicon:
        """Read the given terms; empty for none."""
        if not self.lexicon:
            return Lexicon()
        given = read_lexicon(
            self.lexicon,
            case_sensitive=case_sensitive,
            duplicates=self.duplicates,  # type: ignore[arg-type]
            encoding=self.encoding,
        )
        if self.learn and any(given.is_learned):
            raise ValueError(
                f"{self.lexicon} has a category {LEARNED!r}, which is for learned terms."
            )
        return given


def fit_dictionary(
    docs: Sequence[Doc],
    groups: Sequence[str],
    targets: dict[str, Floats],
    weights: Floats,
    *,
    settings: FitSettings,
    matching: MatchSettings,
    readout: type[Readout],
    covariates: CovariateScale,
    pseudo_labels: PseudoLabels | None = None,
) -> DictionaryModel:
    """Fit a dictionary to documents.

    docs (Sequence[Doc]): The training documents.
    groups (Sequence[str]): The group of each.
    targets (dict[str, ndarray]): Values by target, NaN where unknown.
    weights (ndarray): How much each document counts, 0 for not at all.
    settings (FitSettings): What the dictionary is made from.
    matching (MatchSettings): How terms are matched.
    readout (type[Readout]): The readout to fit.
    covariates (CovariateScale): Numbers that go to the readout beside the terms.
    pseudo_labels (PseudoLabels | None): More documents to learn terms from.
    RETURNS (DictionaryModel): The fitted model.
    RAISES (ValueError): A list can't be read, nothing could be learned, or too few documents have a
        value for a target.
    """
    given = settings.read_lexicon(case_sensitive=matching.case_sensitive)
    rules = Lexicon()
    if settings.context:
        rules = read_context(settings.context, case_sensitive=matching.case_sensitive)
    # Sorted, so that the order of the documents makes no difference.
    columns = [*targets.values(), weights]
    used = np.flatnonzero(weights).tolist()
    order = sorted(used, key=lambda i: (docs[i].text, *(c[i] for c in columns)))
    docs = [docs[i] for i in order]
    targets = {name: values[order] for name, values in targets.items()}
    values = np.stack(list(targets.values()), axis=1)
    # LightGBM's limits on the sum of weights in a leaf are for weights of about 1.
    counts = None if np.ptp(weights[order]) == 0 else weights[order] / weights[order].mean()
    groups = [groups[i] for i in order]
    folds = assign_folds(groups, N_FOLDS, settings.seed)

    learned = CrossFittedLexicon(Lexicon(), {})
    if settings.learn:
        data = LearningSet(docs, targets, folds, counts, len(docs))
        if pseudo_labels is not None:
            data = data.add(pseudo_labels, groups)
        if given:
            # What the given terms explain does not have to be learned.
            features, _ = LexiconVectorizer(given, rules, matching).count(data.docs)
            ridge = Ridge.fit(features[: len(docs)], values, weights=counts)
            explained = zip(data.targets.items(), ridge.predict(features).T, strict=True)
            data = replace(data, targets={name: y - part for (name, y), part in explained})
        learned = _learn(data, settings, matching)
    vectorizer = LexiconVectorizer(given + learned.lexicon, rules, matching)
    by_fold = {fold: given + lexicon for fold, lexicon in learned.by_fold.items()}
    features, n_words = _features(docs, folds, vectorizer, by_fold)
    # A document without words is no evidence of what documents without terms are like.
    rows = np.flatnonzero(n_words > 0)
    for name, column in zip(targets, values[rows].T, strict=True):
        n_known = int((~np.isnan(column)).sum())
        if n_known < readout.min_documents:
            raise ValueError(
                f"{n_known} training documents have words and a value for the target {name!r}. "
                f"Expected at least {readout.min_documents} for this readout."
            )
    features = np.hstack([features, covariates(docs, settings.component)])
    row_counts = None if counts is None else counts[rows]
    fitted = readout.fit(features[rows], values[rows], folds[rows], settings.seed, row_counts)
    means = tuple(_mean(column, counts) for column in values.T)
    model = DictionaryModel(vectorizer, fitted, means, covariates)
    vectorizer.lexicon = add_statistics(vectorizer.lexicon, model.explain_in_parts(docs))
    if settings.lexicon:
        report_coverage(
            given,
            vectorizer.lexicon.document_frequency[: len(given)],
            len(docs),
            Path(settings.lexicon).name,
            TermTokenizer(matching.tokenizer, case_sensitive=matching.case_sensitive),
        )
    return model


def _learn(data: LearningSet, settings: FitSettings, matching: MatchSettings) -> CrossFittedLexicon:
    candidates = find_candidates(
        data.docs,
        attribute="lemma_" if matching.match_on == "lemma" else "orth_",
        case_sensitive=matching.case_sensitive,
        min_documents=settings.min_documents,
    )
    if not candidates.terms:
        raise ValueError(
            f"No word occurs in {settings.min_documents} of the {len(data.docs)} documents, so "
            "no list can be learned. Expected a lower min_documents, or more documents."
        )
    learned = learn_lexicon(
        settings.learn,  # type: ignore[arg-type]
        candidates,
        data.targets,
        data.folds,
        n_terms=settings.n_terms,
        seed=settings.seed,
        weights=data.weights,
        n_labelled=data.n_labelled,
    )
    if not learned.lexicon:
        raise ValueError("No word predicts the target, so the learned list is empty.")
    return learned


def _features(
    docs: Sequence[Doc],
    folds: NDArray[np.int64],
    vectorizer: LexiconVectorizer,
    by_fold: dict[int, Lexicon],
) -> tuple[Floats, NDArray[np.int64]]:
    """Compute the features of the documents and their numbers of words. With learned lexicons, the
    features of a fold come from the lexicon that was learned without it."""
    if not by_fold:
        return vectorizer.count(docs)
    features = np.zeros((len(docs), len(vectorizer.feature_names)))
    n_words = np.zeros(len(docs), dtype=np.int64)
    for fold, lexicon in by_fold.items():
        rows = np.flatnonzero(folds == fold)
        held_out = LexiconVectorizer(lexicon, vectorizer.context, vectorizer.settings)
        found, n_words[rows] = held_out.count([docs[row] for row in rows.tolist()])
        for column, name in enumerate(vectorizer.feature_names):
            if name in held_out.feature_names:
                features[rows, column] = found[:, held_out.feature_names.index(name)]
    return features, n_words


def _mean(values: Floats, weights: Floats | None) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=None if weights is None else weights[known]))
