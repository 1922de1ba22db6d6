"""`text_regressor`: predicts numbers from document vectors that learn with it."""

from collections.abc import Callable, Iterable, Sequence
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

from ..losses import squared_error
from ..scorer import SCORE_WEIGHTS, regression_score
from ..targets import Standardizer, fit_targets, gold_values
from .regressor import Regressor, check_output_key, has_words

DEFAULT_CONFIG_STR = """
[text_regressor]
output_key = "{target}"
scorer = {"@scorers":"spacy-bertreg.regression_scorer.v1"}

[text_regressor.model]
@architectures = "spacy-bertreg.TextRegressor.v1"

[text_regressor.model.doc2vec]
@architectures = "spacy-bertreg.TransformerListener.v1"
pooling = "mean"
upstream = "*"
"""
DEFAULT_CONFIG = Config().from_str(DEFAULT_CONFIG_STR)["text_regressor"]


@Language.factory(
    "text_regressor",
    assigns=["doc.cats", "doc._.score"],
    default_config=DEFAULT_CONFIG,
    default_score_weights=SCORE_WEIGHTS,
)
def make_text_regressor(
    nlp: Language,
    name: str,
    model: Model[list[Doc], Floats2d],
    output_key: str,
    scorer: Callable[..., dict[str, Any]] | None,
) -> "TextRegressor":
    """Create a TextRegressor; see there for the arguments."""
    return TextRegressor(nlp.vocab, model, name, output_key=output_key, scorer=scorer)


class TextRegressor(Regressor, TrainablePipe):
    """Predict one number for each target and document, written to `doc.cats[target]` in the
    target's unit. Inside, targets are standardised, so learning rates do not depend on the unit.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], Floats2d],
        name: str = "text_regressor",
        *,
        output_key: str = "{target}",
        scorer: Callable[..., dict[str, Any]] | None = regression_score,
    ) -> None:
        """Create an untrained component.

        vocab (Vocab): The pipeline's vocabulary.
        model (Model[list[Doc], Floats2d]): Gives (documents, targets), standardised.
        name (str): Name of the component in the pipeline.
        output_key (str): Key of a prediction in `doc.cats`, with the fields {target} and {name}.
        scorer (Callable | None): Compares predictions with observed values.
        RAISES (ValueError): `output_key` does not hold {target}.
        """
        self.vocab = vocab
        self.model = model
        self.name = name
        self.cfg = {"targets": [], "output_key": check_output_key(output_key, name)}
        self.scorer = scorer
        # In the model and not in cfg: spaCy's JSON keeps ten decimals, which is not exact.
        self.model.attrs["target_mean"] = []
        self.model.attrs["target_std"] = []

    @property
    def standardizer(self) -> Standardizer:
        """RETURNS (Standardizer): Between the targets' units and the model's."""
        attrs = self.model.attrs
        return Standardizer(tuple(attrs["target_mean"]), tuple(attrs["target_std"]))

    @property
    def label_data(self) -> list[str]:
        """RETURNS (list[str]): The targets, as `initialize` takes them."""
        return list(self.targets)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        targets: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Find the targets, learn their means and standard deviations, and shape the model.

        get_examples (Callable): Returns the training examples, with numbers in
            `example.reference.cats`. NaN or no value: unknown.
        nlp (Language | None): The pipeline.
        targets (Sequence[str] | None): Names of the targets. None for all keys of `cats`, in
            order of appearance; needed if `cats` holds other components' labels too.
        labels (Sequence[str] | None): The same, as `spacy init labels` writes it.
        RAISES (ValueError): No targets in the examples, or a value is not finite.
        """
        self.start_clock(nlp)
        validate_get_examples(get_examples, "TextRegressor.initialize")
        examples = list(get_examples())
        names, values, standardizer = fit_targets(examples, targets or labels, self.name)
        self.cfg["targets"] = names
        self.model.attrs["target_mean"] = list(standardizer.mean)
        self.model.attrs["target_std"] = list(standardizer.std)
        sample = [i for i, eg in enumerate(examples) if len(eg.reference)][:10]
        docs = [examples[i].reference for i in sample]
        self.model.initialize(X=docs, Y=self.model.ops.asarray2f(values[sample].tolist()))
        if nlp is not None:
            self._tell_what_learns(nlp)

    def _tell_what_learns(self, nlp: Language) -> None:
        from ..freeze_report import has_weights, report_on  # imports pandas

        if has_weights(nlp):
            report = report_on(nlp)
            # The trained pipeline carries this in meta.json: the setting must not go unseen.
            nlp.meta["freeze_report"] = report.to_dict()
            msg.info(report.summary())

    def predict(self, docs: Iterable[Doc]) -> NDArray[np.float64]:
        """docs (Iterable[Doc]): The documents; they are not changed.
        RETURNS (ndarray): Predictions in the targets' units, shape (documents, targets). A document
            of nothing but white space gets the training means.
        RAISES (ValueError): The component is not initialized.
        """
        self.require_initialized()
        docs = list(docs)
        scores = np.zeros((len(docs), len(self.targets)))
        rows = np.flatnonzero(has_words(docs))
        if len(rows):
            predicted = self.model.predict([docs[row] for row in rows])
            scores[rows] = self.model.ops.to_numpy(predicted)
        return self.standardizer.inverse(scores)

    def finish_update(self, sgd: Optimizer) -> None:
        """sgd (Optimizer): Updates the parameters with the gradients so far."""
        super().finish_update(sgd)
        self.note_time()

    def get_loss(self, examples: Iterable[Example], scores: Floats2d) -> tuple[float, Floats2d]:
        """examples (Iterable[Example]): The batch. Unknown targets, and documents of nothing but
            white space, give no gradient.
        scores (Floats2d): The model's output, standardised.
        RETURNS (tuple[float, Floats2d]): Mean squared error in standard deviations, and its
            gradient.
        RAISES (ValueError): A target is not finite.
        """
        validate_examples(examples, "TextRegressor.get_loss")
        self.require_initialized()
        gold = self.standardizer.transform(gold_values(examples, self.targets))
        gold[~has_words(eg.predicted for eg in examples)] = np.nan
        loss, d_scores = squared_error(self.model.ops.to_numpy(scores), gold)
        return loss, self.model.ops.asarray2f(d_scores)  # type: ignore[arg-type]
