"""`dictionary_regressor`: predicts numbers from a weighted list of terms."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from numpy.typing import NDArray
from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from thinc.api import Config

from ..dictionary.features import FEATURES, term_features
from ..dictionary.lexicon import Lexicon, parse_lexicon, read_lexicon
from ..dictionary.readout import Ridge
from ..dictionary.term_matcher import TermMatcher
from ..scorer import SCORE_WEIGHTS, regression_score
from ..targets import fit_targets
from .regressor import Regressor, check_output_key, has_words

DEFAULT_CONFIG_STR = """
[dictionary_regressor]
output_key = "{target}"
case_sensitive = false
scorer = {"@scorers":"spacy-bertreg.regression_scorer.v1"}
"""
DEFAULT_CONFIG = Config().from_str(DEFAULT_CONFIG_STR)["dictionary_regressor"]


@Language.factory(
    "dictionary_regressor",
    assigns=["doc.cats", "doc._.score"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_dictionary_regressor(
    nlp: Language,
    name: str,
    output_key: str,
    case_sensitive: bool,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "DictionaryRegressor":
    """Create a DictionaryRegressor; see there for the arguments."""
    return DictionaryRegressor(
        nlp.tokenizer,
        name,
        output_key=output_key,
        case_sensitive=case_sensitive,
        scorer=scorer,
    )


class DictionaryRegressor(Regressor, Pipe):
    """Predict one number for each target and document from the terms of a lexicon that it holds,
    written to `doc.cats[target]` in the target's unit. Learned as a whole in `initialize`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        name: str = "dictionary_regressor",
        *,
        output_key: str = "{target}",
        case_sensitive: bool = False,
        scorer: Callable[..., dict[str, Any]] | None = regression_score,
    ) -> None:
        """Create an untrained component.

        tokenizer (Tokenizer): The pipeline's, for terms of several tokens.
        name (str): Name of the component in the pipeline.
        output_key (str): Key of a prediction in `doc.cats`, with the fields {target} and {name}.
        case_sensitive (bool): Whether a term matches only in the case in which it is listed.
        scorer (Callable | None): Compares predictions with observed values.
        RAISES (ValueError): `output_key` does not hold {target}.
        """
        self.tokenizer = tokenizer
        self.name = name
        self.cfg = {
            "targets": [],
            "output_key": check_output_key(output_key, name),
            "case_sensitive": case_sensitive,
        }
        self.scorer = scorer
        self.lexicon = Lexicon()
        self.readout = Ridge(np.zeros((len(FEATURES), 0)), np.zeros(0))
        self.target_mean: list[float] = []
        self._matcher: TermMatcher | None = None

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        lexicon: str | Path | None = None,
        targets: Sequence[str] | None = None,
    ) -> None:
        """Read the lexicon and fit the readout.

        get_examples (Callable): Returns the training examples, with numbers in
            `example.reference.cats`. NaN or no value: unknown.
        nlp (Language | None): The pipeline.
        lexicon (str | Path | None): The term list's file; see `read_lexicon` for the formats.
        targets (Sequence[str] | None): Names of the targets. None for all keys of `cats`, in
            order of appearance; needed if `cats` holds other components' labels too.
        RAISES (ValueError): No lexicon is named or it can't be read, no targets in the examples,
            or a value is not finite.
        """
        validate_get_examples(get_examples, "DictionaryRegressor.initialize")
        if not lexicon:
            raise ValueError(
                f"Component {self.name!r} has no lexicon. Expected the path of a CSV or TSV file: "
                f"lexicon in [initialize.components.{self.name}]."
            )
        self._set_lexicon(read_lexicon(lexicon, case_sensitive=self.cfg["case_sensitive"]))
        examples = list(get_examples())
        names, values, standardizer = fit_targets(examples, targets, self.name)
        self.readout = Ridge.fit(self._features(eg.predicted for eg in examples), values)
        self.target_mean = list(standardizer.mean)
        self.cfg["targets"] = names

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): The document. RETURNS (Doc): The same, with predictions."""
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def predict(self, docs: Iterable[Doc]) -> NDArray[np.float64]:
        """docs (Iterable[Doc]): The documents; they are not changed.
        RETURNS (ndarray): Predictions in the targets' units, shape (documents, targets). A document
            of nothing but white space gets the training means.
        RAISES (ValueError): The component is not initialized.
        """
        self.require_initialized()
        docs = list(docs)
        predicted = self.readout.predict(self._features(docs))
        return np.where(has_words(docs)[:, None], predicted, self.target_mean)

    def _features(self, docs: Iterable[Doc]) -> NDArray[np.float64]:
        rows = []
        for doc in docs:
            terms = [term for term, _ in self._matcher(doc)]  # type: ignore[misc]
            rows.append(term_features(terms, self.lexicon))
        return np.array(rows).reshape(len(rows), len(FEATURES))

    def _set_lexicon(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._matcher = TermMatcher(
            self.tokenizer, lexicon, case_sensitive=self.cfg["case_sensitive"]
        )

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """path (str | Path): Folder to write: `lexicon.csv` is for reading by people, too."""
        write = {
            "cfg": lambda p: srsly.write_json(p, self.cfg),
            "lexicon.csv": lambda p: p.write_text(self.lexicon.to_csv(), encoding="utf-8"),
            "readout": lambda p: srsly.write_msgpack(p, self._fitted()),
        }
        util.to_disk(path, write, exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "DictionaryRegressor":
        """path (str | Path): Folder that `to_disk` wrote. RETURNS (DictionaryRegressor): Itself."""
        read = {
            "cfg": lambda p: self.cfg.update(srsly.read_json(p)),
            "lexicon.csv": lambda p: self._load_lexicon(p.read_text(encoding="utf-8"), str(p)),
            "readout": lambda p: self._load_fitted(srsly.read_msgpack(p)),
        }
        util.from_disk(path, read, exclude)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """RETURNS (bytes): The component's learned state."""
        write = {
            "cfg": lambda: srsly.json_dumps(self.cfg),
            "lexicon.csv": self.lexicon.to_csv,
            "readout": lambda: srsly.msgpack_dumps(self._fitted()),
        }
        return util.to_bytes(write, exclude)

    def from_bytes(
        self, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> "DictionaryRegressor":
        """bytes_data (bytes): What `to_bytes` gave. RETURNS (DictionaryRegressor): Itself."""
        read = {
            "cfg": lambda b: self.cfg.update(srsly.json_loads(b)),
            "lexicon.csv": lambda b: self._load_lexicon(b, "lexicon.csv"),
            "readout": lambda b: self._load_fitted(srsly.msgpack_loads(b)),
        }
        util.from_bytes(bytes_data, read, exclude)
        return self

    def _fitted(self) -> dict[str, Any]:
        return {"ridge": self.readout.to_dict(), "target_mean": self.target_mean}

    def _load_fitted(self, fitted: dict[str, Any]) -> None:
        self.readout = Ridge.from_dict(fitted["ridge"])
        self.target_mean = list(fitted["target_mean"])

    def _load_lexicon(self, text: str, source: str) -> None:
        self._set_lexicon(parse_lexicon(text, source, case_sensitive=self.cfg["case_sensitive"]))
