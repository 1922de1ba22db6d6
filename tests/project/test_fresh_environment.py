"""What a colleague gets: wheels that work in an environment of their own, and a project."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

import forks
import pandas as pd
import pytest
import spacy
from conftest import ROOT
from packaging.requirements import Requirement

TEXTS = ["Shelling killed ten soldiers.", "", "A calm month.", "Talks went on; nobody died."]
SCORE = """
import json, sys, spacy
texts = json.loads(sys.argv[1])
nlp = spacy.load("en_bertreg_reports")
print(json.dumps({
    "scores": [doc.cats["severity"] for doc in nlp.pipe(texts)],
    "meta": nlp.meta,
    "where": sys.modules["spacy_bertreg"].__file__,
}))
"""


def run(*command: object, cwd: Path) -> str:
    words = [*map(str, command)]
    # Nothing from elsewhere.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(words, cwd=cwd, env=own, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def find_required(requirements: list[Requirement]) -> list[Distribution]:
    """Find the installed packages that these requirements, and those of each, ask for."""
    found: dict[str, Distribution] = {}
    extras: dict[str, set[str]] = {}
    remaining = list(requirements)
    while remaining:
        requirement = remaining.pop()
        name = requirement.name.lower().replace("_", "-")
        package = found.setdefault(name, importlib.metadata.distribution(name))
        assert requirement.specifier.contains(package.version, prereleases=True), requirement
        for extra in {"", *requirement.extras} - extras.setdefault(name, set()):
            extras[name].add(extra)
            asked = map(Requirement, package.requires or [])
            remaining += [
                r for r in asked if r.marker is None or r.marker.evaluate({"extra": extra})
            ]
    return list(found.values())


def link_packages(packages: list[Distribution], site: Path) -> None:
    """Link installed packages into the site-packages of another environment."""
    for package in packages:
        for name in {file.parts[0] for file in package.files or [] if file.parts[0] != ".."}:
            if not (site / name).exists():
                (site / name).symlink_to(package.locate_file(name))


@pytest.mark.slow
def test_a_project_in_a_fresh_environment(sample, tiny_bert, tmp_path):
    """The environment holds what the wheel requires, as it is here, and nothing else. To install
    torch and the others once more would take longer than all the rest."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "spacy_bertreg", source / "spacy_bertreg")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Builds the sdist, and the wheel from the sdist.
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", source, cwd=tmp_path)
    shutil.rmtree(source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(python, "-c", where, cwd=tmp_path).strip())
    link_packages([importlib.metadata.distribution("pip")], site)
    run(python, "-m", "pip", "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    (ours,) = importlib.metadata.distributions(name="spacy-bertreg", path=[str(site)])
    asked = map(Requirement, ours.requires or [])
    given = [r for r in asked if r.marker is None or r.marker.evaluate({"extra": "project"})]
    link_packages(find_required(given), site)

    empty = tmp_path / "empty"
    empty.mkdir()
    sample.to_csv(tmp_path / "reports.csv", index=False)
    options = ["--target", "severity", "--id", "id", "--group", "region", "--max-docs", 200]
    options += ["--transformer", tiny_bert, "--seeds", 0, "--epochs", 1]
    command = ["init", tmp_path / "reports.csv", "mine", *options, "--no-time-it"]
    run(python, "-m", "spacy", "bertreg", *command, cwd=empty)
    run(python, forks.__file__, "mine", "all", cwd=empty)
    models = pd.read_csv(empty / "mine" / "report" / "comparison.csv")["model"]
    assert list(models)[:5] == ["dictionary", "dictionary-best", "tok2vec", "frozen", "full"]
    assert (empty / "mine" / "report" / "index.html").is_file()

    folder = empty / "mine" / "packages" / "en_bertreg_reports-0.1.0"
    (package,) = folder.glob("dist/*.whl")
    run(python, "-m", "pip", "install", "-q", "--no-deps", package, cwd=tmp_path)
    result = json.loads(run(python, "-c", SCORE, json.dumps(TEXTS), cwd=tmp_path))
    nlp = spacy.load(folder / "en_bertreg_reports" / folder.name)
    expected = [doc.cats["severity"] for doc in nlp.pipe(TEXTS)]
    assert result["scores"] == pytest.approx(expected, abs=1e-5)
    assert "fresh" in result["where"]
    metrics = json.loads((empty / "mine" / "metrics" / "full.json").read_text())
    assert result["meta"]["performance"]["reg_r2"] == pytest.approx(metrics["reg_r2"])
    assert any(r.startswith("spacy-bertreg>=") for r in result["meta"]["requirements"])
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "# en_bertreg_reports" in readme
    assert "`precision = " in readme
    assert f"| severity | {metrics['reg_per_target']['severity']['n']} |" in readme
