"""What the tests share: a tiny BERT made on the spot, and pipelines trained on the sample."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import spacy
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import Optimizer

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "corpus" / "briefings.csv"

for folder in (ROOT / "scripts", ROOT / "benchmarks", *ROOT.glob("projects/*/scripts")):
    sys.path.insert(0, str(folder))


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        # pytest-xdist's workers share the cores, and so do the processes that tests start.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
    elif hasattr(config.option, "loadscopereorder"):
        # pytest-xdist would put the files with the fewest tests last: many of the long ones.
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where processes share the tests, begin with the files that hold slow ones: all other
    processes would wait for one that began last."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def sample() -> pd.DataFrame:
    return pd.read_csv(SAMPLE)


@pytest.fixture(scope="session")
def tiny_bert(sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> str:
    from make_tiny_bert import make_tiny_bert

    folder = tmp_path_factory.mktemp("tiny-bert")
    make_tiny_bert(sample["text"], folder)
    return str(folder)


@pytest.fixture(scope="session")
def make_bert(tiny_bert: str) -> Callable[..., Language]:
    """A pipeline of `transformer` and `text_regressor`, not initialized."""

    def make(freeze: str = "none", pooling: str = "mean", **transformer: object) -> Language:
        nlp = spacy.blank("en")
        architecture = "spacy-bertreg.TransformerModel.v1"
        model = {"@architectures": architecture, "name": tiny_bert, "freeze": freeze, **transformer}
        nlp.add_pipe("transformer", config={"model": model})
        tok2vec = {"@architectures": "spacy-bertreg.TransformerListener.v1", "pooling": pooling}
        nlp.add_pipe("text_regressor", config={"model": {"tok2vec": tok2vec}})
        return nlp

    return make


@pytest.fixture(scope="session")
def make_tok2vec() -> Callable[..., Language]:
    """A pipeline of `text_regressor` on a small tok2vec, not initialized: no transformer."""

    def make(**config: object) -> Language:
        nlp = spacy.blank("en")
        tok2vec = {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "pretrained_vectors": None,
            "width": 32,
            "depth": 1,
            "embed_size": 500,
            "window_size": 1,
            "maxout_pieces": 2,
            "subword_features": True,
        }
        tok2vec = {"@architectures": "spacy-bertreg.Tok2VecPooling.v1", "tok2vec": tok2vec}
        architecture = "spacy-bertreg.TextRegressor.v1"
        model = {"@architectures": architecture, "tok2vec": tok2vec}
        nlp.add_pipe("text_regressor", config={"model": model, **config})
        return nlp

    return make


@pytest.fixture(scope="session")
def make_examples(sample: pd.DataFrame) -> Callable[..., list[Example]]:
    """The first texts of the sample as examples, their target under `severity`."""

    def make(nlp: Language, n: int = 32) -> list[Example]:
        rows = sample.head(n)
        return [
            Example.from_dict(nlp.make_doc(text), {"cats": {"severity": severity}})
            for text, severity in zip(rows["text"], rows["severity"], strict=True)
        ]

    return make


@pytest.fixture(scope="session")
def trained_once(
    make_tok2vec: Callable, make_examples: Callable, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """On disk, a small pipeline that was trained on the sample."""
    nlp = make_tok2vec()
    examples = make_examples(nlp, 32)
    train(nlp, examples, nlp.initialize(lambda: examples), steps=5)
    folder = tmp_path_factory.mktemp("trained") / "pipeline"
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def nlp(trained_once: Path) -> Language:
    """A small pipeline, trained on the sample."""
    return spacy.load(trained_once)


@pytest.fixture
def pipeline(trained_once: Path, tmp_path: Path) -> Path:
    """The same on disk."""
    return shutil.copytree(trained_once, tmp_path / "pipeline")


@pytest.fixture
def covariate_pipeline(make_tok2vec: Callable, make_examples: Callable, tmp_path: Path) -> Path:
    """On disk, one that expects the covariate `deaths`."""
    nlp = make_tok2vec(covariates=["deaths"])
    examples = make_examples(nlp, 32)
    for number, example in enumerate(examples):
        example.reference.user_data["covariates"] = {"deaths": float(number)}
    nlp.initialize(lambda: examples)
    nlp.to_disk(tmp_path / "with-covariates")
    return tmp_path / "with-covariates"


@pytest.fixture
def table(sample: pd.DataFrame) -> pd.DataFrame:
    """Some rows with texts, names and a number as it was written."""
    rows = sample.head(50)[["id", "text", "severity"]].astype(str)
    rows.loc[3, "text"] = ""
    rows.loc[4, "text"] = 'He said "no",\nthen\r\nleft.'
    rows.loc[5, "severity"] = "=SUM(A1:A9)"
    rows.loc[6, "severity"] = "+1e5"
    rows.loc[7, "severity"] = "@cmd|' /C calc'!A0"
    return rows


@pytest.fixture
def quick_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `spacy package` build wheels with the setuptools that is here. Else it installs one for
    each wheel, as in test_fresh_environment.py."""

    def run(command: list[str], **kwargs: object) -> subprocess.CompletedProcess:
        return subprocess.run([*command, "--no-isolation"], **kwargs)

    module = importlib.import_module("spacy.cli.package")
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=run))


def train(nlp: Language, examples: list[Example], optimizer: Optimizer, steps: int) -> float:
    """Update as `spacy train` does, and return the last loss. nlp.update with an optimizer would
    finish the transformer's update before the regressor has passed its gradient on."""
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = nlp.update(examples, sgd=False)
        for _, component in nlp.pipeline:
            if component.is_trainable:
                component.finish_update(optimizer)
    return losses.get("text_regressor", 0.0)


def examples_from(nlp: Language, rows: list[tuple[str, dict[str, float]]]) -> list[Example]:
    return [Example.from_dict(nlp.make_doc(text), {"cats": cats}) for text, cats in rows]
