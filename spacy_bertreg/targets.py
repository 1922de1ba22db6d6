"""Targets: which there are, and their observed values."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

from .numbers import number_or_nan

Floats = NDArray[np.float64]


def find_targets(examples: Iterable[Example]) -> list[str]:
    """RETURNS (list[str]): The keys of the references' `cats`, in order of first appearance."""
    return list(dict.fromkeys(key for eg in examples for key in eg.reference.cats))


def gold_values(examples: Iterable[Example], targets: Sequence[str]) -> Floats:
    """Read the observed values of the targets.

    examples (Iterable[Example]): Values in `example.reference.cats`. Other keys than the
        targets are ignored: they may belong to other components.
    targets (Sequence[str]): Names of the targets.
    RETURNS (ndarray): float64, shape (examples, targets), NaN where a value is unknown.
    RAISES (ValueError): A value is infinite or not a number.
    """
    rows = [
        [
            number_or_nan(eg.reference.cats.get(target), f"Target {target!r}", eg.reference.text)
            for target in targets
        ]
        for eg in examples
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(targets))


def settle_targets(
    examples: Sequence[Example], targets: Sequence[str] | None, name: str
) -> tuple[list[str], Floats]:
    """Settle which targets a component learns, and read them.

    examples (Sequence[Example]): The training examples.
    targets (Sequence[str] | None): Names of the targets; None for all that the examples hold.
    name (str): Name of the component, for the errors.
    RETURNS (tuple): The names, and their values (examples, targets).
    RAISES (ValueError): No targets in the examples, or none for one that was asked for.
    """
    found = find_targets(examples)
    chosen = found if targets is None else list(targets)
    if not chosen:
        raise ValueError(
            f"Component {name!r} found no target in {len(examples)} training examples. Expected "
            "numbers in doc.cats, as `python -m spacy bertreg convert` writes them."
        )
    values = gold_values(examples, chosen)
    for column, target in enumerate(chosen):
        if np.isnan(values[:, column]).all():
            raise ValueError(
                f"Component {name!r}: no training example has a value for the target {target!r}. "
                f"The examples have: {', '.join(found) or 'no targets'}."
            )
    return chosen, values
