"""Read docstrings in this package's form, which is spaCy's."""

import inspect
import re
from dataclasses import dataclass, replace

# Several names may share a type, and several of these a text.
TYPED = r"\*{0,2}\w+(?:, \w+)* \([^()]+\)"
FIELD = re.compile(rf"(?P<names>{TYPED}(?:, {TYPED})*): (?P<text>.*)")
NAMES = re.compile(r"(\*{0,2}\w+(?:, \w+)*) \(([^()]+)\)")
RETURNS, RAISES = "RETURNS", "RAISES"


@dataclass(frozen=True)
class Field:
    """An argument, an attribute, what is returned, or what is raised.

    name (str): Its name, or `RETURNS` or `RAISES`.
    type (str): Its type, as it is written.
    text (str): What it is.
    """

    name: str
    type: str
    text: str


def parse_docstring(docstring: str | None) -> tuple[str, list[Field]]:
    """Divide a docstring into what it says and its lines `name (Type): text`.

    docstring (str | None): The docstring.
    RETURNS (tuple[str, list[Field]]): The paragraphs, and the fields in their order.
    """
    body: list[str] = []
    fields: list[Field] = []
    n_shared = 0
    for line in inspect.cleandoc(docstring or "").splitlines():
        match = FIELD.fullmatch(line)
        if match:
            found = [
                Field(name, type_, match["text"])
                for names, type_ in NAMES.findall(match["names"])
                for name in names.split(", ")
            ]
            fields += found
            n_shared = len(found)
        elif fields and line.startswith(" "):
            fields[-n_shared:] = [
                replace(field, text=f"{field.text} {line.strip()}") for field in fields[-n_shared:]
            ]
        else:
            body.append(line)
    return "\n".join(body).strip(), fields
