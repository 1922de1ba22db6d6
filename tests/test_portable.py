"""What differs between systems is said: the encoding of texts, and modules that only some have."""

import ast

import pytest
from conftest import ROOT

FOLDERS = ("spacy_bertreg", "scripts", "projects")
PATHS = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
# Windows has none of them.
UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios"}
UNIX_CALLS = {"fork", "forkpty", "geteuid", "getuid", "killpg", "mkfifo", "sched_getaffinity"}


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield node, name, {keyword.arg: keyword.value for keyword in node.keywords}


def without_encoding(path):
    """Find calls that read or write text in whatever encoding the system has."""
    found = []
    for node, name, keywords in calls(path):
        if name == "run" and {"text", "universal_newlines"} & set(keywords):
            found.append(node.lineno)
        if name not in ("open", "read_text", "write_text") or "encoding" in keywords:
            continue
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if owner in ("tarfile", "gzip", "zipfile", "webbrowser"):
            continue
        # `open(path, mode)` or `path.open(mode)`
        first = 0 if isinstance(node.func, ast.Attribute) else 1
        mode = keywords.get("mode", node.args[first] if len(node.args) > first else None)
        if name == "open" and "b" in getattr(mode, "value", ""):
            continue
        found.append(node.lineno)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_texts_have_an_encoding(folder):
    paths = [path for path in PATHS if path.is_relative_to(ROOT / folder)]
    assert paths
    wrong = [f"{path}:{line}" for path in paths for line in without_encoding(path)]
    assert not wrong


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("open(path)", True),
        ("open(path, 'rb')", False),
        ("open(path, encoding='utf-8')", False),
        ("path.open('w')", True),
        ("path.open(mode='ab')", False),
        ("path.read_text()", True),
        ("path.write_text(text)", True),
        ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, encoding='utf-8')", False),
    ],
)
def test_calls_without_an_encoding_are_found(tmp_path, code, is_found):
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    assert bool(without_encoding(tmp_path / "code.py")) == is_found


def test_nothing_that_windows_lacks():
    wrong = []
    for path in PATHS:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path}: {name}" for name in names if name.split(".")[0] in UNIX]
        wrong += [f"{path}: {name}" for _, name, _ in calls(path) if name in UNIX_CALLS]
    assert not wrong
