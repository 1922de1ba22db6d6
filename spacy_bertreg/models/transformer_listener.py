"""`spacy-bertreg.TransformerListener.v1`: document vectors from the pipeline's transformer."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy_transformers.layers import TransformerListener
from thinc.api import Model
from thinc.types import Floats2d

from ..layers.pool_wordpieces import pool_wordpieces


def TransformerListener_v1(
    pooling: str = "mean", upstream: str = "*"
) -> Model[list[Doc], Floats2d]:
    """Pool the word-piece vectors of the pipeline's component `transformer`, which may be shared
    with other components.

    pooling (str): "mean" or "max" over the document's word pieces, each counted once however
        many windows cover it, or "cls": each window's first vector, averaged over the windows.
    upstream (str): Name of the transformer component, or "*" for any.
    RETURNS (Model[list[Doc], Floats2d]): Output of shape (documents, width of the transformer).
    RAISES (ValueError): `pooling` is none of the three; when used, the pipeline has no
        transformer before this component, or it is disabled.
    """
    layers: list[Model] = [TransformerListener(upstream), pool_wordpieces(pooling)]
    return Model("pooled_listener", forward, init=init, layers=layers, dims={"nO": None})


def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[Floats2d, Callable]:
    listener: Any
    listener, pool = model.layers
    if not is_train and any(len(doc) and doc._.trf_data is None for doc in docs):
        # The stock listener would go on with zeros, and every document get the same prediction.
        raise ValueError(_no_transformer(listener.upstream_name))
    outputs, backprop_listener = listener(docs, is_train)
    vectors, backprop_pool = pool(outputs, is_train)
    return vectors, lambda d_vectors: backprop_listener(backprop_pool(d_vectors))


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    listener: Any
    listener, pool = model.layers
    if not listener.has_dim("nO"):
        raise ValueError(_no_transformer(listener.upstream_name))
    model.set_dim("nO", listener.get_dim("nO"))
    pool.set_dim("nO", listener.get_dim("nO"))


def _no_transformer(upstream: str) -> str:
    expected = "a transformer" if upstream == "*" else f"a transformer named {upstream!r}"
    return (
        f"A spacy-bertreg.TransformerListener.v1 listens to {expected}, but none ran before it in "
        "the pipeline. Add the component 'transformer' before it and leave it enabled."
    )
