"""From a table to a verdict and a package, with nothing but this package's wheel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import spacy
from conftest import ROOT

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
    result = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_a_project_in_a_fresh_environment(sample, tiny_bert, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "spacy_bertreg", source / "spacy_bertreg")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Builds the sdist, and the wheel from the sdist.
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", source, cwd=tmp_path)
    shutil.rmtree(source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = ["-c", ROOT / "constraints.txt"]
    run(python, "-m", "pip", "install", "-q", *constraints, f"{wheel}[project]", cwd=tmp_path)

    empty = tmp_path / "empty"
    empty.mkdir()
    sample.to_csv(tmp_path / "reports.csv", index=False)
    options = ["--target", "severity", "--id", "id", "--group", "region", "--max-docs", 200]
    options += ["--transformer", tiny_bert, "--seeds", 0, "--epochs", 1]
    command = ["init", tmp_path / "reports.csv", "mine", *options, "--no-time-it"]
    run(python, "-m", "spacy", "bertreg", *command, cwd=empty)
    run(python, "-m", "spacy", "project", "run", "all", cwd=empty / "mine")
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
