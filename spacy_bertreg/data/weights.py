"""How much documents and targets count in training."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from spacy.training import Example

Floats = NDArray[np.float64]

# Key of `example.reference.user_data`. Not in `cats`, which hold only targets.
WEIGHT = "weight"


def document_weights(examples: Iterable[Example]) -> Floats:
    """Read weights from `example.reference.user_data["weight"]`; 1 where there is none.

    RETURNS (ndarray): Shape (examples,).
    RAISES (ValueError): A weight is not a number of 0 or more.
    """
    weights = []
    for example in examples:
        weight = example.reference.user_data.get(WEIGHT, 1.0)
        try:
            number = float(weight)
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            raise ValueError(
                f"The weight is {weight!r} for the text {example.reference.text[:60]!r}. Expected "
                f"a number of 0 or more in user_data[{WEIGHT!r}]."
            )
        weights.append(number)
    return np.array(weights)


def training_weights(examples: Iterable[Example], component: str) -> Floats:
    """Read the weights of all training examples of a component.

    RETURNS (ndarray): Their `document_weights`.
    RAISES (ValueError): As `document_weights`, or all weights are 0.
    """
    weights = document_weights(examples)
    if not weights.any():
        raise ValueError(
            f"Component {component!r}: the weights of all documents are 0. Expected one above 0 in "
            f"user_data[{WEIGHT!r}]."
        )
    return weights


def resolve_target_weights(
    targets: Sequence[str], weights: Mapping[str, float] | None, where: str
) -> list[float]:
    """Scale a component's weights of targets to a mean of 1.

    targets (Sequence[str]): The targets.
    weights (Mapping[str, float] | None): By target; 1 for one that is not named.
    where (str): The config's section, for the errors.
    RETURNS (list[float]): The weight of each target.
    RAISES (ValueError): A target is not known, or a weight is negative, or all are 0.
    """
    given = dict(weights or {})
    for target, weight in given.items():
        if target not in targets:
            raise ValueError(
                f"target_weights names the target {target!r} in {where}. Expected one of: "
                f"{', '.join(targets)}."
            )
        if not 0 <= weight < math.inf:
            raise ValueError(
                f"target_weights has {weight} for {target!r} in {where}. Expected 0 or more."
            )
    numbers = [float(given.get(target, 1.0)) for target in targets]
    if not any(numbers):
        raise ValueError(f"target_weights are all 0 in {where}. Expected one above 0.")
    mean = sum(numbers) / len(numbers)
    return [number / mean for number in numbers]
