"""What all regressors share: targets, annotations, and how they are evaluated and saved."""

import weakref
from collections.abc import Callable, Iterable, Sequence
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..data.annotations import get_annotation, set_annotation
from ..data.covariates import LOG_LENGTH
from ..evaluation.scorer import merge_scores
from ..targets.intervals import Calibration
from ..targets.predictions import Predictions
from ..targets.scale import TargetScale
from ..training.training_record import TrainingRecord


class PipelineReference:
    """Refer weakly to a component's pipeline. A copy refers to none."""

    def __init__(self, nlp: Language | None = None) -> None:
        self._nlp = (lambda: None) if nlp is None else weakref.ref(nlp)

    def __call__(self) -> Language | None:
        """Get the pipeline; None if it no longer exists."""
        return self._nlp()

    def __reduce__(self) -> tuple:
        return PipelineReference, ()


class Regressor:
    """Mixin for pipeline components that predict numbers.

    name (str): Name of the component.
    cfg (dict[str, Any]): Holds `targets`, the names of the learned targets, and `output_key`.
    scorer (Callable | None): Compares predictions with observed values.
    scale (TargetScale): Between the targets' units and the model's scale.
    levels (tuple[float, ...]): Levels of the quantiles that the model predicts; empty for none.
    has_std (bool): Whether the spread that it predicts is a standard deviation.
    lowest (float): The least possible value on the model's scale.
    calibration (Calibration | None): How wide intervals are; None before `bertreg calibrate`, and
        again after any further training.
    pipeline (PipelineReference): The pipeline that it belongs to.
    record (TrainingRecord): What it was trained on, and for how long.
    """

    name: str
    cfg: dict[str, Any]
    scorer: Callable[..., dict[str, Any]] | None
    scale = TargetScale()
    levels: tuple[float, ...] = ()
    has_std: bool = False
    lowest: float = -np.inf
    calibration: Calibration | None = None
    pipeline = PipelineReference()
    record: TrainingRecord

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets; empty before initialization."""
        return tuple(self.cfg["targets"])

    # spaCy asks for labels, as for meta.json.
    labels = targets

    @property
    def output_keys(self) -> dict[str, str]:
        """For each target, the key of its prediction in `doc.cats`."""
        template = self.cfg["output_key"]
        return {t: template.format(name=self.name, target=t) for t in self.targets}

    @property
    def is_trained(self) -> bool:
        """Whether it has learned from any example."""
        return self.record.is_trained

    def peers(self) -> list["Regressor"]:
        """Find the regressors of the same pipeline.

        RETURNS (list[Regressor]): All of them, with this one, in the pipeline's order. Only this
            one if its pipeline is not known, as after it was sourced into another pipeline.
        """
        nlp = self.pipeline()
        found = [] if nlp is None else find_regressors(nlp)
        if not any(part is self for part in found):
            return [self]
        for part in found:
            part.pipeline = self.pipeline
        return found

    def check_keys(self) -> None:
        """Raise a ValueError if another regressor of the pipeline writes to the same keys."""
        others = [peer for peer in self.peers() if peer is not self]
        writers = {key: peer.name for peer in others for key in peer.output_keys.values()}
        for key in self.output_keys.values():
            if key in writers:
                raise ValueError(
                    f"The components {writers[key]!r} and {self.name!r} both write to "
                    f"doc.cats[{key!r}]. Expected different keys, as with output_key = "
                    f"'{{name}}:{{target}}' in [components.{self.name}]."
                )

    def require_initialized(self) -> None:
        """Raise a ValueError if the component has not learned any targets yet."""
        if not self.targets:
            raise ValueError(
                f"Component {self.name!r} has not learned anything yet. Call nlp.initialize with "
                "training examples, or load a trained pipeline."
            )

    def set_annotations(self, docs: Iterable[Doc], predictions: Predictions) -> None:
        """Write predictions to `doc.cats`, and the first target's to `doc._.score`. If there are
        intervals, quantiles or standard deviations, write them to `doc._.interval`,
        `doc._.quantiles` and `doc._.std`, by key of `doc.cats`. All are in the targets' units,
        except `std` of a curved transform, which is on the transformed scale.

        docs (Iterable[Doc]): The documents to annotate.
        predictions (Predictions): What `predict` gave for them.
        """
        keys = list(self.output_keys.values())
        # For each document, the values of all targets.
        annotations: dict[str, list[list[Any]]] = {}
        if self.calibration is not None:
            ends = np.maximum(self.calibration.intervals(predictions), self.lowest)
            annotations["interval"] = [list(map(tuple, row)) for row in self._unscale(ends)]
        if predictions.quantiles is not None:
            annotations["quantiles"] = [
                [dict(zip(self.levels, values, strict=True)) for values in row]
                for row in self._unscale(predictions.quantiles)
            ]
        if self.has_std and predictions.spread is not None:
            annotations["std"] = (predictions.spread * np.array(self.scale.std)).tolist()
        for i, (doc, values) in enumerate(zip(docs, predictions.values.tolist(), strict=True)):
            doc.cats.update(zip(keys, values, strict=True))
            set_annotation(doc, "score", values[0])
            for name, by_doc in annotations.items():
                # Other regressors of the pipeline may have written theirs.
                before = get_annotation(doc, name) or {}
                set_annotation(doc, name, {**before, **dict(zip(keys, by_doc[i], strict=True))})

    def _unscale(self, scaled: NDArray) -> list[list[list[float]]]:
        """Convert values of the shape (documents, targets, n) to the targets' units."""
        columns = [self.scale.unscale(scaled[..., i]) for i in range(scaled.shape[-1])]
        return np.stack(columns, axis=-1).tolist()

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Compare predictions with observed values, for all regressors of the pipeline at once,
        because spaCy keeps only one score of each name.

        examples (Iterable[Example]): Annotated examples.
        RETURNS (dict[str, Any]): The scores, see `regression_score`; for several regressors, see
            `merge_scores`.
        """
        examples = list(examples)
        return merge_scores(
            {
                peer.name: peer.scorer(
                    examples,
                    output_keys=peer.output_keys,
                    scale=peer.scale,
                    calibration=peer.calibration,
                    **kwargs,
                )
                for peer in self.peers()
                if peer.scorer is not None and peer.targets
            }
        )

    def begin_training(self, nlp: Language | None, docs: Iterable[Doc]) -> None:
        """Begin a training from scratch.

        nlp (Language | None): The pipeline.
        docs (Iterable[Doc]): The training documents.
        """
        if nlp is not None:
            self.pipeline = PipelineReference(nlp)
        self.record.begin(docs)
        self.calibration = None

    def end_step(self) -> None:
        """Set how long training has taken, here and in the pipeline's meta.json."""
        self.record.stop_clock()
        nlp = self.pipeline()
        if nlp is not None:
            nlp.meta["training_seconds"] = round(self.record.seconds, 2)

    def list_covariates(self, nlp: Language | None) -> None:
        """List the covariates that documents must have in the pipeline's meta.json."""
        names = [name for name in self.cfg["covariates"] if name != LOG_LENGTH]
        if nlp is not None and names:
            nlp.meta.setdefault("covariates", {})[self.name] = names

    def was_trained_on(self, docs: Sequence[Doc]) -> NDArray[np.bool_]:
        """Tell for each document whether a training document had the same text."""
        return self.record.holds(docs)

    def forget_training_texts(self) -> None:
        """Delete the fingerprints of the training texts, such as before sharing a pipeline: they
        show anyone whether a given text was trained on. Without them, `calibrate` can't tell."""
        self.record.forget_texts()

    def _learned(self) -> dict[str, Any]:
        """Collect what all regressors save, for msgpack."""
        return {
            "scale": self.scale.to_dict(),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
            "record": self.record.to_dict(),
        }

    def _load_learned(self, data: dict[str, Any]) -> None:
        self.scale = TargetScale.from_dict(data["scale"])
        calibration = data["calibration"]
        self.calibration = None if calibration is None else Calibration.from_dict(calibration)
        self.record = TrainingRecord.from_dict(data["record"])
        self.check_keys()


def find_regressors(nlp: Language) -> list[Regressor]:
    """Find the components of a pipeline that predict numbers, in its order."""
    components: list[object] = [component for _, component in nlp.pipeline]
    return [component for component in components if isinstance(component, Regressor)]


def has_words(docs: Iterable[Doc]) -> NDArray[np.bool_]:
    """Find documents that hold more than white space, as an array of booleans."""
    return np.array([not all(doc.to_array(IS_SPACE)) for doc in docs], dtype=bool)


def check_choice(setting: str, value: str, choices: Iterable[str], where: str) -> str:
    """Check a setting that takes one of a few values.

    setting (str): Its name.
    value (str): What it was set to.
    choices (Iterable[str]): The values that it takes.
    where (str): Where it was set, for the error.
    RETURNS (str): The value.
    RAISES (ValueError): The value is none of these.
    """
    if value not in choices:
        raise ValueError(
            f"{setting} is {value!r} in {where}. Expected one of "
            f"{', '.join(repr(choice) for choice in choices)}."
        )
    return value


def check_output_key(output_key: str, name: str) -> str:
    """Check the template of the keys in `doc.cats`.

    output_key (str): The template.
    name (str): The component's name, for the error.
    RETURNS (str): The template.
    RAISES (ValueError): The template lacks {target}, or has a field other than {target} and {name}.
    """
    try:
        fields = {field for _, field, _, _ in Formatter().parse(output_key) if field is not None}
    except ValueError:
        fields = set()
    if "target" not in fields or not fields <= {"target", "name"}:
        raise ValueError(
            f"output_key is {output_key!r} in [components.{name}]. Expected a text with {{target}} "
            "and optionally {name} in it, such as '{name}:{target}'."
        )
    return output_key
