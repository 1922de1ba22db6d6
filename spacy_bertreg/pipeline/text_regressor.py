"""`text_regressor`: predict numbers from document vectors."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer
from thinc.types import Floats2d
from wasabi import msg

from ..data.covariates import CovariateScale, copy_covariates
from ..data.weights import document_weights, resolve_target_weights, training_weights
from ..evaluation.scorer import SCORE_WEIGHTS, regression_score
from ..layers.covariates import set_covariates
from ..targets.gold import gold_values, resolve_targets
from ..targets.predictions import Predictions
from ..targets.residuals import Residuals
from ..targets.scale import TargetScale
from ..targets.transforms import resolve_transforms
from ..training.losses import Loss, SquaredLoss, mean_loss
from ..training.training_record import TrainingRecord
from .regressor import PipelineReference, check_choice, check_output_key, has_words
from .solved_head import HEADS
from .started_head import StartedHead

DEFAULT_CONFIG_STR = """
[text_regressor]
output_key = "{target}"
transform = "standardize"
bounds = null
smearing = false
target_weights = null
covariates = []
scorer = {"@scorers":"spacy-bertreg.regression_scorer.v1"}

[text_regressor.loss]
@losses = "spacy-bertreg.squared.v1"

[text_regressor.model]
@architectures = "spacy-bertreg.TextRegressor.v1"

[text_regressor.model.tok2vec]
@architectures = "spacy-bertreg.TransformerListener.v1"
pooling = "mean"
normalize = false
upstream = "*"
"""
DEFAULT_CONFIG = Config().from_str(DEFAULT_CONFIG_STR)["text_regressor"]


@Language.factory(
    "text_regressor",
    assigns=["doc.cats", "doc._.score", "doc._.interval", "doc._.quantiles", "doc._.std"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_text_regressor(
    nlp: Language,
    name: str,
    model: Model[list[Doc], Floats2d],
    output_key: str,
    transform: str | dict[str, str],
    bounds: list[float] | dict[str, list[float]] | None,
    smearing: bool,
    target_weights: dict[str, float] | None,
    covariates: list[str],
    loss: Loss,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "TextRegressor":
    """Create a TextRegressor; see there for the arguments."""
    component = TextRegressor(
        nlp.vocab,
        model,
        name,
        output_key=output_key,
        transform=transform,
        bounds=bounds,
        smearing=smearing,
        target_weights=target_weights,
        covariates=covariates,
        loss=loss,
        scorer=scorer,
    )
    component.pipeline = PipelineReference(nlp)
    return component


class TextRegressor(StartedHead, TrainablePipe):
    """Predict one number for each target and document, in the target's unit, in `doc.cats[target]`.
    Inside, targets are transformed and standardised, so learning rates do not depend on the unit.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], Floats2d],
        name: str = "text_regressor",
        *,
        output_key: str = "{target}",
        transform: str | dict[str, str] = "standardize",
        bounds: Sequence[float] | dict[str, list[float]] | None = None,
        smearing: bool = False,
        target_weights: dict[str, float] | None = None,
        covariates: Sequence[str] = (),
        loss: Loss | None = None,
        scorer: Callable[..., dict[str, Any]] | None = regression_score,
    ) -> None:
        """Create an untrained component.

        vocab (Vocab): The pipeline's vocabulary.
        model (Model): Output of shape (documents, targets * outputs of the loss), on its scale.
        name (str): Name of the component in the pipeline.
        output_key (str): Key of a prediction in `doc.cats`, with the fields {target} and {name}.
        transform (str | dict[str, str]): "none", "standardize", "log1p", "asinh" or "logit", for
            all targets or by target; see `TargetScale`.
        bounds (Sequence | dict | None): Low and high end of the target's range, for "logit".
        smearing (bool): Whether to predict the mean in the target's unit where the transform is
            curved, by Duan's smearing (1983), with the residuals that the training documents had
            when they were last seen. Otherwise the prediction is about the median.
        target_weights (dict[str, float] | None): Weight of each target in the loss, by default 1.
            Documents have weights in `reference.user_data["weight"]`.
        covariates (Sequence[str]): Numbers in `doc.user_data["covariates"]` that go to the head
            beside the document's vector; "log_length" is computed from the document.
        loss (Loss | None): The training loss; None for the squared error.
        scorer (Callable | None): Compares predictions with observed values.
        RAISES (ValueError): `output_key` lacks {target}, or loss and transform do not go together.
        """
        self.vocab = vocab
        self.model = model
        self.name = name
        self.loss = SquaredLoss() if loss is None else loss
        if self.loss.log_link and transform != "none":
            raise ValueError(
                f"transform is {transform!r} in [components.{name}], but the loss has a log link, "
                'which is a transform of its own. Expected transform = "none".'
            )
        self.levels, self.has_std = self.loss.levels, self.loss.has_std
        self.lowest = 0.0 if self.loss.log_link else -np.inf
        self.cfg = {
            "targets": [],
            "output_key": check_output_key(output_key, name),
            "transform": transform,
            "bounds": bounds if bounds is None or isinstance(bounds, dict) else list(bounds),
            "smearing": smearing,
            "target_weights": target_weights,
            "covariates": list(covariates),
        }
        self.scorer = scorer
        self.record = TrainingRecord()
        self._weight = 1.0
        self._target_weights: list[float] = []
        self._residuals = Residuals()
        # Backward passes since the last step, and number of learned tensors in the last report.
        self._n_passes = 0
        self._n_reported: int | None = None
        # Not in cfg: spaCy's JSON keeps ten decimals, which is not exact.
        self.model.attrs["learned"] = {}

    @property
    def label_data(self) -> list[str]:
        """Get the targets, as `initialize` takes them."""
        return list(self.targets)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        targets: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        head: str = "auto",
    ) -> None:
        """Find the targets, learn the scales of targets and covariates, and initialize the model.

        get_examples (Callable): Returns the training examples, with numbers in
            `example.reference.cats` or `example.reference.user_data["targets"]`; NaN or no value
            for unknown ones.
        nlp (Language | None): The pipeline.
        targets (Sequence[str] | None): Names of the targets. None for all that the examples have,
            in order of appearance; needed if `cats` holds other components' labels too.
        labels (Sequence[str] | None): The same, as `spacy init labels` writes it.
        head (str): What the head starts from: "ridge" for ridge regression on the vectors of the
            training documents; "random"; or "auto" for "ridge" where only the head learns. With
            the squared error, the head is then solved, and training on the same examples does not
            change it. With other losses, training goes on from there.
        RAISES (ValueError): The examples have no targets, a value is not finite or out of its
            transform's range, a covariate is missing, or the head can't be solved.
        """
        validate_get_examples(get_examples, "TextRegressor.initialize")
        examples = list(get_examples())
        docs = [eg.reference for eg in examples]
        self.begin_training(nlp, docs)
        names, values = resolve_targets(examples, targets or labels, self.name)
        where = f"[components.{self.name}]"
        check_choice("head", head, HEADS, f"[initialize.components.{self.name}]")
        kinds, limits = resolve_transforms(names, self.cfg["transform"], self.cfg["bounds"], where)
        self._target_weights = resolve_target_weights(names, self.cfg["target_weights"], where)
        self._weight = float(training_weights(examples, self.name).mean())
        self.scale = TargetScale.fit(names, values, kinds, limits, log_link=self.loss.log_link)
        self._residuals = Residuals(len(names), most=len(examples))
        self.cfg["targets"] = names
        self.check_keys()
        covariates = CovariateScale.fit(docs, self.cfg["covariates"], self.name)
        set_covariates(self.model.get_ref("with_covariates"), covariates, self.name)
        sample = [doc for doc in docs if len(doc)][:10]
        shape = len(sample), len(names) * self.loss.n_outputs
        self.model.initialize(X=sample, Y=self.model.ops.alloc2f(*shape))
        self.list_covariates(nlp)
        self._n_passes, self._n_reported = 0, None
        self.start_head(head, examples, values)
        if nlp is not None:
            from ..training.freeze_report import set_freeze_report  # imports pandas

            if report := set_freeze_report(nlp, planned=True):
                msg.info(report.summary())

    def predict(self, docs: Iterable[Doc]) -> Predictions:
        """Predict the targets of documents, which are not changed.

        docs (Iterable[Doc]): The documents.
        RETURNS (Predictions): In the targets' units. A document of nothing but white space gets the
            prediction without evidence: the training mean on the transformed scale, brought back.
        RAISES (ValueError): The component is not initialized, or a covariate is missing.
        """
        self.require_initialized()
        docs = list(docs)
        outputs = np.zeros((len(docs), len(self.targets) * self.loss.n_outputs))
        rows = np.flatnonzero(has_words(docs))
        if len(rows):
            predicted = self.model.predict([docs[row] for row in rows])
            outputs[rows] = self.model.ops.to_numpy(predicted)
        by_target = self._by_target(outputs)
        scaled = self.loss.point(by_target)
        spread, quantiles = self.loss.spread(by_target), self.loss.quantiles(by_target)
        return Predictions(self.scale.unscale_with_smearing(scaled), scaled, spread, quantiles)

    def _by_target(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        return outputs.reshape(len(outputs), len(self.targets), self.loss.n_outputs)

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch; see spaCy's TrainablePipe.update. If the head is solved for these
        examples, and nothing below it learns, nothing changes."""
        examples = list(examples)
        self.record.add((example.reference for example in examples), self.name)
        # The calibration belongs to the model before this update.
        self.calibration = None
        for example in examples:
            copy_covariates(example.reference, example.predicted)
        if not self.stays_solved(examples):
            return super().update(examples, drop=drop, sgd=sgd, losses=losses)
        losses = {} if losses is None else losses
        losses[self.name] = losses.get(self.name, 0.0) + self.compute_solved_loss(examples)
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Update the parameters by the mean of the gradients since the last step. With
        accumulate_gradient = k, a batch comes in k passes."""
        if self._n_passes > 1:
            for node in self.model.walk():
                for name in node.grad_names:
                    if node.has_grad(name):
                        node.set_grad(name, node.get_grad(name) / self._n_passes)
        self._n_passes = 0
        super().finish_update(sgd)
        self._set_smearing()
        self.end_step()
        from ..training.block_counts import count_trained_tensors  # imports pandas
        from ..training.freeze_report import set_freeze_report

        nlp = self.pipeline()
        if nlp is not None and self._n_reported != (n_trained := count_trained_tensors(nlp)):
            self._n_reported = n_trained
            set_freeze_report(nlp)

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """Compute the mean loss over the known values, and its gradient. Unknown targets, and
        documents of nothing but white space, give no gradient.

        examples (Iterable[Example]): The batch.
        scores (Floats2d): The model's output, on its scale.
        RETURNS (tuple[float, Floats2d]): Loss and gradient, on the model's scale.
        RAISES (ValueError): A target is not finite, or out of its transform's range.
        """
        validate_examples(examples, "TextRegressor.get_loss")
        self.require_initialized()
        self._n_passes += 1
        examples = list(examples)
        gold = self.scale.scale(gold_values(examples, self.targets))
        gold[~has_words(eg.predicted for eg in examples)] = np.nan
        outputs = np.asarray(self.model.ops.to_numpy(scores), dtype=np.float64)
        weights = np.outer(document_weights(examples) / self._weight, self._target_weights)
        loss, d_scores = mean_loss(self.loss, outputs, gold, weights)
        if not self.is_solved:
            self._add_residuals(gold, outputs)
        return loss, self.model.ops.asarray2f(d_scores)  # type: ignore[arg-type]

    def keep_residuals(self, gold: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        """Keep the errors of all training examples, on the model's scale, for smearing."""
        self._add_residuals(gold, outputs)
        self._set_smearing()

    def _add_residuals(self, gold: NDArray[np.float64], outputs: NDArray[np.float64]) -> None:
        self._residuals.add(gold - self.loss.point(self._by_target(outputs)))

    def _set_smearing(self) -> None:
        if self.cfg["smearing"]:
            self.scale = self.scale.with_smearing(self._residuals.by_target())

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component."""
        self.model.attrs["learned"] = self._learned()
        return super().to_bytes(exclude=exclude)

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "TextRegressor":
        """Load what `to_bytes` gave."""
        super().from_bytes(bytes_data, exclude=exclude)
        self._load_learned(self.model.attrs["learned"])
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the component to a folder."""
        self.model.attrs["learned"] = self._learned()
        super().to_disk(path, exclude=exclude)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "TextRegressor":
        """Load a folder that `to_disk` wrote."""
        super().from_disk(path, exclude=exclude)
        self._load_learned(self.model.attrs["learned"])
        return self

    def _learned(self) -> dict[str, Any]:
        weights = {"weight": self._weight, "target_weights": list(self._target_weights)}
        return {**super()._learned(), **weights}

    def _load_learned(self, data: dict[str, Any]) -> None:
        super()._load_learned(data)
        self._weight, self._target_weights = data["weight"], list(data["target_weights"])
        # For a pipeline that is trained further.
        self._solved_for = frozenset()
        self._residuals = Residuals.of_scale(self.scale)
