"""The spaCy projects: complete by their own account, and run from a clean copy, offline."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import srsly
from conftest import ROOT
from forks import NO_NETWORK, run_project
from weasel.util.config import load_project_config, substitute_project_variables

FOLDERS = [".", *sorted(f"projects/{path.parent.name}" for path in ROOT.glob("projects/*/*.yml"))]
PROJECTS = {
    folder: substitute_project_variables(srsly.read_yaml(ROOT / folder / "project.yml"))
    for folder in FOLDERS
}
COMMANDS = {
    (folder, command["name"]): command
    for folder, project in PROJECTS.items()
    for command in project["commands"]
}
PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("projects/*/README.md")]
# What a project makes, and a fresh clone has not.
MADE = (
    *("assets", "corpus", "crossval", "training", "metrics", "report"),
    *("project.lock", "__pycache__"),
)


def normalize(folder: str, path: str) -> str:
    """Rewrite a path in a project's folder as one that begins at the root."""
    return os.path.normpath(Path(folder, path)).replace(os.sep, "/")


def is_inside(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")


@pytest.mark.parametrize("folder", FOLDERS)
def test_weasel_takes_it(folder):
    """It refuses, for one, a workflow with the name of a command."""
    load_project_config(ROOT / folder)


@pytest.mark.parametrize(
    ("folder", "workflow"), [(f, name) for f, p in PROJECTS.items() for name in p["workflows"]]
)
def test_every_dependency_is_in_the_repository_or_made_before(folder, workflow):
    project = PROJECTS[folder]
    # What `spacy project assets` downloads, or a user's own.
    made = {normalize(folder, asset["dest"]) for asset in project.get("assets", [])}
    made |= {normalize(folder, project["vars"]["ged"])} if "ged" in project["vars"] else set()
    for name in project["workflows"][workflow]:
        command = COMMANDS[folder, name]
        for path in (normalize(folder, dep) for dep in command.get("deps", [])):
            found = any(is_inside(path, m) for m in made) or (ROOT / path).is_file()
            assert found, f"{name} needs {path}"
        made.update(normalize(folder, output) for output in command["outputs"])


@pytest.mark.parametrize(("folder", "name"), COMMANDS)
def test_every_file_that_a_command_names_is_declared(folder, name):
    command = COMMANDS[folder, name]
    declared = [normalize(folder, p) for p in [*command.get("deps", []), *command["outputs"]]]
    for script in command["script"]:
        for word in script.split():
            # NAME=PATH of compare, and --vars.NAME=PATH of another project.
            word = word.rpartition("=")[2]
            path = normalize(folder, word)
            is_path = "/" in word or word.endswith((".csv", ".json"))
            # The transformer may be a hub name; what was fetched of it stands in sources.json.
            is_transformer = word == PROJECTS[folder]["vars"].get("transformer")
            if is_path and not is_transformer and path not in FOLDERS:
                related = [d for d in declared if is_inside(path, d) or is_inside(d, path)]
                assert related, f"{name} names {word}"


@pytest.mark.parametrize("folder", [".", "projects/conflict", "projects/length"])
def test_frozen_and_full_differ_only_in_what_their_lines_say(folder):
    scripts = [s.split() for c in PROJECTS[folder]["commands"] for s in c["script"]]
    frozen, full = (
        next(s for s in scripts if s[3:5] == ["bertreg", "train"] and f"training/{name}" in s)
        for name in ("frozen", "full")
    )
    differing = [(a, b) for a, b in zip(frozen, full, strict=True) if a != b]
    names, freeze, normalize = differing
    assert (names, freeze) == (("training/frozen", "training/full"), ("all", "none"))
    assert frozen[frozen.index("all") - 1] == "--components.transformer.model.freeze"
    # Each gets the vectors that it is better with.
    assert normalize == ("true", "false")
    place = frozen.index("true") - 1
    assert frozen[place] == "--components.text_regressor.model.tok2vec.normalize"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: "/".join(page.parts[-2:]))
def test_commands_on_pages_name_what_is_there(page):
    text = " ".join(page.read_text(encoding="utf-8").split())
    for code in re.findall(r"spacy project ((?:(?! python )[^`])+)", text):
        task, *words = code.split()
        name = words.pop(0) if task == "run" else None
        folder = words.pop(0) if words and not words[0].startswith("-") else "."
        project = PROJECTS[folder]
        if name:
            assert name in project["workflows"] or (folder, name) in COMMANDS
        for word in words:
            if word.startswith("--vars."):
                assert word.removeprefix("--vars.").partition("=")[0] in project["vars"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What a fresh clone holds of the projects."""
    shutil.copy(ROOT / "project.yml", tmp_path)
    for name in ("configs", "scripts", "projects"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(*MADE))
    (tmp_path / "corpus").mkdir()
    for table in (ROOT / "corpus").glob("*.csv"):
        shutil.copy(table, tmp_path / "corpus")
    return tmp_path


def run_smoke(copy: Path, *words: str) -> str:
    command = [sys.executable, "-m", "spacy", "project", "run", "smoke", *words]
    result = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_smoke_runs_without_a_network_and_then_skips_what_is_done(copy, capsys):
    run_project(copy, "smoke", before=NO_NETWORK)
    assert "Skipping" not in capsys.readouterr().out
    scores = pd.read_csv(copy / "report" / "smoke" / "comparison.csv").set_index("model")
    assert list(scores.index)[:3] == ["dictionary", "frozen", "full"]
    assert (copy / "report" / "smoke" / "index.html").stat().st_size > 100_000
    assert scores.loc["full", "r2"] > scores.loc["frozen", "r2"]
    assert scores.loc["dictionary", "r2"] > 0.3

    config = (copy / "training" / "smoke" / "frozen" / "model-best" / "config.cfg").read_text()
    assert 'freeze = "all"' in config

    again = run_smoke(copy)
    assert again.count("nothing changed") == len(PROJECTS["."]["workflows"]["smoke"])

    with (copy / "configs" / "dictionary.cfg").open("a") as file:
        file.write("# changed\n")
    changed = run_smoke(copy, ".", "--dry")
    assert "Skipping 'smoke-prepare'" in changed
    assert "Skipping 'smoke-train'" not in changed


def check_conflict(folder: Path) -> None:
    scores = pd.read_csv(folder / "report/smoke/comparison.csv").set_index("model")
    assert list(scores.index)[:2] == ["dictionary", "full"]
    assert scores.loc["dictionary", "r2"] > 0.2


def check_distil(folder: Path) -> None:
    table = pd.read_csv(folder / "report/smoke/distil.csv")
    assert table["rated"].tolist() == [60]
    gain = table["distilled"] - table["plain"]
    assert table["gain"].tolist() == pytest.approx(gain.tolist())
    assert (folder / "report/smoke/distil.png").read_bytes().startswith(b"\x89PNG")
    scores = pd.read_csv(folder / "report/smoke/60/comparison.csv")
    assert "share_of_lead" in scores


def check_freezing(folder: Path) -> None:
    table = pd.read_csv(folder / "report/smoke/freezing.csv")
    assert table["level"].tolist()[::2] == ["head only", "LoRA", "all but embeddings", "all"]
    assert table["trained"].is_monotonic_increasing
    assert table["r2"].nunique() >= 4
    assert (folder / "report/smoke/freezing.png").read_bytes().startswith(b"\x89PNG")


def check_length(folder: Path) -> None:
    scores = pd.read_csv(folder / "report/smoke/comparison.csv").set_index("model")
    assert list(scores.index)[:2] == ["dictionary", "dictionary+length"]
    assert scores.loc["dictionary", "r2"] != scores.loc["dictionary+length", "r2"]


def check_outcomes(folder: Path) -> None:
    scores = pd.read_csv(folder / "report/smoke/comparison.csv").set_index("model")
    assert list(scores.index)[:2] == ["log1p-smearing", "poisson"]
    assert (folder / "assets/smoke.csv").is_file()
    predictions = pd.read_csv(folder / "report/smoke/predictions.csv")
    assert (predictions.filter(like="poisson") > 0).all(axis=None)


def check_sizes(folder: Path) -> None:
    table = pd.read_csv(folder / "report/smoke/sizes.csv")
    assert list(table.columns) == ["model", "n_documents", "seed", "r2"]
    assert table["n_documents"].tolist() == [68, 136, 272]
    assert table["r2"].iloc[-1] > table["r2"].iloc[0]
    assert "training documents" in (folder / "report/smoke/index.html").read_text("utf-8")


def check_suite(folder: Path) -> None:
    table = pd.read_csv(folder / "report/smoke/suite.csv").set_index("model")
    models = ["dictionary", "dictionary-best", "distilled", "frozen", "lora", "full"]
    assert list(table.index) == models
    assert (table["documents"] == 120).all()
    best = table["r2"].head(2).idxmax()
    assert table.loc["full", "best_dictionary"] == best
    lead = table.loc["full", "r2"] - table.loc[best, "r2"]
    assert table.loc["full", "lead"] == pytest.approx(lead)
    assert (folder / "report/smoke/suite.png").read_bytes().startswith(b"\x89PNG")


CHECKS = {
    "projects/conflict": check_conflict,
    "projects/distil": check_distil,
    "projects/freezing": check_freezing,
    "projects/length": check_length,
    "projects/outcomes": check_outcomes,
    "projects/sizes": check_sizes,
    "projects/suite": check_suite,
}


@pytest.mark.slow
@pytest.mark.parametrize("project", FOLDERS[1:])
def test_smoke_of_the_other_projects(copy, project):
    run_project(copy / project, "smoke", before=NO_NETWORK)
    CHECKS[project](copy / project)


def test_commands_that_fail_or_connect_end_a_smoke(tmp_path):
    commands = [{"name": "smoke", "script": ["python script.py"]}]
    srsly.write_yaml(tmp_path / "project.yml", {"commands": commands})
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = ("raise SystemExit(3)", f"socket.socket().connect({server.getsockname()})")
        for line in lines:
            (tmp_path / "script.py").write_text(f"import socket\n{line}\n")
            with pytest.raises(RuntimeError, match="script.py"):
                run_project(tmp_path, "smoke", before=NO_NETWORK)
    (tmp_path / "script.py").write_text("pass")
    run_project(tmp_path, "smoke", before=NO_NETWORK)


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
    variables = PROJECTS["."]["vars"]
    assert variables["dataset"] == "tweets"
    assert variables["gpu_id"] == -1
