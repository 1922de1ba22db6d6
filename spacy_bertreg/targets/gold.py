"""The targets' names and observed values."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc
from spacy.training import Example

from ..data.annotations import TARGETS, number_or_nan

Floats = NDArray[np.float64]


def observed_values(doc: Doc) -> Mapping[str, Any]:
    """Get the observed values of an annotated document, by target.

    They are in `doc.user_data["targets"]` or, where there is no such key, in `doc.cats`.

    RAISES (ValueError): `doc.user_data["targets"]` is no dict.
    """
    values = doc.user_data.get(TARGETS, doc.cats)
    if not isinstance(values, Mapping):
        raise ValueError(
            f"user_data[{TARGETS!r}] is {values!r} for the text {doc.text[:60]!r}. Expected a dict "
            "of numbers by target."
        )
    return values


def find_targets(examples: Iterable[Example]) -> list[str]:
    """Find the names of the targets that examples hold, in order of first appearance."""
    return list(dict.fromkeys(key for eg in examples for key in observed_values(eg.reference)))


def gold_values(examples: Iterable[Example], targets: Sequence[str]) -> Floats:
    """Read the observed values of the targets.

    examples (Iterable[Example]): Values as `observed_values` finds them in `example.reference`.
        Other keys than the targets are ignored: they may belong to other components.
    targets (Sequence[str]): Names of the targets.
    RETURNS (ndarray): float64, shape (examples, targets), NaN where a value is unknown.
    RAISES (ValueError): A value is infinite or not a number.
    """
    rows = []
    for doc in (eg.reference for eg in examples):
        values = observed_values(doc)
        rows.append([number_or_nan(values.get(t), f"Target {t!r}", doc.text) for t in targets])
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(targets))


def resolve_targets(
    examples: Sequence[Example], targets: Sequence[str] | None, name: str
) -> tuple[list[str], Floats]:
    """Determine which targets a component learns, and read their values.

    examples (Sequence[Example]): The training examples.
    targets (Sequence[str] | None): Names of the targets; None for all that the examples hold.
    name (str): Name of the component, for the errors.
    RETURNS (tuple[list[str], ndarray]): The names, and their values, shape (examples, targets).
    RAISES (ValueError): No targets in the examples, or none for one that was asked for.
    """
    found = find_targets(examples)
    chosen = found if targets is None else list(targets)
    if not chosen:
        raise ValueError(
            f"Component {name!r} found no target in {len(examples)} training examples. Expected "
            f"numbers in doc.cats or doc.user_data[{TARGETS!r}], as `python -m spacy bertreg "
            "convert` writes them."
        )
    values = gold_values(examples, chosen)
    for column, target in enumerate(chosen):
        if np.isnan(values[:, column]).all():
            raise ValueError(
                f"Component {name!r}: no training example has a value for the target {target!r}. "
                f"The examples have: {', '.join(found) or 'no targets'}."
            )
    return chosen, values
