"""A release has one version and the right files, or the script says what is wrong."""

import shutil
import subprocess

import pytest
import release
from conftest import ROOT

FILES = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.splitlines()
PACKAGE = {name for name in FILES if name.startswith("spacy_bertreg/")}
INFO = "spacy_bertreg-1.0.0.dist-info"
METADATA = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
WHEEL = PACKAGE | {f"{INFO}/{name}" for name in METADATA}
SDIST = PACKAGE | {*release.BESIDE, "PKG-INFO", "spacy_bertreg.egg-info/SOURCES.txt"}

pytestmark = pytest.mark.skipif(not FILES, reason="not a git checkout")


def test_the_repository_names_one_version():
    release.check_versions(ROOT)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("CITATION.cff", "\nversion: ", "\nversion: 9."),
        ("CHANGELOG.md", "## ", "## Unreleased\n\n## "),
        ("spacy_bertreg/__init__.py", "__version__", "version"),
    ],
)
def test_different_versions_are_refused(tmp_path, name, old, new):
    for path in ("CITATION.cff", "CHANGELOG.md", "spacy_bertreg/__init__.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SystemExit, match=f"Expected one version.*{name}"):
        release.check_versions(tmp_path)


def test_what_belongs_there_passes():
    release.check_wheel(WHEEL, FILES)
    release.check_sdist(SDIST, FILES)


@pytest.mark.parametrize(
    ("lost", "added", "message"),
    [
        ({"spacy_bertreg/py.typed"}, set(), r"missing: \['spacy_bertreg/py.typed'\]"),
        ({f"{INFO}/licenses/LICENSE"}, set(), r"metadata, missing: \['licenses/LICENSE'\]"),
        (set(), {"tests/conftest.py"}, r"not expected: \['tests/conftest.py'\]"),
        (set(), {"spacy_bertreg/old.py"}, r"not expected: \['spacy_bertreg/old.py'\]"),
    ],
)
def test_a_wheel_with_other_files_is_refused(lost, added, message):
    with pytest.raises(SystemExit, match=message):
        release.check_wheel((WHEEL - lost) | added, FILES)


@pytest.mark.parametrize(
    ("lost", "added", "message"),
    [
        ({"LICENSE"}, set(), r"missing: \['LICENSE'\]"),
        ({"spacy_bertreg/report/page.html"}, set(), "missing: .*page.html"),
        (set(), {"tests/test_readme.py"}, r"not expected: \['tests/test_readme.py'\]"),
    ],
)
def test_an_sdist_with_other_files_is_refused(lost, added, message):
    with pytest.raises(SystemExit, match=message):
        release.check_sdist((SDIST - lost) | added, FILES)


def test_commands_see_nothing_of_this_process(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("VIRTUAL_ENV", str(ROOT))
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & set(release.environment())
    with pytest.raises(SystemExit, match="Failed with 3: "):
        release.run(release.sys.executable, "-c", "raise SystemExit(3)", cwd=tmp_path)
