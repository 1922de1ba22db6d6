"""What all regressors share: targets, annotations and scores."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..covariates import LOG_LENGTH
from ..intervals import Calibration
from ..predictions import Predictions
from ..target_scale import TargetScale

# `score`: prediction for the first target. The others hold a dict by key of `doc.cats`, or None:
# `interval` (low, high), if the pipeline is calibrated; `quantiles` by level, of a pinball loss;
# and `std`, a predicted standard deviation.
for extension in ("score", "interval", "quantiles", "std"):
    if not Doc.has_extension(extension):
        Doc.set_extension(extension, default=None)


class Regressor:
    """Mixin for pipeline components that predict numbers.

    name (str): Name of the component.
    cfg (dict[str, Any]): Holds `targets`, the names of the learned targets, and `output_key`.
    scorer (Callable | None): Compares predictions with observed values.
    scale (TargetScale): Between the targets' units and the model's scale.
    levels (tuple[float, ...]): Of the quantiles that the model predicts; empty for none.
    has_std (bool): Whether the spread that it predicts is a standard deviation.
    lowest (float): The least value there can be on the model's scale.
    calibration (Calibration | None): How wide intervals are; None before `bertreg calibrate`.
    """

    name: str
    cfg: dict[str, Any]
    scorer: Callable[..., dict[str, Any]] | None
    scale = TargetScale()
    levels: tuple[float, ...] = ()
    has_std: bool = False
    lowest: float = -np.inf
    calibration: Calibration | None = None
    _training_texts: frozenset[bytes] = frozenset()
    _meta: dict[str, Any] | None = None
    _started: float = 0.0

    @property
    def targets(self) -> tuple[str, ...]:
        """RETURNS (tuple[str, ...]): Names of the targets; empty before initialization."""
        return tuple(self.cfg["targets"])

    @property
    def labels(self) -> tuple[str, ...]:
        """RETURNS (tuple[str, ...]): The targets, where spaCy asks for labels, as for meta.json."""
        return self.targets

    @property
    def output_keys(self) -> dict[str, str]:
        """RETURNS (dict[str, str]): For each target, the key of its prediction in `doc.cats`."""
        template = self.cfg["output_key"]
        return {t: template.format(name=self.name, target=t) for t in self.targets}

    def set_annotations(self, docs: Iterable[Doc], predictions: Predictions) -> None:
        """Write predictions to `doc.cats`, the first target's to `doc._.score`, and, where there
        are such, `doc._.interval`, `doc._.quantiles` and `doc._.std`, by key of `doc.cats`. All
        are in the targets' units, but `std` on the transformed scale where the transform is curved.

        docs (Iterable[Doc]): The documents to annotate.
        predictions (Predictions): What `predict` gave for them.
        """
        keys = list(self.output_keys.values())
        intervals = quantiles = stds = None
        if self.calibration is not None:
            ends = np.maximum(self.calibration.intervals(predictions), self.lowest)
            intervals = self._unscale(ends)
        if predictions.quantiles is not None:
            quantiles = self._unscale(predictions.quantiles)
        if self.has_std and predictions.spread is not None:
            stds = predictions.spread * np.array(self.scale.std)
        for i, (doc, row) in enumerate(zip(docs, predictions.values.tolist(), strict=True)):
            doc.cats.update(zip(keys, row, strict=True))
            doc._.score = row[0]
            if intervals is not None:
                _note(doc, "interval", keys, map(tuple, intervals[i].tolist()))
            if quantiles is not None:
                rows = [dict(zip(self.levels, q, strict=True)) for q in quantiles[i].tolist()]
                _note(doc, "quantiles", keys, rows)
            if stds is not None:
                _note(doc, "std", keys, stds[i].tolist())

    def _unscale(self, scaled: NDArray) -> NDArray:
        """scaled (ndarray): Shape (documents, targets, n). RETURNS (ndarray): In the units."""
        columns = [self.scale.unscale(scaled[..., i]) for i in range(scaled.shape[-1])]
        return np.stack(columns, axis=-1)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """examples (Iterable[Example]): Annotated examples.
        RETURNS (dict[str, Any]): What the scorer gives; see `regression_score`.
        """
        if self.scorer is None or not self.targets:
            return {}
        return self.scorer(
            examples,
            output_keys=self.output_keys,
            scale=self.scale,
            calibration=self.calibration,
            **kwargs,
        )

    def note_training_texts(self, docs: Iterable[Doc]) -> None:
        """docs (Iterable[Doc]): The training documents. Marks of their texts are kept, so that
        nothing is calibrated on them."""
        self._training_texts = frozenset(map(_mark, docs))

    def was_trained_on(self, docs: Sequence[Doc]) -> NDArray[np.bool_]:
        """docs (Sequence[Doc]): Some documents.
        RETURNS (ndarray): For each, whether a training document had the same text."""
        return np.array([_mark(doc) in self._training_texts for doc in docs], dtype=bool)

    def _learned(self) -> dict[str, Any]:
        """RETURNS (dict[str, Any]): What all regressors save, for msgpack."""
        return {
            "scale": self.scale.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "training_texts": b"".join(sorted(self._training_texts)),
        }

    def _load_learned(self, data: dict[str, Any]) -> None:
        self.scale = TargetScale.from_dict(data["scale"])
        calibration = data["calibration"]
        self.calibration = None if calibration is None else Calibration.from_dict(calibration)
        marks = data["training_texts"]
        self._training_texts = frozenset(
            marks[i : i + MARK_BYTES] for i in range(0, len(marks), MARK_BYTES)
        )

    def state_covariates(self, nlp: Language | None) -> None:
        """nlp (Language | None): The pipeline, whose meta.json shall name the covariates that
        documents must have."""
        names = [name for name in self.cfg["covariates"] if name != LOG_LENGTH]
        if nlp is not None and names:
            nlp.meta.setdefault("covariates", {})[self.name] = names

    def start_clock(self, nlp: Language | None) -> None:
        """nlp (Language | None): The pipeline, whose meta.json shall say how long training took."""
        self._meta = None if nlp is None else nlp.meta
        self._started = time.monotonic()

    def note_time(self) -> None:
        """Write the seconds since `start_clock` to the pipeline's `training_seconds`."""
        if self._meta is not None:
            self._meta["training_seconds"] = round(time.monotonic() - self._started, 2)

    def require_initialized(self) -> None:
        """RAISES (ValueError): The component has not learned any targets yet."""
        if not self.targets:
            raise ValueError(
                f"Component {self.name!r} has not learned anything yet. Call nlp.initialize with "
                "training examples, or load a trained pipeline."
            )


# With 64 bits, two of a million texts share a mark once in 37 million collections.
MARK_BYTES = 8


def _mark(doc: Doc) -> bytes:
    text = doc.text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=MARK_BYTES).digest()


def _note(doc: Doc, extension: str, keys: Sequence[str], values: Iterable[Any]) -> None:
    # With those of another regressor in the same pipeline.
    noted = {**(doc._.get(extension) or {}), **dict(zip(keys, values, strict=True))}
    doc._.set(extension, noted)


def has_words(docs: Iterable[Doc]) -> NDArray[np.bool_]:
    """RETURNS (ndarray): For each document, whether it holds more than white space."""
    return np.array([not all(doc.to_array(IS_SPACE)) for doc in docs], dtype=bool)


def check_choice(setting: str, value: str, choices: Iterable[str], where: str) -> str:
    """RETURNS (str): The value, if it is one of the choices.
    RAISES (ValueError): It is not."""
    if value not in choices:
        raise ValueError(
            f"{setting} is {value!r} in {where}. Expected one of "
            f"{', '.join(repr(choice) for choice in choices)}."
        )
    return value


def check_output_key(output_key: str, name: str) -> str:
    """RETURNS (str): The template, if it is one.
    RAISES (ValueError): It does not hold {target}, or holds something else than {name}.
    """
    try:
        fields = {field for _, field, _, _ in Formatter().parse(output_key) if field is not None}
    except ValueError:
        fields = set()
    if "target" not in fields or not fields <= {"target", "name"}:
        raise ValueError(
            f"output_key is {output_key!r} in [components.{name}]. Expected a text with {{target}} "
            "and, if wished, {name} in it, such as '{name}:{target}'."
        )
    return output_key
