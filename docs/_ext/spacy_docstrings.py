"""Let autodoc show docstrings in this package's form: their fields become field lists."""

import inspect
import re
from typing import TYPE_CHECKING, Any

from docstring import RAISES, RETURNS, parse_docstring
from outside_links import PAGE_NAME

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]+`)")


def setup(app: "Sphinx") -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _process)
    # What it is made of may have changed.
    app.connect("env-get-outdated", lambda *_: ["reference/python"])
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(
    app: "Sphinx", what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    body, fields = parse_docstring("\n".join(lines))
    # A class lists its attributes, unless they are also what it is made of.
    arguments = inspect.signature(thing).parameters if what == "class" else {}
    lines[:] = [*to_rst(body).splitlines(), ""]
    for field in fields:
        text, of = to_rst(field.text), field.name.lstrip("*")
        if field.name == RETURNS:
            lines += [f":returns: {text}", f":rtype: ``{field.type}``"]
        elif field.name == RAISES:
            lines.append(f":Raises: ``{field.type}`` – {text}")
        else:
            kind = "var" if what == "class" and of not in arguments else "param"
            type_kind = "vartype" if kind == "var" else "type"
            lines += [f":{kind} {of}: {text}", f":{type_kind} {of}: ``{field.type}``"]
    lines.append("")


def to_rst(text: str) -> str:
    """Turn text with code between single backticks into reStructuredText.

    text (str): The text, in which pages are named as docs/NAME.md.
    RETURNS (str): The same, with links to these pages.
    """
    parts = CODE.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = f"`{part}`"
        else:
            # These would begin emphasis, a substitution or a reference.
            escaped = re.sub(r"([*|\\]|_(?!\w))", r"\\\1", part)
            parts[place] = PAGE_NAME.sub(r":doc:`\1 </\1>`", escaped)
    return "".join(parts)
