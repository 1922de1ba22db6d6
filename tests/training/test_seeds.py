"""`bertreg train` trains once a seed, and keeps the best."""

import json
import math
import sys

import pytest
import spacy
from conftest import ROOT
from forks import run_in_fork
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_bertreg.data.convert import convert

FOREIGN = ["NOTES.md", "seed-0/remarks.txt"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    sample = ROOT / "corpus" / "briefings.csv"
    options = {"id_column": "id", "group": "region", "max_docs": 200}
    convert(sample, folder / "corpus", targets=["severity"], **options)
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
    config = ROOT / "configs" / "dictionary.cfg"
    return run(config, output, "--seeds", seeds, "--data", folder / "corpus", *settings)


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(*arguments):
    command = [sys.executable, "-m", "spacy", "bertreg", "train", *arguments]
    return run_in_fork(list(map(str, command)), cwd=ROOT)


def said(result):
    return " ".join((result.stdout + result.stderr).split())


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
        result = run("none.cfg", folder / "other", "--seeds", seeds)
        assert result.returncode == 1
        assert found in said(result)
    result = train(folder, folder / "other", "0", "--engine", "dask")
    assert "engine is 'dask'. Expected local or ray" in said(result)
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
    result = train(folder, models, "0", "--paths.dev", folder / "none.spacy")
    assert result.returncode == 1
    assert "is as it was before" in said(result)
    missing = run(folder / "none.cfg", models)
    assert missing.returncode == 1
    assert "does not exist. Expected a config" in said(missing)
    wrong = train(folder, models, "0", "--paths.dev.x", "1")
    assert wrong.returncode == 1
    assert "dictionary.cfg with " in said(wrong)
    assert content(folder / "models") == before
    assert [path.name for path in models.parent.iterdir()] == ["dictionary"]


def test_folders_of_others_are_refused(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    result = train(folder, tmp_path / "mine", "0")
    assert result.returncode == 1
    assert "holds other files: it has no train_seeds.json" in said(result)
    result = train(folder, tmp_path / "mine" / "thesis.tex", "0")
    assert "is a file. Expected a folder" in said(result)
    listed = {"files": ["../mine/thesis.tex"]}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train_seeds.json").write_text(json.dumps(listed))
    result = train(folder, tmp_path / "other", "0")
    assert "files that are not in this folder" in said(result)
    assert len(content(tmp_path)) == 2


def test_epochs_set_the_steps(folder):
    result = run(
        *(ROOT / "configs" / "tok2vec.cfg", folder / "small", "--data", folder / "corpus"),
        *("--epochs", 1, "--training.batcher.size", 100, "--training.dropout", 0.2),
    )
    assert result.returncode == 0, said(result)
    config = spacy.util.load_config(folder / "small" / "model-best" / "config.cfg")
    n_docs = len(list(DocBin().from_disk(folder / "corpus" / "train.spacy").get_docs(Vocab())))
    assert config["training"]["max_steps"] == math.ceil(n_docs / 100)
    assert config["training"]["dropout"] == 0.2


def test_a_solved_head_takes_one_evaluation(folder, tiny_bert):
    heads = []
    result = run(
        *(ROOT / "configs" / "bert.cfg", folder / "frozen", "--data", folder / "corpus"),
        *("--seeds", "0,1", "--epochs", 3, "--paths.transformer", tiny_bert),
        *("--components.transformer.model.freeze", "all", "--training.dropout", 0.2),
    )
    assert result.returncode == 0, said(result)
    assert "the solution: steps change nothing" in said(result)
    texts = DocBin().from_disk(folder / "corpus" / "train.spacy").get_docs(Vocab())
    for seed in (0, 1):
        (line,) = (folder / "frozen" / f"seed-{seed}" / "log.jsonl").read_text().splitlines()
        assert json.loads(line)["step"] == 0
        for pipeline in ("model-best", "model-last"):
            nlp = spacy.load(folder / "frozen" / f"seed-{seed}" / pipeline)
            # As the config has it: for a training that goes on.
            assert nlp.config["training"]["patience"] == 0
            assert nlp.config["training"]["max_steps"] > 50
            assert nlp.meta["freeze_report"]["is_trained"]
            head = nlp.get_pipe("text_regressor").model.get_ref("head")
            heads.append(head.get_param("W").tobytes() + head.get_param("b").tobytes())
    assert nlp.get_pipe("text_regressor").was_trained_on(list(texts)).all()
    assert len(set(heads)) == 1
