"""spaCy components that predict a number for each document."""

__version__ = "0.1.0"
