"""Between the targets' own units and the scale on which models learn."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

TRANSFORMS = ("none", "standardize", "log1p", "asinh", "logit")
# exp of more would be infinite, and a prediction must not be.
LARGEST_EXPONENT = 700.0
# Nearer to the end of a transform's range, rounding would put a prediction on it.
BEFORE_END = 34.0
# Of more residuals than this, as many quantiles stand for all.
MAX_RESIDUALS = 2000


@dataclass(frozen=True)
class TargetScale:
    """Maps each target by its transform, and then to mean 0 and standard deviation 1. Learned from
    the known values of the training documents.

    targets (tuple[str, ...]): Their names.
    transforms (tuple[str, ...]): Of each: "none" (in its unit, less the mean), "standardize",
        "log1p": log(1 + y), "asinh": arsinh(y), or "logit": log((y - low) / (high - y)); the last
        three standardised too.
    bounds (tuple[Bounds | None, ...]): Of each, for "logit" the low and high end of its range.
    mean (tuple[float, ...]): Of the transformed values; 0 with a log link.
    std (tuple[float, ...]): Their standard deviation, 1 for a constant and for "none"; with a log
        link the training mean.
    residuals (tuple[tuple[float, ...], ...]): Of each, for Duan's smearing (1983, JASA 78:605-610):
        observed minus predicted on the transformed scale. Empty: no smearing.
    """

    targets: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    bounds: tuple[Bounds | None, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    residuals: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def fit(
        cls,
        targets: Sequence[str],
        values: Floats,
        transforms: Sequence[str] | None = None,
        bounds: Sequence[Bounds | None] | None = None,
        *,
        log_link: bool = False,
    ) -> "TargetScale":
        """targets (Sequence[str]): Their names.
        values (ndarray): Shape (documents, targets), NaN where unknown; each target needs at least
            one known value.
        transforms (Sequence[str] | None): Of each target; None for "standardize".
        bounds (Sequence[Bounds | None] | None): Of each target, for "logit".
        log_link (bool): Whether the model predicts the logarithm of y / training mean.
        RAISES (ValueError): A value is out of its transform's range, or negative with a log link.
        """
        kinds = tuple(transforms or ["standardize"] * len(targets))
        limits = tuple(bounds or [None] * len(targets))
        shape = cls(tuple(targets), kinds, limits)
        transformed = shape.transform(values)
        means, stds = [], []
        for target, kind, column in zip(targets, kinds, transformed.T, strict=True):
            known = column[~np.isnan(column)]
            mean, std = float(known.mean()), float(known.std())
            if log_link:
                _check_counts(target, known)
                mean, std = 0.0, mean
            elif kind == "none" or known.min() == known.max() or std == 0:
                std = 1.0
            means.append(mean)
            stds.append(std)
        return cls(shape.targets, kinds, limits, tuple(means), tuple(stds))

    def with_residuals(self, residuals: Sequence[Sequence[float]]) -> "TargetScale":
        """residuals (Sequence[Sequence[float]]): Of each target, on the model's scale.
        RETURNS (TargetScale): The same with smearing; a target without residuals has none."""
        own = []
        for std, column in zip(self.std, residuals, strict=True):
            errors = np.sort(np.asarray(column, dtype=np.float64)) * std
            if len(errors) > MAX_RESIDUALS:
                middles = (np.arange(MAX_RESIDUALS) + 0.5) / MAX_RESIDUALS
                errors = np.quantile(errors, middles)
            own.append(tuple(errors.tolist()))
        state = {**self.__dict__, "residuals": tuple(own)}
        return TargetScale(**state)

    @property
    def is_curved(self) -> tuple[bool, ...]:
        """RETURNS (tuple[bool, ...]): For each target, whether its transform is not linear."""
        return tuple(kind not in ("none", "standardize") for kind in self.transforms)

    def transform(self, values: Floats) -> Floats:
        """values (ndarray): In the targets' units, shape (documents, targets).
        RETURNS (ndarray): Transformed, and not standardised.
        RAISES (ValueError): A value is out of its transform's range; the message names it."""
        columns = [
            _check_range(
                target, kind, limits, self.transform_unchecked(i, values[:, i]), values[:, i]
            )
            for i, (target, kind, limits, _) in enumerate(self._each(values))
        ]
        return np.stack(columns, axis=1) if columns else np.zeros_like(values)

    def transform_unchecked(self, target: int, values: Floats) -> Floats:
        """Transform values of one target, whether or not its transform can take them.

        target (int): Its place among the targets. values (ndarray): In its unit, shape (n,).
        RETURNS (ndarray): Transformed; infinite or NaN for what is out of the transform's range."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return _forward(self.transforms[target], self.bounds[target])(values)

    def scale(self, values: Floats) -> Floats:
        """values (ndarray): In the targets' units, shape (documents, targets).
        RETURNS (ndarray): On the model's scale. RAISES (ValueError): As `transform`."""
        return (self.transform(values) - np.array(self.mean)) / np.array(self.std)

    def unscale(self, scaled: Floats) -> Floats:
        """scaled (ndarray): On the model's scale, shape (documents, targets).
        RETURNS (ndarray): In the targets' units; the exact reverse of `scale`."""
        transformed = scaled * np.array(self.std) + np.array(self.mean)
        columns = [
            _backward(kind, limits)(column) for _, kind, limits, column in self._each(transformed)
        ]
        return np.stack(columns, axis=1) if columns else np.zeros_like(scaled)

    def expected(self, scaled: Floats) -> Floats:
        """scaled (ndarray): Predictions on the model's scale, shape (documents, targets).
        RETURNS (ndarray): Predictions in the targets' units: by `unscale`, or, where there are
            residuals, the mean of what `unscale` gives with each of them added, which estimates the
            target's mean (Duan 1983)."""
        predicted = self.unscale(scaled)
        for i, errors in enumerate(self.residuals):
            if errors and self.is_curved[i]:
                backward = _backward(self.transforms[i], self.bounds[i])
                transformed = scaled[:, i] * self.std[i] + self.mean[i]
                # By row: documents times residuals can be many.
                predicted[:, i] = [backward(row + np.array(errors)).mean() for row in transformed]
        return predicted

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Of lists, for msgpack: JSON as spaCy writes it is not exact."""
        return {name: list(value) for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TargetScale":
        """data (Mapping): What `to_dict` gave. RETURNS (TargetScale): The same scale."""
        state = {name: tuple(value) for name, value in data.items()}
        state["bounds"] = tuple(None if b is None else tuple(b) for b in data.get("bounds", ()))
        state["residuals"] = tuple(tuple(column) for column in data.get("residuals", ()))
        return cls(**state)

    def _each(self, values: Floats) -> list[tuple[str, str, Bounds | None, Floats]]:
        return list(zip(self.targets, self.transforms, self.bounds, values.T, strict=True))


def _forward(kind: str, bounds: Bounds | None) -> Callable[[Floats], Floats]:
    if kind == "logit":
        low, high = bounds or (0.0, 1.0)
        return lambda y: np.log((y - low) / (high - y))
    return {"log1p": np.log1p, "asinh": np.arcsinh}.get(kind, lambda y: y)


def _backward(kind: str, bounds: Bounds | None) -> Callable[[Floats], Floats]:
    if kind == "logit":
        low, high = bounds or (0.0, 1.0)
        # The logistic function, in a form that can't overflow.
        return lambda x: (
            low + (high - low) * (1 + np.tanh(np.clip(x, -BEFORE_END, BEFORE_END) / 2)) / 2
        )
    if kind == "log1p":
        return lambda x: np.expm1(np.clip(x, -BEFORE_END, LARGEST_EXPONENT))
    if kind == "asinh":
        return lambda x: np.sinh(np.clip(x, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    return lambda x: x


def _check_range(
    target: str, kind: str, bounds: Bounds | None, transformed: Floats, values: Floats
) -> Floats:
    wrong = np.flatnonzero(~np.isnan(values) & ~np.isfinite(transformed))
    if len(wrong):
        if kind == "logit":
            low, high = bounds or (0.0, 1.0)
            expected = (
                f"values between the bounds {low:g} and {high:g}, but not at them; where a target "
                "reaches its bounds, set them a little wider"
            )
        else:
            expected = "values above -1; asinh takes any"
        raise ValueError(
            f"Target {target!r} is {values[wrong[0]]:g} in document {wrong[0] + 1} of these, "
            f"which transform = {kind!r} can't take. Expected {expected}."
        )
    return transformed


def _check_counts(target: str, known: Floats) -> None:
    if known.min() < 0:
        raise ValueError(
            f"Target {target!r} is {known.min():g} for a training document. Expected 0 or more for "
            "a loss with a log link."
        )
    if known.max() == 0:
        raise ValueError(
            f"Target {target!r} is 0 for all training documents, of which no loss with a log link "
            "can learn."
        )


def resolve_transforms(
    targets: Sequence[str],
    transform: str | Mapping[str, str],
    bounds: Sequence[float] | Mapping[str, Sequence[float]] | None,
    where: str,
) -> tuple[list[str], list[Bounds | None]]:
    """Read a component's settings.

    targets (Sequence[str]): The targets.
    transform (str | Mapping[str, str]): One of `TRANSFORMS` for all targets, or by target.
    bounds (Sequence[float] | Mapping[str, Sequence[float]] | None): Low and high for "logit", for
        all targets or by target.
    where (str): The config's section, for the errors.
    RETURNS (tuple[list[str], list[Bounds | None]]): The transform and bounds of each target.
    RAISES (ValueError): A transform is not known, a target is not, or bounds are missing or not
        low and high.
    """
    by_target = dict(transform) if isinstance(transform, Mapping) else {}
    limits_by_target = dict(bounds) if isinstance(bounds, Mapping) else {}
    for setting, keys in (("transform", by_target), ("bounds", limits_by_target)):
        for key in keys:
            if key not in targets:
                raise ValueError(
                    f"{setting} names the target {key!r} in {where}. Expected one of: "
                    f"{', '.join(targets)}."
                )
    kinds, limits = [], []
    for target in targets:
        kind = transform if isinstance(transform, str) else by_target.get(target, "standardize")
        if kind not in TRANSFORMS:
            raise ValueError(
                f"transform is {kind!r} in {where}. Expected one of "
                f"{', '.join(map(repr, TRANSFORMS))}."
            )
        own = limits_by_target.get(target) if isinstance(bounds, Mapping) else bounds
        if kind == "logit" and not _are_bounds(own):
            raise ValueError(
                f"bounds is {own!r} in {where}. Expected the ends of the range of {target!r} for "
                "transform = 'logit', as [0, 100]."
            )
        kinds.append(kind)
        limits.append((float(own[0]), float(own[1])) if kind == "logit" and own else None)
    if bounds is not None and "logit" not in kinds:
        raise ValueError(
            f"bounds is {bounds!r} in {where}, but no target has transform = 'logit', which they "
            "are for."
        )
    return kinds, limits


def _are_bounds(bounds: Sequence[float] | None) -> bool:
    return (
        bounds is not None
        and len(bounds) == 2
        and all(map(math.isfinite, bounds))
        and bounds[0] < bounds[1]
    )
