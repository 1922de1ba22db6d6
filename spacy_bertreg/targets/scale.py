"""Convert between the targets' own units and the scale on which models learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .transforms import Bounds, check_range, invert, transform

Floats = NDArray[np.float64]

# More residuals than this are replaced by this many quantiles of them.
MAX_RESIDUALS = 2000


@dataclass(frozen=True)
class TargetScale:
    """Maps each target by its transform, and then to mean 0 and standard deviation 1.

    Learned from the known values of the training documents.

    targets (tuple[str, ...]): Their names.
    transforms (tuple[str, ...]): Of each: "none" (in its unit, less the mean), "standardize",
        "log1p": log(1 + y), "asinh": arsinh(y), or "logit": log((y - low) / (high - y)); the last
        three standardised too.
    bounds (tuple[Bounds | None, ...]): Of each, for "logit" the low and high end of its range.
    mean (tuple[float, ...]): Of the transformed values; 0 with a log link.
    std (tuple[float, ...]): Their standard deviation, 1 for a constant and for "none"; with a log
        link the training mean.
    residuals (tuple[tuple[float, ...], ...]): Of each, for Duan's smearing: observed minus
        predicted on the transformed scale. Empty for no smearing.
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
        transforms: Sequence[str],
        bounds: Sequence[Bounds | None],
        *,
        log_link: bool = False,
    ) -> "TargetScale":
        """Learn the means and standard deviations from the training documents.

        targets, transforms, bounds: For each target, see the class.
        values (ndarray): Shape (documents, targets), NaN where unknown; each target needs at least
            one known value.
        log_link (bool): Whether the model predicts the logarithm of y / training mean.
        RETURNS (TargetScale): The fitted scale.
        RAISES (ValueError): A value is out of its transform's range, or negative with a log link.
        """
        scale = cls(tuple(targets), tuple(transforms), tuple(bounds))
        means, stds = [], []
        for i, column in enumerate(scale.transform(values).T):
            known = column[~np.isnan(column)]
            mean, std = float(known.mean()), float(known.std())
            if log_link:
                _check_counts(targets[i], known)
                mean, std = 0.0, mean
            elif transforms[i] == "none" or known.min() == known.max() or std == 0:
                std = 1.0
            means.append(mean)
            stds.append(std)
        return replace(scale, mean=tuple(means), std=tuple(stds))

    @property
    def is_curved(self) -> tuple[bool, ...]:
        """For each target, whether its transform is not linear."""
        return tuple(kind not in ("none", "standardize") for kind in self.transforms)

    def transform(self, values: Floats) -> Floats:
        """Transform values without standardising them.

        values (ndarray): In the targets' units, shape (documents, targets).
        RETURNS (ndarray): Transformed.
        RAISES (ValueError): A value is out of its transform's range; the message names it.
        """
        transformed = np.empty(values.shape)
        for i, (target, column) in enumerate(zip(self.targets, values.T, strict=True)):
            transformed[:, i] = self.transform_unchecked(i, column)
            check_range(target, column, transformed[:, i], self.transforms[i], self.bounds[i])
        return transformed

    def transform_unchecked(self, target: int, values: Floats) -> Floats:
        """Transform values of one target, whether or not its transform can take them.

        target (int): Its place among the targets.
        values (ndarray): In its unit, shape (n,).
        RETURNS (ndarray): Transformed; infinite or NaN for what is out of the transform's range.
        """
        return transform(values, self.transforms[target], self.bounds[target])

    def scale(self, values: Floats) -> Floats:
        """Bring values in the targets' units, shape (documents, targets), to the model's scale.

        RAISES (ValueError): As `transform`.
        """
        return (self.transform(values) - np.array(self.mean)) / np.array(self.std)

    def unscale(self, scaled: Floats) -> Floats:
        """Undo `scale` exactly: bring values on the model's scale to the targets' units."""
        transformed = scaled * np.array(self.std) + np.array(self.mean)
        values = np.empty(transformed.shape)
        for i, column in enumerate(transformed.T):
            values[:, i] = invert(column, self.transforms[i], self.bounds[i])
        return values

    def with_smearing(self, residuals: Sequence[Sequence[float]]) -> "TargetScale":
        """Keep training residuals for Duan's smearing, see `unscale_with_smearing`.

        residuals (Sequence[Sequence[float]]): Residuals of each target, on the model's scale; empty
            for a target without smearing.
        RETURNS (TargetScale): The same scale with these residuals.
        """
        columns = []
        for std, column in zip(self.std, residuals, strict=True):
            errors = np.sort(np.asarray(column, dtype=np.float64)) * std
            if len(errors) > MAX_RESIDUALS:
                errors = np.quantile(errors, (np.arange(MAX_RESIDUALS) + 0.5) / MAX_RESIDUALS)
            columns.append(tuple(errors.tolist()))
        return replace(self, residuals=tuple(columns))

    def unscale_with_smearing(self, scaled: Floats) -> Floats:
        """Bring predictions to the targets' units, by Duan's smearing where there are residuals.

        Undoing a curved transform of a predicted mean does not give the mean in the target's unit.
        Smearing estimates that: it adds each training residual to the prediction, undoes the
        transform for all sums, and takes their mean (Duan 1983, JASA 78:605-610). Without
        residuals, or if the transform is linear, this is `unscale`.

        scaled (ndarray): Predictions on the model's scale, shape (documents, targets).
        RETURNS (ndarray): Predictions in the targets' units, of the same shape.
        """
        predicted = self.unscale(scaled)
        for i, errors in enumerate(map(np.array, self.residuals)):
            if len(errors) and self.is_curved[i]:
                kind, bounds = self.transforms[i], self.bounds[i]
                transformed = scaled[:, i] * self.std[i] + self.mean[i]
                # By row: documents times residuals can be many.
                predicted[:, i] = [invert(y + errors, kind, bounds).mean() for y in transformed]
        return predicted

    def to_dict(self) -> dict[str, Any]:
        """Turn into lists for msgpack: JSON as spaCy writes it is not exact."""
        return {name: list(value) for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TargetScale":
        """Read what `to_dict` made."""
        fields = {name: tuple(value) for name, value in data.items()}
        fields["bounds"] = tuple(None if b is None else tuple(b) for b in data.get("bounds", ()))
        fields["residuals"] = tuple(tuple(column) for column in data.get("residuals", ()))
        return cls(**fields)


def _check_counts(target: str, known: Floats) -> None:
    if known.min() < 0:
        raise ValueError(
            f"Target {target!r} is {known.min():g} for a training document. Expected 0 or more for "
            "a loss with a log link."
        )
    if known.max() == 0:
        raise ValueError(
            f"Target {target!r} is 0 for all training documents. A loss with a log link needs a "
            "value above 0."
        )
