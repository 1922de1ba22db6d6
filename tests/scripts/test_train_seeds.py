"""The script that trains once a seed."""

import json
import subprocess
import sys

import pytest
import spacy
from conftest import ROOT

from spacy_bertreg.data.convert import convert

FOREIGN = ["NOTES.md", "seed-0/remarks.txt"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder / "corpus", targets=["severity"], id_column="id", group="region")
    models = folder / "models" / "dictionary"
    earlier = ["seed-7/model-best/meta.json", "seed-0/log.jsonl", "model-best/old"]
    write(models, dict.fromkeys(earlier, "earlier"))
    write(models, {"train_seeds.json": json.dumps({"files": earlier})})
    write(models, dict.fromkeys(FOREIGN, "mine"))
    result = train(folder, models, "0,3")
    assert result.returncode == 0, result.stderr
    return folder


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def train(folder, output, seeds, *settings):
    return run(
        *("train_seeds.py", ROOT / "configs" / "dictionary.cfg", output, "--seeds", seeds),
        *("--paths.train", folder / "corpus" / "train.spacy"),
        *("--paths.dev", folder / "corpus" / "dev.spacy", *settings),
    )


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(script, *arguments):
    command = [sys.executable, ROOT / "scripts" / script, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)


def test_a_pipeline_and_a_log_for_each_seed(folder):
    models = folder / "models" / "dictionary"
    # An earlier run's seed is gone.
    found = sorted(p.name for p in models.iterdir())
    assert found == ["NOTES.md", "model-best", "seed-0", "seed-3", "train_seeds.json"]
    assert not (models / "model-best" / "old").exists()
    scores = {}
    for seed in (0, 3):
        config = spacy.util.load_config(models / f"seed-{seed}/model-best/config.cfg")
        component = config.interpolate()["initialize"]["components"]["dictionary_regressor"]
        assert component["seed"] == seed
        *_, line = (models / f"seed-{seed}" / "log.jsonl").read_text().splitlines()
        meta = json.loads((models / f"seed-{seed}/model-best/meta.json").read_text())
        scores[seed] = meta["performance"]["reg_r2"]
        assert json.loads(line)["scores"]["reg_r2"] == pytest.approx(100 * scores[seed])
    best = json.loads((models / "model-best" / "meta.json").read_text())
    assert best["performance"]["reg_r2"] == max(scores.values())
    assert scores[0] != scores[3]


def test_wrong_seeds(folder):
    for seeds, found in (("0,x", "Expected whole numbers"), ("1,1", "Expected different")):
        result = run("train_seeds.py", "none.cfg", folder / "other", "--seeds", seeds)
        assert result.returncode == 2
        assert found in result.stderr
    assert not (folder / "other").exists()


def test_only_what_an_earlier_run_wrote_is_replaced(folder):
    models = folder / "models" / "dictionary"
    assert all((models / name).read_text() == "mine" for name in FOREIGN)
    listed = json.loads((models / "train_seeds.json").read_text())["files"]
    assert not set(listed) & set(FOREIGN)
    found = {path.relative_to(models).as_posix() for path in content(models)}
    assert found == {*listed, *FOREIGN, "train_seeds.json"}
    for name in ("seed-0/model-best", "seed-0/model-last", "seed-3/model-best"):
        config = spacy.util.load_config(models / name / "config.cfg")
        log = models / name.partition("/")[0] / "log.jsonl"
        assert config["training"]["logger"]["output_file"] == str(log)
    assert [path.name for path in models.parent.iterdir()] == ["dictionary"]


def test_a_failed_run_changes_nothing(folder):
    models = folder / "models" / "dictionary"
    before = content(folder / "models")
    none = folder / "none.spacy"
    result = train(folder, models, "0", "--paths.dev", none)
    assert result.returncode == 1
    assert f"{models} is as it was before" in result.stderr
    missing = run("train_seeds.py", folder / "none.cfg", models, "--seeds", "0")
    assert missing.returncode == 1
    assert "none.cfg does not exist. Expected a config" in missing.stderr
    wrong = train(folder, models, "0", "--paths.dev.x", "1")
    assert wrong.returncode == 1
    assert "dictionary.cfg with " in wrong.stderr
    assert content(folder / "models") == before
    assert [path.name for path in models.parent.iterdir()] == ["dictionary"]


def test_folders_of_others_are_refused(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    result = train(folder, tmp_path / "mine", "0")
    assert result.returncode == 1
    assert "mine holds other files: it has no train_seeds.json" in result.stderr
    result = train(folder, tmp_path / "mine" / "thesis.tex", "0")
    assert "thesis.tex is a file. Expected a folder" in result.stderr
    listed = {"files": ["../mine/thesis.tex"]}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train_seeds.json").write_text(json.dumps(listed))
    result = train(folder, tmp_path / "other", "0")
    assert "files that are not in this folder" in result.stderr
    assert len(content(tmp_path)) == 2
