"""Numbers on documents: targets, which may be unknown, and predictions, as `doc._.score`.

spaCy's extensions belong to the whole program. If another package has registered one of these names
first, predictions are still stored and read here, but `doc._` shows that package's values.
"""

import math
import warnings
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span
from spacy.training import Example

# Key of `doc.user_data` for targets, {"severity": 3.2}, if `doc.cats` holds the labels of a text
# classifier: spaCy's accepts only 0 and 1 there.
TARGETS = "targets"

# Predictions. `score`: for the first target. The others hold a dict by key of `doc.cats`, or None:
# `interval` (low, high), if the pipeline is calibrated; `quantiles` by level, of a pinball loss;
# and `std`, a predicted standard deviation.
ANNOTATIONS = ("score", "interval", "quantiles", "std")


class Annotations(NamedTuple):
    """An annotated document without its words."""

    text: str
    cats: dict[str, Any]
    user_data: dict[Any, Any]


class AnnotatedDoc(NamedTuple):
    """A document to learn from, and its annotations: as an example of spaCy, but smaller."""

    predicted: Doc
    reference: Annotations


def without_words(example: Example) -> AnnotatedDoc:
    """Leave out the words of an example's annotated document, which are those of the other."""
    doc = example.reference
    return AnnotatedDoc(example.predicted, Annotations(doc.text, doc.cats, doc.user_data))


def register_extension(kind: type[Doc] | type[Span], name: str, **settings: Any) -> None:
    """Register an extension, or warn if another package's extension of this name hides our values.

    kind (type): Doc or Span.
    name (str): The extension's name.
    **settings: Arguments of spaCy's `set_extension`.
    """
    if not kind.has_extension(name):
        kind.set_extension(name, **settings)
        return
    _, method, getter, _ = kind.get_extension(name)
    if method or getter not in (None, settings.get("getter")):
        where = "doc.user_data" if kind is Doc else "doc.spans"
        warnings.warn(
            f"{kind.__name__.lower()}._.{name} belongs to another package, which registered it "
            f"first: it does not show spacy-bertreg's predictions. Read them from doc.cats and "
            f"{where}.",
            stacklevel=3,
        )


def set_annotation(doc: Doc, name: str, value: Any) -> None:
    """Write one of `ANNOTATIONS`, as `doc._.NAME = value` does for an extension with a default."""
    doc.user_data[_key(name)] = value


def get_annotation(doc: Doc, name: str) -> Any:
    """Read one of `ANNOTATIONS`; None if nothing is written there."""
    return doc.user_data.get(_key(name))


def _key(name: str) -> Any:
    # Where spaCy keeps values of extensions.
    return "._.", name, None, None


def number_or_nan(value: Any, what: str, text: str) -> float:
    """Read a number that may be unknown.

    value (Any): A number; None and NaN are unknown.
    what (str): What it is, such as "Target 'rating'", for the error.
    text (str): The text of its document, for the error.
    RETURNS (float): The number, NaN where it is unknown.
    RAISES (ValueError): It is infinite, or no number.
    """
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = math.inf
    if math.isinf(number):
        raise ValueError(
            f"{what} is {value!r} for the text {text[:60]!r}. Expected a finite number, or None or "
            "NaN where it is unknown."
        )
    return number


for annotation in ANNOTATIONS:
    register_extension(Doc, annotation, default=None)
