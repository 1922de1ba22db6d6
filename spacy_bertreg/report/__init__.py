"""A page of what `compare` found, for people to read."""

from .page import make_report

__all__ = ["make_report"]
