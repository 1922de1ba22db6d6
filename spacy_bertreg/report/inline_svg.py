"""Figures as part of a page, so that they follow its colours."""

import re
from xml.etree import ElementTree

from markupsafe import Markup

# Elements of matplotlib that a page does not need, and attributes with needlessly many digits.
UNUSED = {"metadata", "style"}
COORDINATES = {"d", "x", "y", "width", "height"}
LONG_NUMBER = re.compile(r"\d+\.\d{3,}")


def inline_svg(svg: bytes, alt: str, seen: set[str]) -> Markup:
    """Make a figure part of a page: black becomes the colour of the page's text, and white, the
    background, is left out.

    svg (bytes): A figure that matplotlib wrote.
    alt (str): What it shows, for those who can't see it.
    seen (set[str]): Ids of shapes that the page has, to which this figure's are added. matplotlib
        names a glyph or marker by what it is, so a page needs each only once.
    RETURNS (Markup): The figure as HTML.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - matplotlib's
    used = set(re.findall(rb'(?:href="#|url\(#)([^")]+)', svg))
    for element in root.iter():
        _simplify(element, used)
    new = {element.get("id", "") for element in root.iter()} - seen
    for parent in list(root.iter()):
        for child in list(parent):
            name = child.get("id")
            if child.tag in UNUSED or (name is not None and name not in new):
                parent.remove(child)
            elif name is not None:
                # Some figures write their own glyphs twice.
                new.discard(name)
                seen.add(name)
    view_box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"viewBox": view_box, "role": "img", "aria-label": alt}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by it


def _simplify(element: ElementTree.Element, used: set[bytes]) -> None:
    """Leave out namespaces, line breaks, ids that nothing refers to, and digits."""
    element.tag = element.tag.rpartition("}")[2]
    element.text = element.tail = None
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    if attributes.get("id", "").encode() not in used:
        attributes.pop("id", None)
    if "style" in attributes:
        style = attributes["style"].replace("#ffffff", "none").replace("#000000", "currentColor")
        attributes["style"] = style.replace(": ", ":").replace("; ", ";")
    for key in COORDINATES & set(attributes):
        attributes[key] = LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}", attributes[key])
    if attributes.get("href", "").startswith("data:"):
        attributes["href"] = "".join(attributes["href"].split())
    element.attrib.clear()
    element.attrib |= {key: " ".join(value.split()) for key, value in attributes.items()}
