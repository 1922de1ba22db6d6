"""Covariates: numbers that go with a document, beside its text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.attrs import IS_SPACE
from spacy.tokens import Doc

from .annotations import number_or_nan

Floats = NDArray[np.float64]

# Key of `doc.user_data`, and of the context in `nlp.pipe(..., as_tuples=True)`, under which a
# document's covariates are: {"n_headlines": 3, "gdp": None}.
COVARIATES = "covariates"
# Made from the document itself: log(1 + number of tokens that are not white space).
LOG_LENGTH = "log_length"
# Largest distance of a covariate from its mean, in standard deviations.
LARGEST = 1e6


def read_covariates(docs: Sequence[Doc], names: Sequence[str], component: str) -> Floats:
    """Read the covariates of documents.

    docs (Sequence[Doc]): Documents with `doc.user_data["covariates"]`, a dict of numbers by name,
        or with "covariates" in their context in `nlp.pipe(..., as_tuples=True)`. None and NaN are
        unknown.
    names (Sequence[str]): Which to read; "log_length" is computed from the document.
    component (str): Name of the component, for the errors.
    RETURNS (ndarray): Shape (documents, names), NaN where unknown.
    RAISES (ValueError): A document has no such covariate, or it is not a number.
    """
    given = [name for name in names if name != LOG_LENGTH]
    rows = np.zeros((len(docs), len(names)))
    for row, doc in zip(rows, docs, strict=True):
        found = _get_covariates(doc)
        for column, name in enumerate(names):
            if name == LOG_LENGTH:
                row[column] = math.log1p(len(doc) - int(doc.to_array(IS_SPACE).sum()))
            elif found is None or name not in found:
                raise ValueError(
                    f"Component {component!r} expects the covariates "
                    f"{', '.join(map(repr, given))}, but the document {doc.text[:60]!r} has "
                    f"{', '.join(map(repr, found or ())) or 'none'}. Set "
                    f"doc.user_data[{COVARIATES!r}] = {{{name!r}: NUMBER}} before the pipeline "
                    "runs, None for a value that is unknown."
                )
            else:
                row[column] = number_or_nan(found[name], f"Covariate {name!r}", doc.text)
    return rows


def _get_covariates(doc: Doc) -> Mapping[str, Any] | None:
    found = doc.user_data.get(COVARIATES)
    if found is None and isinstance(doc._context, Mapping):
        found = doc._context.get(COVARIATES)
    if found is not None and not isinstance(found, Mapping):
        raise ValueError(
            f"The covariates of the document {doc.text[:60]!r} are {found!r}. Expected a dict of "
            "numbers by name."
        )
    return found


def copy_covariates(reference: Doc, predicted: Doc) -> None:
    """Copy covariates from an annotated document to the one for prediction, if that has none."""
    if COVARIATES in reference.user_data:
        predicted.user_data.setdefault(COVARIATES, reference.user_data[COVARIATES])


@dataclass(frozen=True)
class CovariateScale:
    """Standardises covariates, and adds for each an indicator that is 1 where it is unknown.

    An unknown covariate itself becomes 0, the training mean.

    names (tuple[str, ...]): Their names.
    mean (tuple[float, ...]): Means over the training documents.
    std (tuple[float, ...]): Standard deviations; 1 for a constant.
    """

    names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def fit(cls, docs: Sequence[Doc], names: Sequence[str], component: str) -> "CovariateScale":
        """Learn means and standard deviations from the training documents, see `read_covariates`.

        RAISES (ValueError): As `read_covariates`, or no document has a value for one.
        """
        if len(set(names)) < len(names):
            raise ValueError(
                f"covariates of the component {component!r} names one twice: {list(names)}."
            )
        values = read_covariates(docs, names, component)
        means, stds = [], []
        for name, column in zip(names, values.T, strict=True):
            known = column[~np.isnan(column)]
            if not len(known):
                raise ValueError(
                    f"Component {component!r}: no training document has a value for the covariate "
                    f"{name!r}."
                )
            means.append(float(known.mean()))
            stds.append(1.0 if known.min() == known.max() else float(known.std()))
        return cls(tuple(names), tuple(means), tuple(stds))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: covariates, then indicators; "log_length" is never unknown."""
        return (*self.names, *(f"{name} unknown" for name in self.names if name != LOG_LENGTH))

    def __call__(self, docs: Sequence[Doc], component: str) -> Floats:
        """Compute a model's input from covariates of documents, shape (documents, columns).

        RAISES (ValueError): As `read_covariates`.
        """
        values = read_covariates(docs, self.names, component)
        scaled = (values - np.array(self.mean)) / np.array(self.std)
        # The model computes in 32 bits, in which a larger number would be infinite.
        scaled = np.clip(scaled, -LARGEST, LARGEST)
        unknown = np.isnan(values)
        given = [i for i, name in enumerate(self.names) if name != LOG_LENGTH]
        return np.concatenate([np.where(unknown, 0.0, scaled), unknown[:, given]], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Turn into lists for msgpack."""
        return {name: list(value) for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Iterable[Any]]) -> "CovariateScale":
        """Read what `to_dict` made."""
        return cls(**{name: tuple(value) for name, value in data.items()})
