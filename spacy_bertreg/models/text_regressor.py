"""`spacy-bertreg.TextRegressor.v1`: from document vectors to numbers."""

from typing import Any

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain
from thinc.types import Floats2d


def TextRegressor_v1(
    doc2vec: Model[list[Doc], Floats2d] | None = None, nO: int | None = None
) -> Model[list[Doc], Floats2d]:
    """A vector for each document, dropout ([training] dropout), and a linear head.

    doc2vec (Model[list[Doc], Floats2d] | None): Gives each document one vector. None for
        spacy-bertreg.TransformerListener.v1 with its defaults.
    nO (int | None): Number of targets; None to take it from the training data.
    RETURNS (Model[list[Doc], Floats2d]): Output of shape (documents, targets), standardised: 0 is
        the training mean.
    """
    if doc2vec is None:
        from .transformer_listener import TransformerListener_v1  # imports torch

        doc2vec = TransformerListener_v1()
    head: Model = Linear(nO=nO)
    model: Model = chain(doc2vec, Dropout(), head)
    model.init = init
    model.set_ref("doc2vec", doc2vec)
    model.set_ref("head", head)
    return model


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    doc2vec = model.get_ref("doc2vec")
    head = model.get_ref("head")
    doc2vec.initialize(X=X)
    head.set_dim("nI", doc2vec.get_dim("nO"), force=True)
    if Y is not None:
        head.set_dim("nO", Y.shape[1], force=True)
    head.initialize()
