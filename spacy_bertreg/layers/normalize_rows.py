"""Bring vectors to the same length."""

from collections.abc import Callable

from thinc.api import Model
from thinc.types import Floats2d


def normalize_rows() -> Model[Floats2d, Floats2d]:
    """Scale each row to a root mean square of 1, so that its direction alone counts. Rows of zeros
    stay as they are.

    RETURNS (Model[Floats2d, Floats2d]): Output of the shape of the input.
    """
    return Model("normalize_rows", forward)


def forward(model: Model, X: Floats2d, is_train: bool) -> tuple[Floats2d, Callable]:
    mean_squares = (X * X).mean(axis=1, keepdims=True)
    scale = model.ops.xp.where(mean_squares > 0, mean_squares, 1) ** -0.5
    Y = X * scale

    def backprop(dY: Floats2d) -> Floats2d:
        return scale * (dY - Y * (dY * Y).mean(axis=1, keepdims=True))

    return Y, backprop
