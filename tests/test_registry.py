import subprocess
import sys
from configparser import ConfigParser

import pytest
import spacy
from conftest import ROOT

CONFIG = ConfigParser()
CONFIG.read(ROOT / "setup.cfg")
ENTRY_POINTS = [
    (group.removeprefix("spacy_").removeprefix("thinc_"), line.partition("=")[0].strip())
    for group, lines in CONFIG["options.entry_points"].items()
    for line in lines.strip().splitlines()
]


@pytest.mark.parametrize(("registry", "name"), ENTRY_POINTS)
def test_every_entry_point_is_found(registry, name):
    if registry == "factories":
        assert spacy.blank("en").has_factory(name)
    else:
        assert callable(spacy.registry.get(registry, name))


def test_importing_the_package_is_light():
    code = (
        "import sys, spacy_bertreg;"
        "print([m for m in ('torch', 'transformers', 'spacy', 'pandas') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_the_command_line_imports_nothing_heavy():
    code = (
        "import sys, spacy.cli;"
        "before = set(sys.modules);"
        "import spacy_bertreg.cli;"
        "print({'transformers', 'spacy_transformers', 'pandas'} & (set(sys.modules) - before))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
