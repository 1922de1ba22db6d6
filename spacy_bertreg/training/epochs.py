"""From epochs to the steps in which spaCy counts."""

from typing import Any

import spacy
from spacy.util import resolve_dot_names
from thinc.api import Config

# Up to so many epochs, the dev set is scored twice an epoch, else once.
FEW_EPOCHS = 5
WARMUP_SHARE = 0.1


def epoch_settings(config: Config, epochs: int) -> dict[str, Any]:
    """Compute how many steps make so many epochs of the training corpus.

    config (Config): A config of spaCy, interpolated.
    epochs (int): 1 or more.
    RETURNS (dict[str, Any]): By dotted name: `training.max_steps`; `training.eval_frequency`, for
        two evaluations an epoch, or one if there are more than five; and, where the optimizer
        has warm-up, `training.optimizer.warmup_steps`, a tenth of all steps.
    RAISES (ValueError): `epochs` is less than 1, the corpus is empty, or nothing learns by steps.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}. Expected 1 or more.")
    factories = {config["components"][name].get("factory") for name in config["nlp"]["pipeline"]}
    if factories == {"dictionary_regressor"}:
        raise ValueError(
            "A dictionary_regressor learns when it is initialized, once. Expected no epochs."
        )
    steps = _steps_per_epoch(config)
    settings = {
        "training.max_steps": epochs * steps,
        "training.eval_frequency": max(1, steps // 2) if epochs <= FEW_EPOCHS else steps,
    }
    if "warmup_steps" in config["training"]["optimizer"]:
        settings["training.optimizer.warmup_steps"] = int(epochs * steps * WARMUP_SHARE)
    return settings


def _steps_per_epoch(config: Config) -> int:
    """Count the batches of one epoch, as `spacy train` makes them."""
    nlp = spacy.util.load_model_from_config(
        {"nlp": {"lang": config["nlp"]["lang"], "tokenizer": config["nlp"]["tokenizer"]}},
        auto_fill=True,
    )
    name = config["training"]["train_corpus"]
    (corpus,) = resolve_dot_names(config, [name])
    batcher = spacy.registry.resolve({"batcher": config["training"]["batcher"]})["batcher"]
    n_batches = sum(1 for _ in batcher(corpus(nlp)))
    if not n_batches:
        raise ValueError(f"[{name}] holds no documents. Expected at least one to train on.")
    return n_batches
