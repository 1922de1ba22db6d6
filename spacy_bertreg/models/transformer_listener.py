"""`spacy-bertreg.TransformerListener.v1`: document vectors from the pipeline's transformer."""

from collections.abc import Callable
from typing import Any

from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Model, chain
from thinc.types import Floats2d

from ..layers.normalize_rows import normalize_rows
from ..layers.pool_wordpieces import pool_wordpieces
from ..layers.pooled_data import PooledData


def TransformerListener_v1(
    pooling: str = "mean", upstream: str = "*", normalize: bool = False
) -> Model[list[Doc], Floats2d]:
    """Pool the word-piece vectors of the pipeline's transformer, which other components may share.

    pooling (str): "mean" or "max" over the document's word pieces, each counted once however
        many windows cover it, or "cls": each window's first vector, averaged over the windows.
    upstream (str): Name of the transformer component, or "*" for any.
    normalize (bool): Whether to scale each document's vector to a root mean square of 1, so that
        its direction alone counts.
    RETURNS (Model[list[Doc], Floats2d]): Output of shape (documents, width of the transformer).
    RAISES (ValueError): `pooling` is none of the three; when used, no transformer ran before this
        component, or the outputs of a document were lost when it was saved.
    """
    listener: Any = TransformerListener(upstream)
    # Id and vectors of the last training batch.
    listener.last = None, None
    pool = pool_wordpieces(pooling)
    layers: list[Model] = [listener, chain(pool, normalize_rows()) if normalize else pool]
    # spaCy looks for the listener under this name.
    refs = {"tok2vec": listener, "pool": pool}
    return Model("pooled_listener", forward, init=init, layers=layers, dims={"nO": None}, refs=refs)


def forward(model: Model, docs: list[Doc], is_train: bool) -> tuple[Floats2d, Callable]:
    listener: Any
    listener, pool = model.layers
    if is_train:
        outputs, backprop_listener = listener(docs, is_train)
    elif _were_updated_last(listener, docs):
        # `spacy debug model` predicts for the documents of the last update, without a transformer.
        return listener.last[1], lambda d_vectors: []
    else:
        outputs, backprop_listener = _get_outputs(listener, docs), lambda d_outputs: []
    vectors, backprop_pool = pool(outputs, is_train)
    if is_train:
        listener.last = listener.get_batch_id(docs), vectors
    return vectors, lambda d_vectors: backprop_listener(backprop_pool(d_vectors))


def _were_updated_last(listener: Any, docs: list[Doc]) -> bool:
    """Tell whether these are the documents of the last update, which no transformer has read since.
    Their id takes long, so it comes last."""
    is_unread = bool(docs) and all(doc._.trf_data is None for doc in docs)
    return is_unread and listener.last[0] == listener.get_batch_id(docs)


def _get_outputs(listener: Any, docs: list[Doc]) -> list[TransformerData]:
    """Get the transformer's outputs for documents. The stock listener would return zeros where
    there are none.

    RAISES (ValueError): A document was not read, or its outputs were lost.
    """
    found = [doc._.trf_data for doc in docs]
    for doc, data in zip(docs, found, strict=True):
        if isinstance(data, PooledData) or not len(doc):
            continue
        if data is None:
            raise ValueError(_no_transformer(listener.upstream_name))
        if "last_hidden_state" not in data.model_output:
            raise ValueError(
                f"The transformer's output for the text {doc.text[:60]!r} was lost when the "
                "document was saved, or sent to another process. Run the whole pipeline on its "
                "text again, as with nlp(doc.text)."
            )
    return [TransformerData.empty() if data is None else data for data in found]


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    listener: Any = model.layers[0]
    if not listener.has_dim("nO"):
        raise ValueError(_no_transformer(listener.upstream_name))
    model.set_dim("nO", listener.get_dim("nO"))
    model.get_ref("pool").set_dim("nO", listener.get_dim("nO"))


def _no_transformer(upstream: str) -> str:
    expected = "a transformer" if upstream == "*" else f"a transformer named {upstream!r}"
    return (
        f"A spacy-bertreg.TransformerListener.v1 listens to {expected}, but none ran before it in "
        "the pipeline. Add the component 'transformer' before it and leave it enabled."
    )
