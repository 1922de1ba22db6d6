"""The scripts that train once a seed, and on parts of the training set."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import spacy
from conftest import ROOT

from spacy_bertreg.convert import convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder / "corpus", targets=["severity"], id_column="id", group="region")
    (folder / "models" / "dictionary" / "seed-7").mkdir(parents=True)
    result = run(
        *("train_seeds.py", ROOT / "configs" / "dictionary.cfg", folder / "models" / "dictionary"),
        *("--seeds", "0,3", "--paths.train", folder / "corpus" / "train.spacy"),
        *("--paths.dev", folder / "corpus" / "dev.spacy"),
    )
    assert result.returncode == 0, result.stderr
    return folder


def run(script, *arguments):
    command = [sys.executable, ROOT / "scripts" / script, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT)


def test_a_pipeline_and_a_log_for_each_seed(folder):
    models = folder / "models" / "dictionary"
    # An earlier run's seed is gone.
    assert sorted(p.name for p in models.iterdir()) == ["model-best", "seed-0", "seed-3"]
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


@pytest.mark.slow
def test_parts_of_the_training_set(folder):
    table = folder / "sizes.csv"
    model = folder / "models" / "dictionary"
    result = run(
        *("train_sizes.py", folder / "corpus", table, model),
        *("--seeds", "0", "--parts", "2"),
    )
    assert result.returncode == 0, result.stderr
    rows = pd.read_csv(table)
    assert list(rows.columns) == ["model", "n_documents", "seed", "r2"]
    assert rows["n_documents"].tolist() == sorted(rows["n_documents"])
    assert len(rows) == 3
    assert rows["r2"].iloc[-1] > rows["r2"].iloc[0]
