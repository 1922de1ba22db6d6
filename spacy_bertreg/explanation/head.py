"""From document vectors and covariates to the explained number, and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from thinc.api import Model, set_dropout_rate

from ..layers.covariates import covariate_scale
from .parts import Floats, RegressorParts


class HeadGradients(NamedTuple):
    """A head's result for document vectors and covariates, and its gradients.

    values (ndarray): The explained number, shape (documents, targets).
    vectors (ndarray): Its gradient by the vectors, float32, shape (targets, documents, width).
    columns (ndarray): Its gradient by the covariates, shape (targets, documents, columns).
    """

    values: Floats
    vectors: NDArray[np.float32]
    columns: Floats


class Head:
    """The layers of a text_regressor behind its document vectors, without dropout."""

    def __init__(self, parts: RegressorParts, before: Sequence[Model] = ()) -> None:
        """Copy the head.

        parts (RegressorParts): The regressor.
        before (Sequence[Model]): Layers between the vectors and the head, without parameters.
        RAISES (ValueError): The model does not say which of its layers is the head.
        """
        if not parts.model.has_ref("head"):
            raise ValueError(
                f"The model of [components.{parts.name}] does not say which layer is its head, as "
                "spacy-bertreg.TextRegressor.v1 does. Expected method = 'occlusion', which works "
                "for any model without covariates."
            )
        self._parts = parts
        self._before = before
        # A copy, as thinc's layers add to the gradients of their parameters.
        self._layer = parts.model.get_ref("head").copy()
        set_dropout_rate(self._layer, 0.0)
        joined = parts.model.get_ref("with_covariates")
        self._scale = covariate_scale(joined)

    @property
    def is_linear(self) -> bool:
        """Get whether the model's outputs are a linear function of vectors and covariates."""
        return self._layer.name == "linear"

    def read_columns(self, docs: Sequence[Doc]) -> Floats:
        """Read the covariates of documents as the head takes them, shape (documents, columns)."""
        return self._scale(docs, self._parts.name)

    def by_covariate(self, columns: Floats) -> dict[str, Floats]:
        """Sum contributions of columns, shape (columns, targets), by covariate."""
        names = [name.removesuffix(" unknown") for name in self._scale.columns]
        names[: len(self._scale.names)] = self._scale.names
        sums = {name: np.zeros(columns.shape[1]) for name in self._scale.names}
        for name, column in zip(names, columns, strict=True):
            sums[name] = sums[name] + column
        return sums

    def differentiate(
        self, vectors: Any, columns: Any, *, fixed_length: bool = False
    ) -> HeadGradients:
        """Compute the explained number and its gradients.

        vectors (ndarray): Document vectors, shape (documents, width).
        columns (ndarray): Covariates, shape (documents, columns).
        fixed_length (bool): Whether to treat the length by which vectors are normalised, if they
            are, as a constant. Otherwise, the gradient is orthogonal to the vector.
        RETURNS (HeadGradients): Number and gradients.
        """
        ops = self._layer.ops
        inputs: Any = ops.asarray2f(vectors)
        normal, backprops = inputs, []
        for layer in self._before:
            normal, backprop = layer.begin_update(normal)
            backprops.append(backprop)
        joined: Any = ops.xp.hstack([normal, ops.asarray2f(columns)])
        outputs, backprop_head = self._layer.begin_update(joined)
        numbers = ops.to_numpy(outputs).astype(np.float64)
        derivative = self._parts.derivative(numbers)
        length = ops.xp.linalg.norm(normal, axis=1) / ops.xp.linalg.norm(inputs, axis=1).clip(1e-30)
        d_vectors, d_columns = [], []
        n_outputs, width = self._parts.loss.n_outputs, inputs.shape[1]
        for target in range(len(self._parts.targets)):
            own = slice(target * n_outputs, (target + 1) * n_outputs)
            d_outputs: Any = np.zeros_like(derivative)
            d_outputs[:, own] = derivative[:, own]
            d_joined = backprop_head(ops.asarray2f(d_outputs))
            d_normal = ops.as_contig(d_joined[:, :width])
            if fixed_length:
                d_normal = d_normal * length[:, None]
            for backprop in () if fixed_length else reversed(backprops):
                d_normal = backprop(d_normal)
            d_vectors.append(ops.to_numpy(d_normal))
            d_columns.append(ops.to_numpy(d_joined[:, width:]).astype(np.float64))
        values = self._parts.from_outputs(numbers)
        return HeadGradients(values, np.stack(d_vectors), np.stack(d_columns))
