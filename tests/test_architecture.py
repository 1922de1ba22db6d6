"""Imports go down: docs/architecture.md has the floors."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "spacy_bertreg"
# From the top floor down. A room imports itself and what stands below it.
ROOMS = (
    "cli", "sklearn", "project", "estimation", "demo", "report", "scoring", "comparison",
    "pipeline", "explanation", "models", "evaluation", "layers", "dictionary", "targets",
    "training", "data",
)  # fmt: skip


def imports(path: Path) -> list[tuple[int, str]]:
    """Find what a module imports from its own package.

    RETURNS (list[tuple]): Line and first part of the name behind `spacy_bertreg`.
    """
    package = path.relative_to(ROOT).parent.parts
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        found += [(node.lineno, n[1]) for n in names if n[0] == "spacy_bertreg" and len(n) > 1]
    return found


def test_the_page_names_what_is_there():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE)) == set(ROOMS)
    paths = [
        path
        for path in re.findall(r"[\w/]+/[\w.]*", page)
        if path.split("/")[0] in (*ROOMS, "tests", "projects", "scripts")
    ]
    assert len(paths) > 40
    for path in paths:
        assert (PACKAGE / path).exists() or (ROOT / path).exists(), path


def test_only_rooms_at_the_top():
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"} == set(
        ROOMS
    )
    loose = {path.name for path in PACKAGE.glob("*.py")}
    assert loose <= {"__init__.py", "errors.py", "util.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down(room):
    above = ROOMS[: ROOMS.index(room)]
    paths = list((PACKAGE / room).rglob("*.py"))
    assert paths
    up = [
        f"{path}:{line}: {name}" for path in paths for line, name in imports(path) if name in above
    ]
    assert not up
