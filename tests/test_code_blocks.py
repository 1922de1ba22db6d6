"""Every code block of README and docs is run, on the sample and a tiny BERT."""

import re
import shlex
import shutil

import pandas as pd
import pytest
import spacy
from conftest import ROOT, train
from spacy.cli._util import app
from spacy.training import Corpus
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.data.convert import convert

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What stands at the beginning of a line, and where it is run instead.
ELSEWHERE = {
    "python3 -m venv": ".ci/run, and the quick starts",
    ". .venv": "the same",
    "pip install": "the same, and test_fresh_environment.py",
    "python -m pytest": ".ci/run",
    "python -m spacy project": "test_project.py",
    "python -m sphinx": ".ci/run",
    "python benchmarks/": "by hand: they measure",
    "ray job submit": "by hand: it takes a cluster",
}
# Config lines are for test_readme.py.
BLOCK = re.compile(r"```(python|bash)\n(.*?)```", flags=re.DOTALL)
SHORT = ["--training.max_steps", "2", "--training.eval_frequency", "1"]
SHORT_BERT = [*SHORT, "--training.optimizer.warmup_steps", "0"]


@pytest.fixture(scope="module")
def workspace(sample, tiny_bert, tmp_path_factory):
    """A folder as users have it who have followed the README."""
    folder = tmp_path_factory.mktemp("workspace")
    # Half of it is enough to run everything.
    sample = sample.sample(200, random_state=0)
    table = sample.assign(
        report=sample["text"], log_deaths=sample["severity"], deaths=sample["severity"].round(),
        rating=sample["severity"], log_fatalities=sample["severity"], country=sample["region"],
        n_headlines=range(len(sample)),
    )  # fmt: skip
    table.to_csv(folder / "reports.csv", index=False)
    pd.read_csv(folder / "reports.csv").to_parquet(folder / "reports.parquet")
    shutil.copy(ROOT / "corpus" / "terms.csv", folder / "terms.csv")
    articles = sample.assign(year=sample["month"].str[:4])
    articles[["id", "text", "region", "year"]].to_csv(folder / "articles.csv", index=False)
    coded = articles[["id", "text", "severity"]].sample(100, random_state=0)
    coded.assign(probability=100 / len(sample)).to_csv(folder / "coded.csv", index=False)
    page = (ROOT / "docs" / "estimate.md").read_text(encoding="utf-8")
    (config,) = re.findall(r"```ini\n(.*?)```", page, flags=re.DOTALL)
    (folder / "base.cfg").write_text(config)
    for name in ("configs", "scripts", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "assets").mkdir()
    (folder / "assets" / "minilm").symlink_to(tiny_bert)
    (folder / "bert-base-uncased").symlink_to(tiny_bert)
    tweets = folder / "corpus" / "tweets"
    settings = {"targets": ["rating"], "id_column": "id", "group": "region"}
    convert(folder / "reports.csv", tweets, **settings)
    shutil.copy(tweets / "dev.spacy", tweets / "calibration.spacy")
    test = pd.DataFrame(
        [(d.user_data["id"], d.cats["rating"]) for d in read(tweets / "test.spacy")],
        columns=["id", "target"],
    )
    test.assign(prediction=1.0).to_csv(folder / "predictions.csv", index=False)
    for name, freeze in (("full", "none"), ("frozen", "all")):
        save(make_pipeline(tiny_bert, tweets, freeze), folder / "training" / name)
    for name in ("dictionary", "dictionary-best", "plain", "distilled"):
        nlp = spacy.blank("en")
        nlp.add_pipe("dictionary_regressor")
        lexicon = {"lexicon": str(folder / "terms.csv")}
        nlp.config["initialize"]["components"]["dictionary_regressor"] = lexicon
        nlp.initialize(lambda nlp=nlp: list(Corpus(tweets / "train.spacy")(nlp)))
        save(nlp, folder / "training" / name)
    return folder


def read(path):
    return [example.reference for example in Corpus(path)(spacy.blank("en"))]


def make_pipeline(bert, corpus, freeze):
    paths = {"paths.transformer": bert, "components.transformer.model.freeze": freeze}
    config = spacy.util.load_config(ROOT / "configs" / "bert.cfg", overrides=paths)
    nlp = spacy.util.load_model_from_config(config)
    examples = list(Corpus(corpus / "train.spacy")(nlp))[:16]
    train(nlp, examples, nlp.initialize(lambda: examples), steps=2)
    return nlp


def save(nlp, folder):
    (folder / "seed-0").mkdir(parents=True)
    nlp.to_disk(folder / "model-best")
    shutil.copytree(folder / "model-best", folder / "seed-0" / "model-best")


# spaCy's package command leaves files to the garbage collector to close.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("quick_build")
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_blocks(page, workspace, tmp_path, monkeypatch):
    folder = tmp_path / "workspace"
    shutil.copytree(workspace, folder, symlinks=True)
    monkeypatch.chdir(folder)
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            run_python(block)
        else:
            for line in block.replace("\\\n", " ").splitlines():
                run_line(line)


def run_python(block):
    names = {}
    # Of the page's own pipeline, where a block begins after it was loaded.
    if "nlp = " not in block and re.search(r"\bnlp\b", block):
        names["nlp"] = spacy.load("training/full/model-best")
    exec(compile(block, "<block>", "exec"), names)  # noqa: S102 - it is ours


def run_line(line):
    if not line.strip() or line.startswith(tuple(ELSEWHERE)):
        return
    words = shlex.split(line)
    if words[0] == "cd":
        return
    assert words[0] == "python", line
    assert words[1:3] == ["-m", "spacy"], line
    if words[4] == "init":
        words.append("--no-time-it")
    if "train" in words[3:5] and "configs/dictionary.cfg" not in words:
        words += SHORT_BERT if "configs/bert.cfg" in words else SHORT
    if words[4] == "crossval":
        words += SHORT_BERT if "configs/bert.cfg" in line else SHORT
        words[words.index("--folds") + 1] = "2"
    if "--seeds" in words:
        words[words.index("--seeds") + 1] = "0"
    if "--engine" in words:
        return  # test_engines.py
    result = CliRunner().invoke(app, words[3:], catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output[-2000:]}"


def test_the_loop_learns(tmp_path, workspace, monkeypatch):
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (loop,) = (b for k, b in BLOCK.findall(page) if k == "python" and "step_schedules" in b)
    shutil.copytree(workspace, tmp_path / "workspace", symlinks=True)
    monkeypatch.chdir(tmp_path / "workspace")
    run_python(loop)
    encoder = spacy.load("training/by-hand").get_pipe("transformer").model.transformer
    before = spacy.load("training/frozen/model-best").get_pipe("transformer").model.transformer
    moved = [
        not a.equal(b)
        for (name, a), (_, b) in zip(
            encoder.named_parameters(), before.named_parameters(), strict=True
        )
        if "pooler" not in name
    ]
    assert all(moved)
