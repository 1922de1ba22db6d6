"""Transforms of targets, such as the logarithm, and back."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

TRANSFORMS = ("none", "standardize", "log1p", "asinh", "logit")
# exp of more would be infinite, and a prediction must not be.
LARGEST_EXPONENT = 700.0
# Beyond this, rounding would put a prediction on the end of a transform's range.
BEFORE_END = 34.0


def transform(values: Floats, kind: str, bounds: Bounds | None) -> Floats:
    """Transform the values of one target.

    values (ndarray): In the target's unit, shape (n,).
    kind (str): One of `TRANSFORMS`; "none" and "standardize" leave values as they are.
    bounds (Bounds | None): For "logit", the low and high end of the target's range.
    RETURNS (ndarray): Transformed values; infinite or NaN where they are out of range.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "logit":
            low, high = bounds or (0.0, 1.0)
            return np.log((values - low) / (high - values))
        if kind == "log1p":
            return np.log1p(values)
        return np.arcsinh(values) if kind == "asinh" else values


def invert(values: Floats, kind: str, bounds: Bounds | None) -> Floats:
    """Undo `transform`. The result is always finite and in the transform's range.

    values (ndarray): Transformed values, shape (n,).
    RETURNS (ndarray): Values in the target's unit.
    """
    if kind == "logit":
        low, high = bounds or (0.0, 1.0)
        # The logistic function, in a form that can't overflow.
        return low + (high - low) * (1 + np.tanh(np.clip(values, -BEFORE_END, BEFORE_END) / 2)) / 2
    if kind == "log1p":
        return np.expm1(np.clip(values, -BEFORE_END, LARGEST_EXPONENT))
    if kind == "asinh":
        return np.sinh(np.clip(values, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    return values


def check_range(
    target: str, values: Floats, transformed: Floats, kind: str, bounds: Bounds | None
) -> None:
    """Check that each known value of a target is in the range of its transform."""
    wrong = np.flatnonzero(~np.isnan(values) & ~np.isfinite(transformed))
    if not len(wrong):
        return
    expected = "values above -1; asinh takes any"
    if kind == "logit":
        low, high = bounds or (0.0, 1.0)
        expected = (
            f"values between the bounds {low:g} and {high:g}, but not at them; where a target "
            "reaches its bounds, set them a little wider"
        )
    raise ValueError(
        f"Target {target!r} is {values[wrong[0]]:g} in document {wrong[0] + 1} of these, "
        f"which transform = {kind!r} can't take. Expected {expected}."
    )


def resolve_transforms(
    targets: Sequence[str],
    transform: str | Mapping[str, str],
    bounds: Sequence[float] | Mapping[str, Sequence[float]] | None,
    where: str,
) -> tuple[list[str], list[Bounds | None]]:
    """Find each target's transform and bounds in a component's settings.

    targets (Sequence[str]): The targets.
    transform (str | Mapping[str, str]): One of `TRANSFORMS` for all targets, or by target;
        "standardize" for targets that are not named.
    bounds (Sequence[float] | Mapping[str, Sequence[float]] | None): Low and high for "logit", for
        all targets or by target.
    where (str): The config's section, for the errors.
    RETURNS (tuple[list[str], list[Bounds | None]]): The transform and bounds of each target.
    RAISES (ValueError): A transform or a target is unknown, or bounds are missing, not wanted, or
        not low and high.
    """
    for setting, given in (("transform", transform), ("bounds", bounds)):
        for key in given if isinstance(given, Mapping) else ():
            if key not in targets:
                raise ValueError(
                    f"{setting} names the target {key!r} in {where}. Expected one of: "
                    f"{', '.join(targets)}."
                )
    kinds: list[str] = []
    limits: list[Bounds | None] = []
    for target in targets:
        kind = transform if isinstance(transform, str) else transform.get(target, "standardize")
        if kind not in TRANSFORMS:
            raise ValueError(
                f"transform is {kind!r} in {where}. Expected one of "
                f"{', '.join(map(repr, TRANSFORMS))}."
            )
        kinds.append(kind)
        if kind != "logit":
            limits.append(None)
            continue
        ends = bounds.get(target) if isinstance(bounds, Mapping) else bounds
        if ends is None or len(ends) != 2 or not -math.inf < ends[0] < ends[1] < math.inf:
            raise ValueError(
                f"bounds is {ends!r} in {where}. Expected the ends of the range of {target!r} for "
                "transform = 'logit', such as [0, 100]."
            )
        limits.append((float(ends[0]), float(ends[1])))
    if bounds is not None and "logit" not in kinds:
        raise ValueError(
            f"bounds is {bounds!r} in {where}, but no target has transform = 'logit', which they "
            "are for."
        )
    return kinds, limits
