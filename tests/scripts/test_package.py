"""What a colleague gets: two wheels that work in an environment of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import choose_precision
import describe_package
import numpy as np
import pytest
import spacy
from conftest import ROOT, train
from spacy.tokens import DocBin

TEXTS = ["Shelling killed ten soldiers.", "", "A calm month.", "Talks went on; nobody died."]
SCORE = """
import json, sys, spacy
texts = json.loads(sys.argv[1])
nlp = spacy.load("en_bertreg_test")
print(json.dumps({
    "scores": [doc.cats["severity"] for doc in nlp.pipe(texts)],
    "meta": nlp.meta,
    "where": sys.modules["spacy_bertreg"].__file__,
}))
"""


@pytest.mark.parametrize(
    ("noise", "precision"), [(0.0, "auto"), (0.001, "auto"), (0.05, "float32")]
)
def test_bfloat16_is_chosen_if_predictions_stay(
    make_bert, make_examples, tmp_path, monkeypatch, noise, precision
):
    nlp = make_bert()
    examples = make_examples(nlp, 16)
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "model")
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    gold = np.array([[example.reference.cats["severity"]] for example in examples])
    exact = gold + 0.1 * np.random.default_rng(0).normal(size=gold.shape)
    rounded = exact + noise * exact.std()
    predictions = iter([exact, rounded])
    monkeypatch.setattr(choose_precision, "_predict", lambda *args: next(predictions))
    found = choose_precision.compare(tmp_path / "model", tmp_path / "dev.spacy")
    assert found["precision"] == precision
    assert found["difference"] == pytest.approx(noise)
    assert f'`precision = "{precision}"`' in choose_precision.describe(found)


@pytest.fixture
def trained(make_bert, make_examples, tmp_path):
    """A folder with a pipeline, its dev set and its scores."""
    nlp = make_bert()
    examples = make_examples(nlp, 16)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    nlp.to_disk(tmp_path / "model")
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    (tmp_path / "metrics.json").write_text(json.dumps(nlp.evaluate(examples)))
    return tmp_path


def call(main, monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    main()


@pytest.mark.parametrize("forget", [False, True])
def test_the_package_says_whether_it_marks_training_texts(trained, monkeypatch, forget):
    options = ["--forget-training-texts"] if forget else []
    monkeypatch.chdir(trained)
    call(choose_precision.main, monkeypatch, "model", "dev.spacy", "chosen", *options)
    docs = list(DocBin().from_disk("dev.spacy").get_docs(spacy.blank("en").vocab))
    for name, has_marks in (("model", True), ("chosen", not forget)):
        seen = spacy.load(name).get_pipe("text_regressor").was_trained_on(docs)
        assert seen.all() == seen.any() == has_marks
    named = ["--name", "test", "--version", "1.0.0"]
    call(describe_package.main, monkeypatch, "chosen", "metrics.json", "packages", *named)
    readme = Path("packages/en_test-1.0.0/README.md").read_text(encoding="utf-8")
    found = [text in readme for text in (describe_package.MARKED, describe_package.UNMARKED)]
    assert found == [not forget, forget]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("model", "model is the input, too"),
        ("dev.spacy", "dev.spacy is a file. Expected a folder"),
        ("mine", "mine holds other files, and is no pipeline"),
    ],
)
def test_a_pipeline_is_written_over_nothing_else(trained, monkeypatch, output, message):
    (trained / "mine").mkdir()
    (trained / "mine" / "notes.txt").write_text("mine")
    monkeypatch.chdir(trained)
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match=message):
        call(choose_precision.main, monkeypatch, "model", "dev.spacy", output)
    (trained / "file").write_text("")
    named = ["--name", "test", "--version", "1.0.0"]
    with pytest.raises(SystemExit, match="Can't write .*: .*file is a file"):
        call(describe_package.main, monkeypatch, "model", "metrics.json", "file", *named)
    (trained / "file").unlink()
    assert {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()} == before


def run(*command: object, cwd: Path) -> str:
    result = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.slow
def test_wheels_in_a_fresh_environment(make_bert, make_examples, tmp_path):
    nlp = make_bert(freeze="none")
    examples = make_examples(nlp, 16)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    scores = nlp.evaluate(examples)
    nlp.to_disk(tmp_path / "model")
    DocBin(docs=[example.reference for example in examples]).to_disk(tmp_path / "dev.spacy")
    (tmp_path / "metrics.json").write_text(json.dumps(scores))

    source = tmp_path / "source"
    shutil.copytree(ROOT / "spacy_bertreg", source / "spacy_bertreg")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # Builds the sdist, and the wheel from the sdist.
    run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", source, cwd=tmp_path)
    name, version = "bertreg_test", "1.2.3"
    (tmp_path / "packages").mkdir()
    choose, describe = (
        ROOT / "scripts" / f"{n}.py" for n in ("choose_precision", "describe_package")
    )
    model = tmp_path / "packages" / "pipeline"
    said = run(sys.executable, choose, "model", "dev.spacy", model, cwd=tmp_path)
    expected = [doc.cats["severity"] for doc in spacy.load(model).pipe(TEXTS)]
    options = ["--name", name, "--version", version]
    run(sys.executable, describe, model, "metrics.json", "packages", *options, cwd=tmp_path)
    folder = tmp_path / "packages" / f"en_{name}-{version}"
    package = ["package", model, "packages", "--build", "wheel", "--force"]
    run(sys.executable, "-m", "spacy", *package, "--meta-path", folder / "meta.json", cwd=tmp_path)

    run(sys.executable, "-m", "venv", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin") / "python"
    wheels = [*(tmp_path / "dist").glob("*.whl"), *(folder / "dist").glob("*.whl")]
    constraints = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "-c", constraints, *wheels, cwd=tmp_path)
    result = json.loads(run(python, "-c", SCORE, json.dumps(TEXTS), cwd=tmp_path))

    assert result["scores"] == pytest.approx(expected, abs=1e-5)
    assert "fresh" in result["where"]
    assert result["meta"]["performance"]["reg_r2"] == pytest.approx(scores["reg_r2"])
    assert any(r.startswith("spacy-bertreg>=") for r in result["meta"]["requirements"])
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "# en_bertreg_test" in readme
    assert said.strip() in readme
    assert f"| severity | 16 | {scores['reg_r2']:.3f} |" in readme
