"""The spaCy project: complete by its own account, and run from a clean copy without a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import srsly
from conftest import ROOT
from weasel.cli.run import load_project_config

PROJECT = load_project_config(ROOT)
COMMANDS = {command["name"]: command for command in PROJECT["commands"]}
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise OSError("no network in this test")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
"""


@pytest.mark.parametrize("workflow", PROJECT["workflows"])
def test_every_dependency_is_in_the_repository_or_made_before(workflow):
    # What `spacy project assets` downloads, or a user's own.
    made: set[str] = {PROJECT["vars"]["ged"]}
    for name in PROJECT["workflows"][workflow]:
        command = COMMANDS[name]
        for path in command["deps"]:
            inside = any(path == m or path.startswith(f"{m}/") for m in made)
            assert inside or (ROOT / path).is_file(), f"{name} needs {path}"
        made.update(command["outputs"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_file_that_a_command_names_is_declared(name):
    command = COMMANDS[name]
    declared = [*command["deps"], *command["outputs"]]
    folders = ("configs/", "scripts/", "corpus/", "assets/", "training/", "metrics/")
    for script in command["script"]:
        for word in script.split():
            # The transformer may be a hub name; what was fetched of it stands in sources.json.
            if word.startswith(folders) and word != PROJECT["vars"]["transformer"]:
                related = [d for d in declared if d.startswith(word) or word.startswith(d)]
                assert related, f"{name} names {word}"


def test_frozen_and_full_differ_only_in_what_their_lines_say():
    scripts = [COMMANDS[f"train-{name}"]["script"][0].split() for name in ("frozen", "full")]
    differing = [(a, b) for a, b in zip(*scripts, strict=True) if a != b]
    assert differing == [("training/frozen", "training/full"), ("all", "none")]
    assert scripts[0][scripts[0].index("all") - 1] == "--components.transformer.model.freeze"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a fresh clone holds of the project."""
    for name in ("project.yml", "configs", "scripts"):
        source = ROOT / name
        copier = shutil.copytree if source.is_dir() else shutil.copy
        copier(source, tmp_path / name)
    (tmp_path / "corpus").mkdir()
    for table in (ROOT / "corpus").glob("*.csv"):
        shutil.copy(table, tmp_path / "corpus")
    return tmp_path


@pytest.mark.slow
def test_smoke_runs_without_a_network_and_then_skips_what_is_done(copy):
    (copy / "no-network").mkdir()
    (copy / "no-network" / "sitecustomize.py").write_text(NO_NETWORK)
    environment = {**os.environ, "PYTHONPATH": str(copy / "no-network")}

    def run() -> str:
        command = [sys.executable, "-m", "spacy", "project", "run", "smoke"]
        result = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    assert "Skipping" not in run()
    scores = pd.read_csv(copy / "report" / "smoke" / "comparison.csv").set_index("model")
    assert list(scores.index)[:3] == ["dictionary", "frozen", "full"]
    assert (copy / "report" / "smoke" / "index.html").stat().st_size > 100_000
    assert scores.loc["full", "r2"] > scores.loc["frozen", "r2"]
    assert scores.loc["dictionary", "r2"] > 0.3

    config = (copy / "training" / "smoke" / "frozen" / "model-best" / "config.cfg").read_text()
    assert 'freeze = "all"' in config

    again = run()
    assert again.count("nothing changed") == len(PROJECT["workflows"]["smoke"])

    with (copy / "configs" / "dictionary.cfg").open("a") as file:
        file.write("# changed\n")
    changed = run()
    assert "Skipping 'smoke-prepare'" in changed
    assert "Skipping 'smoke-train'" not in changed


def test_fetch_says_what_to_do_without_a_network(tmp_path):
    command = [sys.executable, str(ROOT / "scripts" / "fetch.py"), str(tmp_path / "assets")]
    offline = {
        **os.environ,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    result = subprocess.run(command, env=offline, capture_output=True, text=True)
    assert result.returncode == 1
    assert "project run smoke" in result.stderr.replace("\n", " ")
    assert "transformer" in result.stderr
    assert not (tmp_path / "assets").exists()


def test_project_variables():
    variables = srsly.read_yaml(ROOT / "project.yml")["vars"]
    assert variables["dataset"] == "tweets"
    assert variables["gpu_id"] == -1
