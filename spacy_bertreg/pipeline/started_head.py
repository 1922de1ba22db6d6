"""What a `text_regressor`'s head starts from, and whether that is the solution."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example
from thinc.api import set_dropout_rate
from thinc.types import Floats2d
from wasabi import msg

from ..data.weights import document_weights
from ..layers.covariates import covariate_scale
from ..targets.gold import gold_values
from ..training.head_start import is_exact
from .explained import Explained
from .regressor import has_words
from .solved_head import fingerprints, has_linear_head, learns_below, read_vectors, solve_head

Floats = NDArray[np.float64]


class StartedHead(Explained):
    """Mixin for a regressor whose head may start from ridge regression.

    get_loss (Callable): Computes loss and gradient of examples and outputs.
    keep_residuals (Callable): Takes observed values and outputs of all training examples, both on
        the model's scale, where no step will.
    """

    get_loss: Callable[[list[Example], Floats2d], tuple[float, Floats2d]]
    keep_residuals: Callable[[Floats, Floats], None]
    # Fingerprints of the examples for which the head is the exact solution; not saved.
    _solved_for: frozenset[bytes] = frozenset()

    @property
    def is_solved(self) -> bool:
        """Whether the head is the exact solution for the training examples, so that steps change
        nothing."""
        return bool(self._solved_for)

    def start_head(self, head: str, examples: Sequence[Example], values: Floats) -> None:
        """Solve the head by ridge regression, if asked to or if nothing else learns.

        head (str): "auto", "ridge" or "random"; see `TextRegressor.initialize`.
        examples (Sequence[Example]): The training examples.
        values (ndarray): Their targets in their units, shape (examples, targets).
        RAISES (ValueError): head is "ridge", and the head can't be solved.
        """
        self._solved_for = frozenset()
        nlp, is_linear = self.pipeline(), has_linear_head(self.model)
        learns = not is_linear or learns_below(self.model, nlp)
        if head == "random" or (head == "auto" and learns):
            return
        where = f'head is "ridge" in [initialize.components.{self.name}]'
        if nlp is None or not is_linear:
            raise ValueError(
                f"{where}, but the model is not a linear layer on vectors of a known pipeline, as "
                'spacy-bertreg.TextRegressor.v1 in nlp.initialize is. Expected "auto" or "random".'
            )
        rows = np.flatnonzero(has_words(eg.predicted for eg in examples)).tolist()
        read = [examples[row] for row in rows]
        gold, weights = self.scale.scale(values[rows]), document_weights(read)
        vectors = read_vectors(self.model, nlp, self.name, read)
        solved = solve_head(self.model, self.loss, vectors, gold, weights)
        if solved is None:
            if head == "ridge":
                raise ValueError(
                    f"{where}, but it is not known how the loss {type(self.loss).__name__} starts "
                    'from a linear regression. Expected "auto" or "random".'
                )
            return
        outputs, penalties = solved
        shown = ", ".join(f"{t}: {p:.3g}" for t, p in zip(self.targets, penalties, strict=True))
        text = f"{self.name}: head by ridge regression, penalty {shown}"
        if is_exact(self.loss) and not learns:
            self._solved_for = self._fingerprints(examples)
            self.record.is_trained = True
            self.keep_residuals(gold, outputs)
            self.end_step()
            text += f"; for these {len(read):,} texts, that is the solution: steps change nothing"
        msg.info(text)

    def stays_solved(self, examples: Sequence[Example]) -> bool:
        """Tell whether the head is the solution also with these examples. If not, as with new ones
        or if something below learns, it no longer is for any."""
        if self._solved_for and (
            not self._fingerprints(examples) <= self._solved_for
            or learns_below(self.model, self.pipeline())
        ):
            self._solved_for = frozenset()
        return self.is_solved

    def compute_solved_loss(self, examples: list[Example]) -> float:
        """Compute the loss of examples for which the head is solved, without dropout."""
        docs = [example.predicted for example in examples]
        if not any(map(len, docs)):
            return 0.0
        joined, head = self.model.get_ref("with_covariates"), self.model.get_ref("head")
        set_dropout_rate(self.model, 0.0)
        vectors, backprop = joined.begin_update(docs)
        loss, _ = self.get_loss(examples, head.predict(vectors))
        # Frees the outputs that the listener holds, and reaches no parameters.
        backprop(joined.ops.alloc2f(*vectors.shape))
        return loss

    def _fingerprints(self, examples: Sequence[Example]) -> frozenset[bytes]:
        docs = [example.reference for example in examples]
        covariates = covariate_scale(self.model.get_ref("with_covariates"))(docs, self.name)
        gold, weights = gold_values(examples, self.targets), document_weights(examples)
        return fingerprints(docs, np.column_stack([gold, weights, covariates]))
