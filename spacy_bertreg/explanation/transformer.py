"""The transformer that a regressor listens to."""

from typing import Any

from torch import nn

from ..layers.freezable_shim import FreezableShim
from .parts import RegressorParts

# Tokens that stand for an unknown word, best first.
STAND_INS = ("mask_token_id", "unk_token_id", "pad_token_id")


def find_transformer(parts: RegressorParts) -> Any:
    """Find the transformer that a regressor listens to.

    parts (RegressorParts): The regressor.
    RETURNS (TransformerModel): Its model.
    RAISES (ValueError): It listens to no transformer of its pipeline, or to one of another
        architecture.
    """
    model = parts.model
    vectors = model.get_ref("document_vectors") if model.has_ref("document_vectors") else None
    if vectors is not None and vectors.has_ref("tok2vec") and vectors.has_ref("pool"):
        listener = vectors.get_ref("tok2vec")
        for _, component in parts.nlp.components:
            if any(known is listener for known in getattr(component, "listeners", ())):
                found = getattr(component, "model", None)
                shims = [shim for node in found.walk() for shim in node.shims] if found else []
                if any(isinstance(shim, FreezableShim) for shim in shims):
                    return found
    raise ValueError(
        f"The component {parts.name!r} does not listen to a spacy-bertreg.TransformerModel.v1 of "
        "its pipeline, whose gradients are needed. Expected method = 'token_vectors' for a "
        "tok2vec, or 'occlusion' for any model."
    )


def mask_id(tokenizer: Any) -> int:
    """Get the word piece that stands for an unknown word: the mask; for a tokenizer without one,
    its unknown token, or otherwise padding."""
    ids = [getattr(tokenizer, name, None) for name in STAND_INS]
    known = [number for number in ids if number is not None]
    if not known:
        raise ValueError(
            "The transformer's tokenizer has no mask, unknown or padding token to compare words "
            "with. Expected method = 'token_vectors' or 'occlusion'."
        )
    return int(known[0])


def word_embeddings(transformer: Any) -> nn.Module:
    """Get the layer of a Hugging Face model that looks up word pieces.

    RAISES (ValueError): It has none.
    """
    try:
        return transformer.get_input_embeddings()
    except NotImplementedError as error:
        raise ValueError(
            f"A {type(transformer).__name__} has no word embeddings to explain by. Expected method "
            "= 'token_vectors' or 'occlusion'."
        ) from error
