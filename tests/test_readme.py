"""What the README and the docs tell people to type works as it stands there."""

import re
import shlex

import pytest
import spacy
from conftest import ROOT
from spacy.cli._util import app
from thinc.api import Config
from typer.main import get_command

import spacy_bertreg.cli  # noqa: F401 - registers the commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [README, *(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md")))]
BLOCKS = [b for page in PAGES for b in re.findall(r"```(\w+)\n(.*?)```", page, flags=re.DOTALL)]
COMMANDS = [
    shlex.split(line)[2:]
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("python -m spacy")
]


@pytest.mark.parametrize(
    "block", [block for kind, block in BLOCKS if kind == "ini" and "[components." in block]
)
def test_config_lines_build_a_pipeline(block):
    sections = ("nlp", "components", "initialize", "initialize.components")
    missing = "".join(f"[{name}]\n\n" for name in sections if f"[{name}]\n" not in block)
    config = Config().from_str(missing + block)
    names = list(config["components"])
    config["nlp"] |= {"lang": "en", "pipeline": names}
    assert spacy.util.load_model_from_config(config, auto_fill=True).pipe_names == names


@pytest.mark.parametrize(
    "block", [block for kind, block in BLOCKS if kind == "ini" and "[training." in block]
)
def test_training_lines_resolve(block):
    config = Config().from_str(f"[training]\nmax_steps = 552\n\n{block}")
    resolved = spacy.util.registry.resolve(config)["training"]
    assert all(callable(value) for value in resolved.values() if value != 552)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:4]))
def test_commands_exist_and_take_these_options(command):
    assert command[0] == "spacy"
    node, words = get_command(app), command[1:]
    while hasattr(node, "commands"):
        node = node.commands[words.pop(0)]
    known = {option for parameter in node.params for option in parameter.opts}
    for word in words:
        # Options with a dot override the config.
        if word.startswith("--") and "." not in word:
            assert word in known, f"{word} in {' '.join(command)}"


def test_files_and_config_keys_that_are_named_exist():
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    config = (ROOT / "configs" / "bert.cfg").read_text(encoding="utf-8")
    for key in ("freeze", "max_steps", "encoder_rate", "head_rate", "pooling"):
        assert f"\n{key} = " in config
