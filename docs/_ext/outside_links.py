"""Let links to files outside docs/ lead somewhere, on GitHub and on the site.

Pages link to such files relative to themselves, as GitHub does. On the site, a link to the README
leads to the first page, which holds it; with `repository_url` set, any other leads to the
repository. Without it, files can be downloaded from the site, and folders are only named.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


LINK = re.compile(r"(?<!!)\[(?P<label>[^\]]*)\]\((?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
# As docstrings name a page.
PAGE_NAME = re.compile(r"\bdocs/([a-z]+)\.md\b")
CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`(?!\]))", flags=re.DOTALL | re.MULTILINE)


def setup(app: "Sphinx") -> dict[str, Any]:
    app.add_config_value("repository_url", "", "env", types=[str])
    app.connect("source-read", _rewrite_page)
    app.connect("include-read", _rewrite_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _rewrite_page(app: "Sphinx", page: str, content: list[str]) -> None:
    path = Path(app.env.doc2path(page))
    if path.suffix == ".md":
        content[0] = rewrite_links(content[0], path, path, app)


def _rewrite_included(app: "Sphinx", path: Path, page: str, content: list[str]) -> None:
    path, into = Path(app.srcdir, path).resolve(), Path(app.srcdir, f"{page}.md")
    content[0] = rewrite_links(content[0], path, into, app)


def rewrite_links(text: str, page: Path, into: Path, app: Any) -> str:
    """Rewrite the links of a page that lead out of the documentation's folder.

    text (str): The page, in Markdown.
    page (Path): Where it is.
    into (Path): The page of the site that it becomes a part of.
    app (Any): Has `srcdir`, the folder of the documentation, in the repository's root, and
        `config.repository_url`.
    RETURNS (str): The page. Links that lead to no file stay as they are, and fail the build.
    """
    docs, repository = Path(app.srcdir).resolve(), app.config.repository_url
    root = docs.parent

    def rewrite(match: re.Match[str]) -> str:
        label, anchor = match["label"], match["anchor"] or ""
        target = (page.parent / match["path"]).resolve()
        is_web = re.match(r"[a-z]+:", match["path"])
        if is_web or target.is_relative_to(docs) or not target.exists():
            return match[0]
        if target == root / "README.md":
            return f"[{label}](/index.md{anchor})"
        if repository:
            kind = "tree" if target.is_dir() else "blob"
            return (
                f"[{label}]({repository}/{kind}/main/{target.relative_to(root).as_posix()}{anchor})"
            )
        if target.is_dir() or target.suffix == ".md":
            return label
        return f"[{label}]({Path(os.path.relpath(target, into.parent)).as_posix()})"

    parts = CODE.split(text)
    parts[::2] = [LINK.sub(rewrite, part) for part in parts[::2]]
    return "".join(parts)
