"""Predict a number for each document with spaCy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison.crossval import cross_validate
    from .estimation.estimate import estimate
    from .scoring.frame import score_frame

__version__ = "0.2.0"
__all__ = ["cross_validate", "estimate", "score_frame"]


def __getattr__(name: str) -> Any:
    # spaCy imports this package for each of its commands, and what is behind takes time to import.
    if name == "cross_validate":
        from .comparison.crossval import cross_validate

        return cross_validate
    if name == "estimate":
        from .estimation.estimate import estimate

        return estimate
    if name == "score_frame":
        from .scoring.frame import score_frame

        return score_frame
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
