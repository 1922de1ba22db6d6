"""What all regressors share: targets, annotations and scores."""

import time
from collections.abc import Callable, Iterable
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

if not Doc.has_extension("score"):
    Doc.set_extension("score", default=None)


class Regressor:
    """Mixin for pipeline components that predict numbers.

    name (str): Name of the component.
    cfg (dict[str, Any]): Holds `targets`, the names of the learned targets, and `output_key`.
    scorer (Callable | None): Compares predictions with observed values.
    """

    name: str
    cfg: dict[str, Any]
    scorer: Callable[..., dict[str, Any]] | None
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

    def set_annotations(self, docs: Iterable[Doc], scores: NDArray) -> None:
        """Write predictions to `doc.cats`, and the first target's to `doc._.score`.

        docs (Iterable[Doc]): The documents to annotate.
        scores (ndarray): Predictions in the targets' units, shape (documents, targets).
        """
        keys = list(self.output_keys.values())
        for doc, row in zip(docs, scores.tolist(), strict=True):
            doc.cats.update(zip(keys, row, strict=True))
            doc._.score = row[0]

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """examples (Iterable[Example]): Annotated examples.
        RETURNS (dict[str, Any]): What the scorer gives; see `regression_score`.
        """
        if self.scorer is None or not self.targets:
            return {}
        return self.scorer(examples, output_keys=self.output_keys, **kwargs)

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
