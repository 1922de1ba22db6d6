"""The demo's page, with the look of explained texts."""

import re
from functools import cache
from pathlib import Path

from ..report.page import get_template

FOLDER = Path(__file__).parent
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@cache
def render_page(name: str) -> tuple[str, bytes]:
    """Get a part of the page.

    name (str): "page.html", "page.css" or "page.js".
    RETURNS (tuple[str, bytes]): Its type, and its content; for "page.css", with the style of the
        page of an explained text before it.
    """
    content = (FOLDER / name).read_text(encoding="utf-8")
    if name == "page.css":
        content = get_style() + content
    return TYPES[Path(name).suffix], content.encode("utf-8")


def get_style() -> str:
    """Get the style of the page of an explained text."""
    page = get_template("explained.html").render(title="", texts=[], observed=None)
    return "".join(re.findall("<style>(.*?)</style>", page, re.DOTALL))
