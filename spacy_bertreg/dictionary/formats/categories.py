"""Term lists that are nested categories with lists of terms: those of quanteda, Lexicoder,
Yoshikoder and WordStat. As in quanteda, dots are put between the levels."""

import re
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from .rows import Row, Source

# A line of WordStat: the term, and its weight in parentheses.
WEIGHTED = re.compile(r"(.+?)\s+\((-?\d+(?:\.\d+)?)\)")


def read_yaml(text: str, source: Source) -> Iterator[Row]:
    """Read the terms of quanteda's YAML."""
    import yaml

    try:
        # Nodes and not values: they know their lines, and nothing is ever constructed.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{source.name} is not YAML: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{source.name} has too many levels of categories.") from error
    if root is None:
        return
    if root.id != "mapping":
        raise source.error(1, "expected categories, each with a list of terms.")
    yield from _yaml_rows(root, "", source, set())


def _yaml_rows(node: Any, category: str, source: Source, seen: set[int]) -> Iterator[Row]:
    line = node.start_mark.line + 1
    if node.id == "scalar":
        yield Row(line, node.value, category, 1.0)
        return
    if id(node) in seen:
        raise source.error(line, "references to other lines are not read.")
    seen.add(id(node))
    for item in node.value:
        if node.id == "mapping":
            key, value = item
            yield from _yaml_rows(value, f"{category}.{key.value}".lstrip("."), source, seen)
        else:
            yield from _yaml_rows(item, category, source, seen)


def read_lexicoder(text: str, source: Source) -> Iterator[Row]:
    """Read the terms of Lexicoder's .lc3, below lines of + and a category."""
    category = ""
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if content.startswith("+"):
            category = content[1:].strip()
        elif content and not category:
            raise source.error(number, f"expected + and a category first, found {line!r}.")
        elif content:
            yield source.row(number, {"term": content, "category": category})


def read_wordstat(text: str, source: Source) -> Iterator[Row]:
    """Read the terms of WordStat's .cat: indented below their category, with a weight in
    parentheses, and with underscores between words."""
    # The categories above a line, each with its indentation.
    above: list[tuple[int, str]] = []
    n_rules = 0
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if not content:
            continue
        expanded = line.expandtabs()
        indent = len(expanded) - len(expanded.lstrip())
        while above and above[-1][0] >= indent:
            above.pop()
        found = WEIGHTED.fullmatch(content)
        if found is None:
            above.append((indent, content))
        elif found[1].startswith("@"):
            n_rules += 1
        elif not above:
            raise source.error(
                number, f"expected a category first, and terms indented below it, found {line!r}."
            )
        else:
            category = ".".join(name for _, name in above)
            term = found[1].replace("_", " ")
            yield source.row(number, {"term": term, "category": category, "weight": found[2]})
    source.add_note(n_rules, "rule", ", left out")


def read_yoshikoder(text: str, source: Source) -> Iterator[Row]:
    """Read the terms of Yoshikoder's .ykd: `pnode`s in `cnode`s, their categories."""
    rows: list[Row] = []
    above: list[str] = []
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        line = parser.CurrentLineNumber
        if tag not in ("cnode", "pnode"):
            return
        if "name" not in attributes:
            raise source.error(line, f"{tag} has no name.")
        if tag == "cnode":
            above.append(attributes["name"])
        elif not above:
            raise source.error(line, "expected a cnode around the pnode.")
        else:
            category = ".".join(name for name in above if name)
            rows.append(source.row(line, {"term": attributes["name"], "category": category}))

    def end(tag: str) -> None:
        if tag == "cnode":
            above.pop()

    def refuse(*_: Any) -> None:
        # Entities can expand without end, or name other files.
        raise source.error(parser.CurrentLineNumber, "document types and entities are not read.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError(f"{source.name} is not XML: {error}.") from error
    yield from rows
