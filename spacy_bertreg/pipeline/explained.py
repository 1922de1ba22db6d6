"""Explanations of a `text_regressor`'s predictions."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc
from thinc.api import Model

from ..targets.predictions import Predictions
from ..training.losses import Loss
from .regressor import Regressor

if TYPE_CHECKING:
    from ..explanation.parts import Explanation, RegressorParts


class Explained(Regressor):
    """Mixin for regressors with a model: says what each word adds to a prediction.

    model (Model): From documents to outputs of the loss.
    loss (Loss): What the outputs are.
    predict (Callable): Predicts the targets of documents.
    """

    model: Model
    loss: Loss
    predict: Callable[[Iterable[Doc]], Predictions]

    def explain(
        self,
        docs: Iterable[Doc],
        *,
        method: str | None = None,
        spans_key: str | None = None,
        **settings: Any,
    ) -> "list[Explanation]":
        """Say what each word adds to the predictions: in the target's unit, or on the transformed
        scale if that is curved. Neither the predictions nor the pipeline change.

        Writes `doc.spans[spans_key]`, with a span for each token that is not white space; see
        `write_explanation`. `span._.contribution` is what it adds.

        docs (Iterable[Doc]): Documents that the pipeline has read.
        method (str | None): "integrated_gradients", "gradient_x_input", "token_vectors" or
            "occlusion"; None for the first, or "token_vectors" on a tok2vec.
        spans_key (str | None): Key in `doc.spans`; None for the component's name.
        **settings (Any): Settings of the method, such as `tolerance`, `max_steps` or `unit`: see
            `IntegratedGradients` and `Occlusion`.
        RETURNS (list[Explanation]): The same for each document, as arrays.
        RAISES (ValueError): The component is not initialized, there is no such method or setting,
            this model can't be explained by it, or another component writes to the key.
        """
        from ..explanation.methods import explain_in_spans  # imports torch

        self.require_initialized()
        return explain_in_spans(self.parts(), list(docs), method, spans_key or self.name, settings)

    def parts(self) -> "RegressorParts":
        """Get what explanations need of the component and its pipeline.

        RAISES (ValueError): The pipeline is not known.
        """
        from ..explanation.parts import RegressorParts

        nlp = self.pipeline()
        if nlp is None or not any(part is self for _, part in nlp.components):
            raise ValueError(
                f"The pipeline of the component {self.name!r} no longer exists, or is not "
                "the one that it was made in. Expected a component of a loaded pipeline that is "
                "kept in a variable."
            )
        return RegressorParts(self.name, self.model, self.loss, self.scale, nlp, self.predict)
