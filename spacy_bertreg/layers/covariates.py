"""Covariates beside a document's vector."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from ..data.covariates import CovariateScale


def with_covariates(layer: Model[list[Doc], Floats2d]) -> Model[list[Doc], Floats2d]:
    """Append covariates to the documents' vectors.

    layer (Model[list[Doc], Floats2d]): Gives each document a vector.
    RETURNS (Model[list[Doc], Floats2d]): The layer, followed by the columns of `set_covariates`.
    """
    attrs: dict[str, Any] = {"scale": {}, "component": ""}
    return Model("with_covariates", forward, layers=[layer], attrs=attrs, dims={"nO": None})


def set_covariates(model: Model, scale: CovariateScale, component: str) -> None:
    """Set which covariates a layer made by `with_covariates` appends. `component` is for errors."""
    model.attrs["scale"] = scale.to_dict()
    model.attrs["component"] = component


def covariate_scale(model: Model) -> CovariateScale:
    """Get the covariates of a layer made by `with_covariates`."""
    return CovariateScale.from_dict(model.attrs["scale"])


def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[Floats2d, Callable]:
    vectors, backprop = model.layers[0](docs, is_train)
    scale = covariate_scale(model)
    if not scale.names:
        return vectors, backprop
    columns: Any = scale(docs, model.attrs["component"])
    values: Any = model.ops.asarray(columns, dtype="f")
    width = vectors.shape[1]
    joined = model.ops.xp.hstack([vectors, values])
    return joined, lambda d_joined: backprop(model.ops.as_contig(d_joined[:, :width]))
