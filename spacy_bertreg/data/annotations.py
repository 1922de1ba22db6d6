"""What regressors write on a document beside `doc.cats`: `doc._.score` and others.

spaCy's extensions belong to the whole program. Where another package has set one of these names,
predictions are stored and read here all the same, and `doc._` shows what that package makes of it.
"""

import warnings
from typing import Any

from spacy.tokens import Doc, Span

# Key of `doc.user_data` under which targets may be, {"severity": 3.2}, where `doc.cats` holds the
# labels of a text classifier: spaCy's takes nothing but 0 and 1 there.
TARGETS = "targets"

# `score`: prediction for the first target. The others hold a dict by key of `doc.cats`, or None:
# `interval` (low, high), if the pipeline is calibrated; `quantiles` by level, of a pinball loss;
# and `std`, a predicted standard deviation.
ANNOTATIONS = ("score", "interval", "quantiles", "std")


def register_extension(kind: type[Doc] | type[Span], name: str, **settings: Any) -> None:
    """Register an extension, or warn if another package has one of this name that shows its own.

    kind (type): Doc or Span. name (str): The extension's name.
    **settings: As spaCy's `set_extension` takes them.
    """
    if not kind.has_extension(name):
        kind.set_extension(name, **settings)
        return
    _, method, getter, _ = kind.get_extension(name)
    if method or getter not in (None, settings.get("getter")):
        where = "doc.user_data" if kind is Doc else "doc.spans"
        warnings.warn(
            f"{kind.__name__.lower()}._.{name} belongs to another package, which set it first: it "
            f"does not show what spacy-bertreg predicts. Expected to be read from doc.cats and "
            f"{where}.",
            stacklevel=3,
        )


def set_annotation(doc: Doc, name: str, value: Any) -> None:
    """Write an annotation, as `doc._.NAME = value` does for an extension with a default.

    doc (Doc): The document. name (str): One of `ANNOTATIONS`. value (Any): What to write."""
    doc.user_data[_key(name)] = value


def get_annotation(doc: Doc, name: str) -> Any:
    """doc (Doc): The document. name (str): One of `ANNOTATIONS`.
    RETURNS (Any): What is written there; None if nothing is."""
    return doc.user_data.get(_key(name))


def _key(name: str) -> Any:
    # Where spaCy keeps values of extensions.
    return "._.", name, None, None


for annotation in ANNOTATIONS:
    register_extension(Doc, annotation, default=None)
