"""Solve the linear head of a `text_regressor` by ridge regression on the training texts."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from ..data.covariates import copy_covariates
from ..training.head_start import starting_offsets, working_response
from ..training.losses import Loss
from ..training.ridge import fit_ridge

HEADS = ("auto", "ridge", "random")
# A dimension counts as a constant up to this standard deviation, as a share of the largest.
CONSTANT = 1e-4
Floats = NDArray[np.float64]


def has_linear_head(model: Model) -> bool:
    """Tell whether a model is a linear layer directly on vectors and covariates."""
    if not model.has_ref("head") or not model.has_ref("with_covariates"):
        return False
    head, joined = model.get_ref("head"), model.get_ref("with_covariates")
    is_chain = len(model.layers) == 2 and model.layers[0] is joined and model.layers[1] is head
    return is_chain and head.name == "linear"


def learns_below(model: Model, nlp: Language | None) -> bool:
    """Tell whether anything but the head of a model learns.

    model (Model): The model.
    nlp (Language | None): The pipeline, whose transformer or tok2vec the model may listen to; None
        if it is not known: a listener then counts as something that learns.
    """
    head = model.get_ref("head")
    if _learns(node for node in model.walk() if node is not head):
        return True
    listeners = _listeners(model)
    upstream = [] if nlp is None else _upstream(listeners, nlp)
    if nlp is None or len(upstream) < bool(listeners):
        return bool(listeners)
    frozen = nlp.config.interpolate()["training"].get("frozen_components", [])
    return any(name not in frozen and _learns(part.model.walk()) for name, part in upstream)


def read_vectors(model: Model, nlp: Language, component: str, examples: Sequence[Example]) -> Any:
    """Compute the head's input, vectors and covariates of documents, without dropout. Components
    before this one run first if it listens to them, or if they annotate in training.

    model (Model): The component's model.
    nlp (Language): The pipeline.
    component (str): Name of the component.
    examples (Sequence[Example]): The documents, each with a word; not changed.
    RETURNS (ndarray): float32, in host memory, shape (documents, width).
    RAISES (ValueError): A vector is not finite.
    """
    joined = model.get_ref("with_covariates")
    upstream = dict(_upstream(_listeners(model), nlp))
    annotating = nlp.config.interpolate()["training"].get("annotating_components", [])
    parts = [np.zeros((0, joined.get_dim("nO")), dtype=np.float32)]
    for start in range(0, len(examples), nlp.batch_size):
        docs = []
        for example in examples[start : start + nlp.batch_size]:
            docs.append(example.predicted.copy())
            copy_covariates(example.reference, docs[-1])
        for name, part in nlp.components:
            if name == component:
                break
            if name in upstream:
                _encode(part, docs)
            elif name in annotating:
                docs = list(part.pipe(docs, batch_size=nlp.batch_size))  # type: ignore[attr-defined]
        parts.append(joined.ops.to_numpy(joined.predict(docs)))
    vectors = np.concatenate(parts)
    if not np.isfinite(vectors).all():
        raise ValueError(
            f"The vectors that [components.{component}] takes are not finite for a training text. "
            "Expected a transformer with finite outputs, such as with precision = 'float32'."
        )
    return vectors


def solve_head(
    model: Model, loss: Loss, vectors: Any, gold: Floats, weights: Floats
) -> tuple[Floats, Floats] | None:
    """Set the head's weights to the solution of ridge regression, if the loss can start from it.

    model (Model): The model.
    loss (Loss): The loss.
    vectors (ndarray): What `read_vectors` gave, shape (documents, width).
    gold (ndarray): Observed values on the model's scale, shape (documents, targets), NaN where
        unknown.
    weights (ndarray): How much each document counts, shape (documents,). Weights of targets make no
        difference: each target has a row of the head for itself.
    RETURNS (tuple[ndarray, ndarray] | None): The head's outputs for the documents, shape
        (documents, targets * n_outputs), and the penalty of each target, as a share of the number
        of documents. None if the loss has no such start.
    """
    response = working_response(loss, gold)
    if response is None:
        return None
    # Some BERTs have dimensions that hardly vary. With large weights on them, the predictions would
    # jump as soon as the BERT learns.
    least_std = CONSTANT * float(vectors.std(axis=0).max(initial=0.0))
    coefficients, intercepts, penalties = fit_ridge(
        vectors, response, weights, least_std=max(least_std, 1e-12)
    )
    head = model.get_ref("head")
    W = np.zeros((gold.shape[1], loss.n_outputs, vectors.shape[1]))
    b = np.zeros((gold.shape[1], loss.n_outputs))
    W[:, 0], b[:, 0] = coefficients.T, intercepts
    fitted = vectors @ coefficients + intercepts
    for target, column in enumerate(gold.T):
        known = ~np.isnan(column) & (weights > 0)
        if known.any():
            b[target] += starting_offsets(
                loss, column[known], fitted[known, target], weights[known]
            )
    matrix: Any = W.reshape(-1, vectors.shape[1])
    biases: Any = b.reshape(-1)
    head.set_param("W", head.ops.asarray2f(matrix))
    head.set_param("b", head.ops.asarray1f(biases))
    return vectors @ matrix.T + biases, penalties


def fingerprints(docs: Sequence[Doc], values: Floats) -> frozenset[bytes]:
    """Hash documents with all that a head learns from.

    docs (Sequence[Doc]): The documents.
    values (ndarray): Observed values, weights and covariates, shape (documents, n).
    RETURNS (frozenset[bytes]): The hashes.
    """
    found = set()
    for doc, row in zip(docs, values, strict=True):
        content = doc.text.encode("utf-8", "surrogatepass") + row.tobytes()
        found.add(hashlib.blake2b(content, digest_size=16).digest())
    return frozenset(found)


def _learns(nodes: Iterable[Model]) -> bool:
    return any(
        node.param_names or not all(getattr(shim, "is_frozen", False) for shim in node.shims)
        for node in nodes
    )


def _listeners(model: Model) -> list[Model]:
    return [node for node in model.walk() if hasattr(node, "upstream_name")]


def _upstream(listeners: Sequence[Model], nlp: Language) -> list[tuple[str, Any]]:
    """Find the components that feed listeners, disabled ones too."""
    return [
        (name, part)
        for name, part in nlp.components
        if any(node is known for node in listeners for known in getattr(part, "listeners", ()))
    ]


def _encode(component: Any, docs: list[Doc]) -> None:
    """Run a transformer or tok2vec on documents, and write its outputs to them."""
    is_trained = _learns(component.model.walk())
    # In training, a frozen transformer keeps its outputs, and need not compute them again.
    outputs = component.predict(docs) if is_trained else component.model(docs, is_train=True)[0]
    component.set_annotations(docs, outputs)
