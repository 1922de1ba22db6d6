"""`spacy-bertreg.Tok2VecPooling.v1`: document vectors without a transformer."""

from spacy.tokens import Doc
from thinc.api import Model, chain, list2ragged, reduce_mean
from thinc.types import Floats2d


def Tok2VecPooling_v1(tok2vec: Model[list[Doc], list[Floats2d]]) -> Model[list[Doc], Floats2d]:
    """Average the token vectors of a spaCy tok2vec layer, for a small and fast pipeline.

    tok2vec (Model[list[Doc], list[Floats2d]]): The layer, such as spacy.HashEmbedCNN.v2.
    RETURNS (Model[list[Doc], Floats2d]): Output of shape (documents, width of the layer); zeros
        for a document without tokens.
    """
    model: Model = chain(tok2vec, list2ragged(), reduce_mean())
    model.set_ref("token_vectors", tok2vec)
    model.set_dim("nO", tok2vec.get_dim("nO"))
    return model
