"""How long a project takes on this machine: measured on a few documents."""

import io
import math
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import spacy
from spacy.cli._util import setup_gpu
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.training import Example
from spacy.util import resolve_dot_names
from thinc.api import Optimizer

from ..models.transformer_model import STRIDE, WINDOW
from ..training.epochs import is_solved
from .findings import Finding
from .render import TOK2VEC_EPOCHS

# Documents to learn from and to score; a dictionary learns from eight times as many.
FEW = 48
# Loading Python, spaCy and torch, and saving two pipelines.
START_SECONDS = 15.0
# Config, overrides and epochs of each model; None where all learning is in the initialization.
FREEZE = "components.transformer.model.freeze"
GET_SPANS = "components.transformer.model.get_spans"
LEARN = "initialize.components.dictionary_regressor.learn"
READOUT = "components.dictionary_regressor.readout"
MODELS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "dictionary": ("dictionary", {LEARN: "sensitivity"}, False),
    "dictionary-best": (
        "dictionary",
        {LEARN: "elastic_net", READOUT: "gradient_boosting"},
        False,
    ),
    "tok2vec": ("tok2vec", {}, True),
    "frozen": ("bert", {FREEZE: "all"}, True),
    "full": ("bert", {FREEZE: "none"}, True),
}


def time_models(
    configs: Path, corpus: Path, transformer: str, epochs: int, gpu_id: int
) -> tuple[dict[str, float], Finding | None]:
    """Estimate how long one training of each model takes.

    configs (Path): Folder of the configs. corpus (Path): Folder of train.spacy and dev.spacy.
    transformer (str), epochs (int), gpu_id (int): As `init` takes them.
    RETURNS (tuple): Seconds by model; and, where they could not be measured, why.
    """
    setup_gpu(gpu_id, silent=True)
    times = {}
    paths = {f"paths.{name}": str(corpus / f"{name}.spacy") for name in ("train", "dev")}
    try:
        for name, (config, overrides, has_epochs) in MODELS.items():
            settings = paths | overrides
            if config == "bert":
                settings["paths.transformer"] = transformer
            n_epochs = None
            if has_epochs:
                n_epochs = TOK2VEC_EPOCHS if config == "tok2vec" else epochs
            # Each training says how much of the BERT learns.
            with redirect_stdout(io.StringIO()):
                times[name] = training_seconds(configs / f"{config}.cfg", settings, n_epochs)
    except (ValueError, OSError, ImportError) as error:
        found = f"could not be tried with a few documents: {error}"
        return {}, Finding("Training", found, is_warning=True)
    return times, None


def compare_windows(
    configs: Path, corpus: Path, transformer: str, epochs: int, window: int, seconds: float
) -> Finding:
    """Say how long training takes with some windows, and with the default ones.

    configs (Path), corpus (Path), transformer (str), epochs (int): As for `time_models`.
    window (int): Tokens of a window in configs/bert.cfg.
    seconds (float): What `time_models` gave for "full".
    RETURNS (Finding): The finding, with both times.
    """
    settings: dict[str, Any] = {
        **{f"paths.{name}": str(corpus / f"{name}.spacy") for name in ("train", "dev")},
        "paths.transformer": transformer,
        FREEZE: "none",
        f"{GET_SPANS}.window": WINDOW,
        f"{GET_SPANS}.stride": STRIDE,
    }
    with redirect_stdout(io.StringIO()):
        usual = training_seconds(configs / "bert.cfg", settings, epochs)
    found = (
        f"one training of full takes about {_minutes(seconds)} with windows of {window} tokens, "
        f"and {_minutes(usual)} with windows of {WINDOW} ({seconds / usual:.2f} times as long)"
    )
    choice = (
        "a longer window keeps more of a document together, but takes more time for each word "
        f"piece; --window {WINDOW} chooses the usual one"
    )
    return Finding("Windows", found, choice)


def duration(times: dict[str, float], n_seeds: int) -> str:
    """Say how long a project takes.

    times (dict[str, float]): What `time_models` gave. n_seeds (int): Trainings of each model.
    RETURNS (str): A sentence.
    """
    if not times:
        return "How long it takes was not measured."
    parts = ", ".join(f"{name} {_minutes(seconds)}" for name, seconds in times.items())
    total = n_seeds * sum(times.values())
    seeds = "once" if n_seeds == 1 else f"with {n_seeds} seeds"
    return (
        f"It takes about {_minutes(total)} on the machine where it was made, as far as a few "
        f"documents can tell: each model {seeds}, and one training of {parts}."
    )


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def training_seconds(path: Path, overrides: dict[str, Any], epochs: int | None) -> float:
    """Estimate how long one training with a config takes, from a few of its steps.

    path (Path): The config. overrides (dict[str, Any]): Values by dotted name, with `paths.train`
        and `paths.dev`.
    epochs (int | None): How often to go over the training documents; None if all learning is in the
        initialization. If only a head learns, that is detected.
    RETURNS (float): Seconds, including the start, and scoring the dev set after each half epoch.
    """
    config = spacy.util.load_config(path, overrides=overrides, interpolate=False)
    resolved = config.interpolate()
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    corpora = resolve_dot_names(
        resolved, [resolved["training"]["train_corpus"], resolved["training"]["dev_corpus"]]
    )
    train, dev = (list(corpus(nlp)) for corpus in corpora)
    few = _spread(train, FEW if epochs else 8 * FEW)
    begin = time.perf_counter()
    optimizer = nlp.initialize(lambda: few)
    initialization = time.perf_counter() - begin
    scored = _spread(dev, FEW)
    score = _seconds(lambda: nlp.evaluate(scored)) * len(dev) / len(scored)
    if epochs is None or is_solved(nlp):
        return START_SECONDS + initialization * len(train) / len(few) + score
    # The first step loads what is needed for all; with BERT frozen as a whole, texts cost less when
    # they are seen again.
    size = max(1, len(few) // 3)
    batches = [few[:size], few[-size:], few[-size:]]
    _, first, later = (_seconds(partial(_step, nlp, batch, optimizer)) for batch in batches)
    n_steps = len(train) / size
    epoch = [n_steps * (first if number == 0 else later) + 2 * score for number in range(epochs)]
    return START_SECONDS + initialization + sum(epoch)


def _step(nlp: Language, batch: list[Example], optimizer: Optimizer) -> None:
    nlp.update(batch, drop=0.1, sgd=False)  # type: ignore[arg-type]
    for _, component in nlp.pipeline:
        if isinstance(component, TrainablePipe):
            component.finish_update(optimizer)


def _spread(examples: list[Example], n: int) -> list[Example]:
    """Take some examples from all over a corpus: tables are often sorted."""
    return examples[:: math.ceil(len(examples) / n)]


def _seconds(function: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin
