"""`dictionary_regressor`: predicts numbers from a weighted list of terms."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import srsly
from numpy.typing import NDArray
from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example, validate_get_examples
from thinc.api import Config
from wasabi import msg

from ..data.annotations import register_extension
from ..data.covariates import CovariateScale, copy_covariates
from ..data.weights import training_weights
from ..dictionary.coverage import coverage
from ..dictionary.cuts import TermCutter
from ..dictionary.fitting import fit_dictionary
from ..dictionary.formats import Duplicates, parse_saved, read_lexicon
from ..dictionary.learning import Method
from ..dictionary.lexicon import LEARNED, Lexicon, is_learned
from ..dictionary.model import DictionaryModel, Explained, TermFinder
from ..dictionary.readouts import READOUTS
from ..dictionary.term_matcher import MatchOn
from ..evaluation.scorer import SCORE_WEIGHTS, regression_score
from ..targets.gold import resolve_targets
from ..targets.predictions import Predictions
from ..targets.scale import TargetScale
from ..targets.transforms import resolve_transforms
from ..training.training_record import TrainingRecord
from .regressor import PipelineReference, Regressor, check_choice, check_output_key

# spaCy's batches of 1,000 documents leave the processor's cache before they are scored.
MAX_BATCH_SIZE = 64

DEFAULT_CONFIG_STR = """
[dictionary_regressor]
output_key = "{target}"
case_sensitive = false
match_on = "text"
context_window = 3
readout = "ridge"
transform = "standardize"
bounds = null
smearing = false
covariates = []
spans_key = "{name}"
scorer = {"@scorers":"spacy-bertreg.regression_scorer.v1"}
"""
DEFAULT_CONFIG = Config().from_str(DEFAULT_CONFIG_STR)["dictionary_regressor"]


@Language.factory(
    "dictionary_regressor",
    assigns=["doc.cats", "doc._.score", "doc._.interval", "doc.spans"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_dictionary_regressor(
    nlp: Language,
    name: str,
    output_key: str,
    case_sensitive: bool,
    match_on: str,
    context_window: int,
    readout: str,
    transform: str | dict[str, str],
    bounds: list[float] | dict[str, list[float]] | None,
    smearing: bool,
    covariates: list[str],
    spans_key: str | None,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "DictionaryRegressor":
    """Create a DictionaryRegressor; see there for the arguments.

    RAISES (ValueError): Another one of the pipeline writes to the same place in `doc.spans`."""
    component = DictionaryRegressor(
        nlp.tokenizer,
        name,
        output_key=output_key,
        case_sensitive=case_sensitive,
        match_on=match_on,
        context_window=context_window,
        readout=readout,
        transform=transform,
        bounds=bounds,
        smearing=smearing,
        covariates=covariates,
        spans_key=spans_key,
        scorer=scorer,
    )
    component.pipeline = PipelineReference(nlp)
    for other, part in nlp.pipeline:
        own = getattr(part, "spans_key", None) if isinstance(part, DictionaryRegressor) else None
        if own is not None and own == component.spans_key:
            raise ValueError(
                f"The components {other!r} and {name!r} both write to doc.spans[{own!r}]. Expected "
                f"different keys, as with spans_key = '{{name}}' in [components.{name}]."
            )
    return component


class DictionaryRegressor(Regressor, Pipe):
    """Predict one number for each target and document from the terms of a lexicon that it holds,
    written to `doc.cats[target]` in the target's unit. Learned as a whole in `initialize`.

    The terms are in `doc.spans["dictionary_regressor"]`: `span.label_` is the term as listed,
    `span.id_` its category, `span.kb_id_` the dictionary's key in `doc.spans`, and
    `span._.contribution` what it adds to the prediction: in the
    target's unit, or on the transformed scale where the transform is curved.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        name: str = "dictionary_regressor",
        *,
        output_key: str = "{target}",
        case_sensitive: bool = False,
        match_on: str = "text",
        context_window: int = 3,
        readout: str = "ridge",
        transform: str | dict[str, str] = "standardize",
        bounds: Sequence[float] | dict[str, list[float]] | None = None,
        smearing: bool = False,
        covariates: Sequence[str] = (),
        spans_key: str | None = "{name}",
        scorer: Callable[..., dict[str, Any]] | None = regression_score,
    ) -> None:
        """Create an untrained component.

        tokenizer (Tokenizer): The pipeline's, for terms of several tokens.
        name (str): Name of the component in the pipeline.
        output_key (str): Key of a prediction in `doc.cats`, with the fields {target} and {name}.
        case_sensitive (bool): Whether a term matches only in the case in which it is listed.
        match_on (str): What of a token is compared with a term, "text" or "lemma".
        context_window (int): How many words before a term can change its weight, if `context` is
            set in the initialization.
        readout (str): "ridge", "random_forest" or "gradient_boosting".
        transform (str | dict[str, str]): "none", "standardize" (which makes no difference here),
            "log1p", "asinh" or "logit", for all targets or by target; see `TargetScale`.
        bounds (Sequence[float] | dict[str, list[float]] | None): Low and high end of the target's
            range, for "logit".
        smearing (bool): Whether to predict the mean in the target's unit where the transform is
            curved, by Duan's smearing (1983) with the residuals of the training documents.
        covariates (Sequence[str]): Numbers in `doc.user_data["covariates"]` that go to the readout
            beside the terms; "log_length" is made from the document.
        spans_key (str | None): Where in `doc.spans` the matched terms are put, with the field
            {name}; None for nowhere, which is faster.
        scorer (Callable | None): Compares predictions with observed values.
        RAISES (ValueError): `output_key` does not hold {target}, or another setting is not one of
            those above.
        """
        self.tokenizer = tokenizer
        self.name = name
        where = f"[components.{name}]"
        self.cfg = {
            "targets": [],
            "output_key": check_output_key(output_key, name),
            "case_sensitive": case_sensitive,
            "match_on": check_choice("match_on", match_on, get_args(MatchOn), where),
            "context_window": context_window,
            "readout": check_choice("readout", readout, READOUTS, where),
            "transform": transform,
            "bounds": bounds if bounds is None or isinstance(bounds, dict) else list(bounds),
            "smearing": smearing,
            "covariates": list(covariates),
            "spans_key": spans_key,
        }
        if context_window < 1:
            raise ValueError(f"context_window is {context_window} in {where}. Expected 1 or more.")
        self.scorer = scorer
        self.record = TrainingRecord()
        self._model: DictionaryModel | None = None

    @property
    def spans_key(self) -> str | None:
        """RETURNS (str | None): Where in `doc.spans` the matched terms are; None for nowhere."""
        key = self.cfg["spans_key"]
        return None if key is None else str(key).replace("{name}", self.name)

    @property
    def lexicon(self) -> Lexicon:
        """RETURNS (Lexicon): The terms; empty before initialization."""
        return self._model.lexicon if self._model else Lexicon()

    @property
    def n_parameters(self) -> int:
        """RETURNS (int): How many numbers were learned: weights of terms, and the readout."""
        if self._model is None:
            return 0
        learned = sum(map(is_learned, self.lexicon.categories))
        return learned + self._model.readout.n_parameters

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        lexicon: str | Path | None = None,
        duplicates: str = "error",
        encoding: str = "utf-8",
        learn: str | None = None,
        n_terms: int = 2000,
        min_documents: int = 2,
        context: str | Path | None = None,
        seed: int = 0,
        targets: Sequence[str] | None = None,
    ) -> None:
        """Read the lexicon, or learn one, or both, and fit the readout.

        get_examples (Callable): Returns the training examples, with numbers in
            `example.reference.cats`. NaN or no value: unknown. Documents with the same
            `reference.user_data["group"]` stay together where settings are chosen, and
            `reference.user_data["weight"]` says how much a document counts, 1 by default.
        nlp (Language | None): The pipeline.
        lexicon (str | Path | None): The term list's file; see `read_lexicon` for the formats.
        duplicates (str): Which weight counts of a term that has several in a category: of the
            "first" or "last" of its lines, or their "mean"; "error" for none.
        encoding (str): The encoding of that file.
        learn (str | None): How to learn a list from the examples: "sensitivity", "elastic_net", or
            None for not at all.
        n_terms (int): How many terms to learn, for each target.
        min_documents (int): In how many documents a term must occur to be learned.
        context (str | Path | None): Words that change the weight of terms near them: "en", or a
            file; see `read_context`. None for no such rules.
        seed (int): Of everything random.
        targets (Sequence[str] | None): Names of the targets. None for all keys of `cats`, in
            order of appearance; needed if `cats` holds other components' labels too.
        RAISES (ValueError): No list is named or to be learned, or it can't be read, no targets in
            the examples, or a value is not finite.
        """
        validate_get_examples(get_examples, "DictionaryRegressor.initialize")
        where = f"[initialize.components.{self.name}]"
        if not lexicon and not learn:
            raise ValueError(
                f"Component {self.name!r} has no lexicon. Expected lexicon, the path of a term "
                f"list, or learn, one of {', '.join(get_args(Method))}, in {where}."
            )
        if learn:
            check_choice("learn", learn, get_args(Method), where)
        check_choice("duplicates", duplicates, get_args(Duplicates), where)
        for setting, value in (("n_terms", n_terms), ("min_documents", min_documents)):
            if value < 1:
                raise ValueError(f"{setting} is {value} in {where}. Expected 1 or more.")
        examples = list(get_examples())
        self.begin_training(nlp, [eg.reference for eg in examples])
        for example in examples:
            copy_covariates(example.reference, example.predicted)
        names, values = resolve_targets(examples, targets, self.name)
        kinds, limits = resolve_transforms(
            names, self.cfg["transform"], self.cfg["bounds"], f"[components.{self.name}]"
        )
        self.scale = TargetScale.fit(names, values, kinds, limits)
        docs = self._documents(examples, nlp)
        weights = training_weights(examples, self.name)
        given = Lexicon()
        if lexicon:
            given = read_lexicon(
                lexicon,
                case_sensitive=self.cfg["case_sensitive"],
                duplicates=duplicates,  # type: ignore[arg-type]
                encoding=encoding,
            )
        if learn and any(map(is_learned, given.categories)):
            raise ValueError(f"{lexicon} has a category {LEARNED!r}, which is for learned terms.")
        transformed = self.scale.transform(values)
        self._model = fit_dictionary(
            docs,
            [str(eg.reference.user_data.get("group", eg.reference.text)) for eg in examples],
            dict(zip(names, transformed.T, strict=True)),
            covariates=CovariateScale.fit(docs, self.cfg["covariates"], self.name),
            component=self.name,
            make_finder=self._finder,
            readout=READOUTS[self.cfg["readout"]],
            given=given,
            learn=learn,  # type: ignore[arg-type]
            n_terms=n_terms,
            min_documents=min_documents,
            context=context,
            seed=seed,
            case_sensitive=self.cfg["case_sensitive"],
            attribute="lemma_" if self.cfg["match_on"] == "lemma" else "orth_",
            weights=weights,
        )
        if lexicon:
            self._report_coverage(given, Path(lexicon).name, int((weights > 0).sum()))
        self.cfg["targets"] = names
        self.record.is_trained = True
        self.check_keys()
        if self.cfg["smearing"]:
            errors = (transformed - self._model.predict(docs)) / np.array(self.scale.std)
            known = [column[~np.isnan(column)].tolist() for column in errors.T]
            self.scale = self.scale.with_smearing(known)
        self.list_covariates(nlp)
        self.end_step()

    def _report_coverage(self, given: Lexicon, name: str, n_documents: int) -> None:
        cutter = TermCutter(self.tokenizer, case_sensitive=self.cfg["case_sensitive"])
        frequency = self.lexicon.document_frequency[: len(given)]
        found = coverage(given, frequency, n_documents, name, cutter)
        if found.is_poor:
            warnings.warn(
                f"{found.message} Expected a list in the language of the texts, its terms written "
                "as they are in them.",
                stacklevel=3,
            )
        else:
            msg.info(found.message)

    def _documents(self, examples: Sequence[Example], nlp: Language | None) -> list[Doc]:
        docs = [eg.predicted for eg in examples]
        if self.cfg["match_on"] == "lemma" and nlp is not None:
            # What stands before this component in the pipeline makes the lemmas.
            docs = [doc.copy() for doc in docs]
            for name, component in nlp.pipeline:
                if name == self.name:
                    break
                docs = [component(doc) for doc in docs]
        self._check_lemmas(docs)
        return docs

    def _check_lemmas(self, docs: Iterable[Doc]) -> None:
        if self.cfg["match_on"] == "lemma" and not all(doc.has_annotation("LEMMA") for doc in docs):
            raise ValueError(
                f"match_on is 'lemma' in [components.{self.name}], but the documents have no "
                "lemmas. Expected a lemmatizer before it in the pipeline."
            )

    def _finder(self, lexicon: Lexicon, context: Lexicon) -> TermFinder:
        return TermFinder(
            self.tokenizer,
            lexicon,
            context,
            case_sensitive=self.cfg["case_sensitive"],
            match_on=self.cfg["match_on"],
            window=self.cfg["context_window"],
        )

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): The document. RETURNS (Doc): The same, with predictions and terms."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """stream (Iterable[Doc]): The documents. batch_size (int): How many to score together.
        YIELDS (Doc): The same, with predictions and terms."""
        error_handler = self.get_error_handler()
        for docs in util.minibatch(stream, size=min(batch_size, MAX_BATCH_SIZE)):
            try:
                self._annotate(docs)
                yield from docs
            except Exception as error:
                error_handler(self.name, self, docs, error)

    def _annotate(self, docs: list[Doc]) -> None:
        key = self.spans_key
        if key is None:
            self.set_annotations(docs, self.predict(docs))
            return
        explained = self.explain(docs)
        self.set_annotations(docs, self._predictions(explained.scores))
        self._set_spans(docs, explained, key)

    def predict(self, docs: Iterable[Doc]) -> Predictions:
        """docs (Iterable[Doc]): The documents; they are not changed.
        RETURNS (Predictions): In the targets' units. A document of nothing but white space gets the
            training means.
        RAISES (ValueError): The component is not initialized, or a covariate is missing.
        """
        self.require_initialized()
        docs = list(docs)
        self._check_lemmas(docs)
        return self._predictions(self._model.predict(docs))  # type: ignore[union-attr]

    def _predictions(self, transformed: NDArray[np.float64]) -> Predictions:
        scaled = (transformed - np.array(self.scale.mean)) / np.array(self.scale.std)
        return Predictions(self.scale.unscale_with_smearing(scaled), scaled)

    def explain(self, docs: Iterable[Doc]) -> Explained:
        """docs (Iterable[Doc]): The documents; they are not changed.
        RETURNS (Explained): Predictions, transformed as the targets are, and what each term adds to
            them.
        RAISES (ValueError): The component is not initialized.
        """
        self.require_initialized()
        docs = list(docs)
        self._check_lemmas(docs)
        return self._model.explain(docs)  # type: ignore[union-attr]

    def _set_spans(self, docs: Sequence[Doc], explained: Explained, key: str) -> None:
        strings = docs[0].vocab.strings
        entries = set(explained.matches.entries.tolist())
        labels = {entry: strings.add(self.lexicon.terms[entry]) for entry in entries}
        ids = {entry: strings.add(self.lexicon.categories[entry]) for entry in entries}
        # By which a span that was taken from its group is told from another dictionary's.
        owner = strings.add(key)
        contributions = explained.contributions.T.tolist()
        bases = explained.base.tolist()
        first = 0
        for doc, matches, base in zip(docs, explained.found, bases, strict=True):
            spans = [
                Span(doc, start, end, label=labels[entry], kb_id=owner, span_id=ids[entry])
                for entry, start, end in matches
            ]
            end = first + len(matches)
            attrs = {
                "base": dict(zip(self.targets, base, strict=True)),
                "contributions": {
                    target: values[first:end]
                    for target, values in zip(self.targets, contributions, strict=True)
                },
            }
            doc.spans[key] = SpanGroup(doc, name=key, attrs=attrs, spans=spans)
            first = end

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """path (str | Path): Folder to write: `lexicon.csv` is for reading by people, too."""
        write = {
            "cfg": lambda p: srsly.write_json(p, self.cfg),
            "lexicon.csv": lambda p: p.write_text(
                self.lexicon.to_csv(self.targets), encoding="utf-8"
            ),
            "context.csv": lambda p: p.write_text(self._context().to_csv(), encoding="utf-8"),
            "readout": lambda p: srsly.write_msgpack(p, self._fitted()),
        }
        util.to_disk(path, write, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "DictionaryRegressor":
        """path (str | Path): Folder that `to_disk` wrote. RETURNS (DictionaryRegressor): Itself."""
        state: dict[str, Any] = {}
        read = {
            "cfg": lambda p: self.cfg.update(srsly.read_json(p)),
            "lexicon.csv": lambda p: state.update(lexicon=p.read_text(encoding="utf-8")),
            "context.csv": lambda p: state.update(context=p.read_text(encoding="utf-8")),
            "readout": lambda p: state.update(fitted=srsly.read_msgpack(p)),
        }
        util.from_disk(path, read, exclude)
        self._load(state, f"{path}/")
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """RETURNS (bytes): The component's learned state."""
        write = {
            "cfg": lambda: srsly.json_dumps(self.cfg),
            "lexicon": lambda: self.lexicon.to_csv(self.targets),
            "context": lambda: self._context().to_csv(),
            "fitted": lambda: srsly.msgpack_dumps(self._fitted()),
        }
        return util.to_bytes(write, exclude)

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "DictionaryRegressor":
        """bytes_data (bytes): What `to_bytes` gave. RETURNS (DictionaryRegressor): Itself."""
        state: dict[str, Any] = {}
        read = {
            "cfg": lambda b: self.cfg.update(srsly.json_loads(b)),
            "lexicon": lambda b: state.update(lexicon=b),
            "context": lambda b: state.update(context=b),
            "fitted": lambda b: state.update(fitted=srsly.msgpack_loads(b)),
        }
        util.from_bytes(bytes_data, read, exclude)
        self._load(state, "")
        return self

    def _context(self) -> Lexicon:
        return self._model.context if self._model else Lexicon()

    def _fitted(self) -> dict[str, Any]:
        if self._model is None:
            return {}
        return {
            "readout": self._model.readout.to_dict(),
            "without_words": list(self._model.without_words),
            "covariates": self._model.covariates.to_dict(),
            **self._learned(),
        }

    def _load(self, state: dict[str, Any], folder: str) -> None:
        fitted = state["fitted"]
        if not fitted:
            self._model = None
            return
        lexicon, context = (
            parse_saved(state[name], f"{folder}{name}.csv") for name in ("lexicon", "context")
        )
        readout = READOUTS[self.cfg["readout"]].from_dict(fitted["readout"])
        self._model = DictionaryModel(
            lexicon,
            context,
            readout,
            self._finder(lexicon, context),
            tuple(fitted["without_words"]),
            CovariateScale.from_dict(fitted["covariates"]),
            self.name,
        )
        self._load_learned(fitted)


def _contributions(span: Span) -> dict[str, float] | None:
    """RETURNS (dict[str, float] | None): By target, what a matched term adds to the prediction."""
    # The group is that of the dictionary which found the term, even if another found it too.
    group = span.doc.spans.get(span.kb_id_)
    by_target = None if group is None else group.attrs.get("contributions")
    if group is None or by_target is None:
        return None
    places = [(other.start, other.end, other.label, other.id) for other in group]
    place = (span.start, span.end, span.label, span.id)
    if place not in places:
        return None
    index = places.index(place)
    return {target: values[index] for target, values in by_target.items()}


def _contribution(span: Span) -> float | None:
    """RETURNS (float | None): The same, for the first target."""
    contributions = _contributions(span)
    return None if contributions is None else next(iter(contributions.values()))


register_extension(Span, "contribution", getter=_contribution)
register_extension(Span, "contributions", getter=_contributions)
