"""`dictionary_regressor`: predicts numbers from a weighted list of terms."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import srsly
from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from thinc.api import Config

from ..data.annotations import without_words
from ..data.covariates import CovariateScale, copy_covariates
from ..data.weights import training_weights
from ..dictionary.features import Floats
from ..dictionary.fitting import FitSettings, fit_dictionary
from ..dictionary.formats import parse_saved
from ..dictionary.lexicon import Lexicon
from ..dictionary.model import DictionaryModel, Explanation
from ..dictionary.readouts import READOUTS
from ..dictionary.spans import set_spans
from ..dictionary.term_matcher import MatchOn
from ..dictionary.vectorizer import LexiconVectorizer, MatchSettings
from ..evaluation.scorer import SCORE_WEIGHTS
from ..targets.gold import resolve_targets
from ..targets.predictions import Predictions
from ..targets.scale import TargetScale
from ..targets.transforms import resolve_transforms
from ..training.training_record import TrainingRecord
from .regressor import PipelineReference, Regressor, check_choice, check_output_key
from .teacher import TeacherSettings, pseudo_label

Scorer = Callable[..., dict[str, Any]]
FILES = ("cfg", "lexicon.csv", "context.csv", "readout")

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
    scorer: Scorer | None,
) -> "DictionaryRegressor":
    """Create a DictionaryRegressor.

    output_key (str): Key of a prediction in `doc.cats`, with the fields {target} and {name}.
    case_sensitive (bool): Whether a term matches only in the case in which it is listed.
    match_on (str): What of a token is compared with a term, "text" or "lemma".
    context_window (int): Number of words before a term that can change its weight.
    readout (str): "ridge", "random_forest" or "gradient_boosting".
    transform (str | dict): "none" or "standardize" (alike here), "log1p", "asinh" or "logit".
    bounds (list | dict | None): Low and high end of the target's range, for "logit".
    smearing (bool): Whether to predict the mean where the transform is curved (Duan 1983).
    covariates (list[str]): Numbers that go to the readout beside the terms; see `read_covariates`.
    spans_key (str | None): Key of terms in `doc.spans`, with the field {name}; faster with None.
    scorer (Callable | None): Compares predictions with observed values.
    RAISES (ValueError): A setting is wrong, or another component has the same spans key.
    """
    where = f"[components.{name}]"
    if context_window < 1:
        raise ValueError(f"context_window is {context_window} in {where}. Expected 1 or more.")
    cfg = {
        "targets": [],
        "output_key": check_output_key(output_key, name),
        "case_sensitive": case_sensitive,
        "match_on": check_choice("match_on", match_on, get_args(MatchOn), where),
        "context_window": context_window,
        "readout": check_choice("readout", readout, READOUTS, where),
        "transform": transform,
        "bounds": bounds,
        "smearing": smearing,
        "covariates": covariates,
        "spans_key": spans_key,
    }
    component = DictionaryRegressor(nlp.tokenizer, name, cfg, scorer)
    component.pipeline = PipelineReference(nlp)
    key = component.spans_key
    others = [other for other, part in nlp.pipeline if getattr(part, "spans_key", None) == key]
    if key is not None and others:
        raise ValueError(
            f"The components {others[0]!r} and {name!r} both write to doc.spans[{key!r}]. Expected "
            f"different keys, as with spans_key = '{{name}}' in {where}."
        )
    return component


class DictionaryRegressor(Regressor, Pipe):
    """Predict numbers from the terms of a lexicon that a document holds, and write them to
    `doc.cats[target]` in the target's unit. Everything is learned in `initialize`.

    The terms are in `doc.spans[spans_key]`, see `set_spans`. `span._.contribution` is what a term
    adds to the prediction: in the target's unit, or on the transformed scale if that is curved.
    """

    def __init__(
        self, tokenizer: Tokenizer, name: str, cfg: dict[str, Any], scorer: Scorer | None
    ) -> None:
        """Create an untrained component. See `make_dictionary_regressor` for the settings."""
        self.tokenizer = tokenizer
        self.name = name
        self.cfg = cfg
        self.scorer = scorer
        self.record = TrainingRecord()
        self._model: DictionaryModel | None = None

    @property
    def spans_key(self) -> str | None:
        """Get where in `doc.spans` the matched terms are; None for nowhere."""
        key = self.cfg["spans_key"]
        return None if key is None else str(key).replace("{name}", self.name)

    @property
    def lexicon(self) -> Lexicon:
        """Get the terms; empty before initialization."""
        return self._model.vectorizer.lexicon if self._model else Lexicon()

    @property
    def n_parameters(self) -> int:
        """Get the number of learned weights of terms, and of the readout's parameters."""
        return self._model.n_parameters if self._model else 0

    @property
    def _matching(self) -> MatchSettings:
        keys = ("case_sensitive", "match_on", "context_window")
        return MatchSettings(self.name, self.tokenizer, *(self.cfg[key] for key in keys))

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
        teacher: str | Path | None = None,
        unlabelled: str | Path | None = None,
        unlabelled_text: str = "text",
        unlabelled_weight: float = 1.0,
    ) -> None:
        """Read the lexicon, or learn one, or both, and fit the readout.

        get_examples (Callable): Returns the training examples, with numbers in `reference.cats` or
            `reference.user_data["targets"]` (NaN or none if unknown), and optional "group" and
            "weight" in `reference.user_data`.
        nlp (Language | None): The pipeline.
        lexicon to seed: See `FitSettings`.
        targets (Sequence[str] | None): Names of the targets; None for all that the examples have.
        teacher (str | Path | None): A trained pipeline, or, in a cross-validation, the name of one
            of its models. The list is also learned from its predictions for `unlabelled`.
        unlabelled (str | Path | None): Texts without observed values, a .spacy file or a table.
        unlabelled_text (str): That table's column of texts.
        unlabelled_weight (float): How much such a text counts beside a training example.
        RAISES (ValueError): A setting or value is wrong, or there are no targets in the examples.
        """
        validate_get_examples(get_examples, "DictionaryRegressor.initialize")
        settings = FitSettings(
            self.name, lexicon, duplicates, encoding, learn, n_terms, min_documents, context, seed
        )
        distillation = TeacherSettings(
            self.name, teacher, unlabelled, unlabelled_text, unlabelled_weight
        )
        distillation.check(learn)
        # Their words would take half of the memory of many documents.
        examples: Any = [without_words(example) for example in get_examples()]
        self.begin_training(nlp, [eg.reference for eg in examples])
        for example in examples:
            copy_covariates(example.reference, example.predicted)
        names, values = resolve_targets(examples, targets, self.name)
        kinds, limits = resolve_transforms(
            names, self.cfg["transform"], self.cfg["bounds"], f"[components.{self.name}]"
        )
        self.scale = TargetScale.fit(names, values, kinds, limits)
        transformed = self.scale.transform(values)
        docs = self._matching.add_lemmas([eg.predicted for eg in examples], nlp)
        pseudo_labels = pseudo_label(
            distillation, docs, values, self.scale, self._matching, nlp, self.record
        )
        groups = [str(eg.reference.user_data.get("group", eg.reference.text)) for eg in examples]
        weights = training_weights(examples, self.name)
        self._model = fit_dictionary(
            docs,
            groups,
            dict(zip(names, transformed.T, strict=True)),
            weights,
            settings=settings,
            matching=self._matching,
            readout=READOUTS[self.cfg["readout"]],
            covariates=CovariateScale.fit(docs, self.cfg["covariates"], self.name),
            pseudo_labels=pseudo_labels,
        )
        self.cfg["targets"] = names
        self.record.is_trained = True
        self.check_keys()
        if self.cfg["smearing"]:
            errors = (transformed - self._model.predict(docs)) / np.array(self.scale.std)
            known = [column[~np.isnan(column)].tolist() for column in errors.T]
            self.scale = self.scale.with_smearing(known)
        self.list_covariates(nlp)
        self.end_step()

    def __call__(self, doc: Doc) -> Doc:
        """Annotate a document with predictions and terms."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate documents with predictions and terms, in batches of at most `batch_size`."""
        error_handler = self.get_error_handler()
        for docs in util.minibatch(stream, size=min(batch_size, MAX_BATCH_SIZE)):
            try:
                self._annotate(docs)
                yield from docs
            except Exception as error:
                error_handler(self.name, self, docs, error)

    def _annotate(self, docs: list[Doc]) -> None:
        if self.spans_key is None:
            self.set_annotations(docs, self.predict(docs))
            return
        explanation = self.explain(docs)
        self.set_annotations(docs, self._to_predictions(explanation.predictions))
        set_spans(docs, explanation, self.lexicon, self.targets, self.spans_key)

    def predict(self, docs: Iterable[Doc]) -> Predictions:
        """Predict the targets; a document of nothing but white space gets the training means."""
        self.require_initialized()
        return self._to_predictions(self._model.predict(list(docs)))  # type: ignore[union-attr]

    def _to_predictions(self, transformed: Floats) -> Predictions:
        scaled = (transformed - np.array(self.scale.mean)) / np.array(self.scale.std)
        return Predictions(self.scale.unscale_with_smearing(scaled), scaled)

    def explain(self, docs: Iterable[Doc]) -> Explanation:
        """Predict the targets, and what each term adds to them."""
        self.require_initialized()
        return self._model.explain(list(docs))  # type: ignore[union-attr]

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the component to a folder. `lexicon.csv` is for reading by people, too."""
        Path(path).mkdir(parents=True, exist_ok=True)
        for name, data in self._to_files(exclude).items():
            (Path(path) / name).write_bytes(data)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:
        """Load the component from a folder that `to_disk` wrote."""
        files = {name: (Path(path) / name).read_bytes() for name in FILES if name not in exclude}
        return self._from_files(files, f"{path}/", exclude)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component."""
        return srsly.msgpack_dumps(self._to_files(exclude))

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Load the component from what `to_bytes` gave."""
        return self._from_files(srsly.msgpack_loads(bytes_data), "", exclude)

    def _to_files(self, exclude: Iterable[str]) -> dict[str, bytes]:
        context = self._model.vectorizer.context if self._model else Lexicon()
        fitted = {**self._model.to_dict(), **self._learned()} if self._model else {}
        files = {
            "cfg": srsly.json_dumps(self.cfg, indent=2).encode(),
            "lexicon.csv": self.lexicon.to_csv(self.targets).encode(),
            "context.csv": context.to_csv().encode(),
            "readout": srsly.msgpack_dumps(fitted),
        }
        return {name: data for name, data in files.items() if name not in exclude}

    def _from_files(self, files: dict[str, bytes], folder: str, exclude: Iterable[str]) -> Self:
        if "cfg" not in exclude:
            self.cfg.update(srsly.json_loads(files["cfg"]))
        self._model = None
        if fitted := srsly.msgpack_loads(files["readout"]):
            lexicon = parse_saved(files["lexicon.csv"].decode(), f"{folder}lexicon.csv")
            context = parse_saved(files["context.csv"].decode(), f"{folder}context.csv")
            vectorizer = LexiconVectorizer(lexicon, context, self._matching)
            kind = READOUTS[self.cfg["readout"]]
            self._model = DictionaryModel.from_dict(fitted, vectorizer, kind)
            self._load_learned(fitted)
        return self
