"""`spacy-bertreg.TextRegressor.v1`: from document vectors to numbers."""

from typing import Any

from spacy.tokens import Doc
from thinc.api import Dropout, Linear, Model, chain
from thinc.types import Floats2d

from ..layers.covariates import covariate_scale, with_covariates


def TextRegressor_v1(
    tok2vec: Model[list[Doc], Floats2d] | None = None, nO: int | None = None
) -> Model[list[Doc], Floats2d]:
    """Chain document vectors, dropout ([training] dropout), covariates and a linear head.

    tok2vec (Model[list[Doc], Floats2d] | None): Gives each document one vector. None for
        spacy-bertreg.TransformerListener.v1 with its defaults.
    nO (int | None): Number of outputs; None to take it from the training data.
    RETURNS (Model[list[Doc], Floats2d]): Output of shape (documents, targets * outputs of the
        loss), on the model's scale: 0 is the training mean.
    """
    if tok2vec is None:
        from .transformer_listener import TransformerListener_v1  # imports torch

        tok2vec = TransformerListener_v1()
    joined = with_covariates(chain(tok2vec, Dropout()))
    head: Model = Linear(nO=nO)
    model: Model = chain(joined, head)
    model.init = init
    model.set_ref("document_vectors", tok2vec)
    if tok2vec.has_ref("tok2vec"):
        # `spacy debug model` runs the transformer that this listens to.
        model.set_ref("tok2vec", tok2vec.get_ref("tok2vec"))
    model.set_ref("with_covariates", joined)
    model.set_ref("head", head)
    return model


def init(model: Model, X: Any = None, Y: Any = None) -> None:
    vectors, joined, head = map(model.get_ref, ("document_vectors", "with_covariates", "head"))
    vectors.initialize(X=X)
    joined.set_dim("nO", vectors.get_dim("nO") + len(covariate_scale(joined).columns), force=True)
    head.set_dim("nI", joined.get_dim("nO"), force=True)
    if Y is not None:
        head.set_dim("nO", Y.shape[1], force=True)
    head.initialize()
