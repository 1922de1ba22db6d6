"""Convert epochs to the steps in which spaCy counts."""

from typing import Any

import spacy
from spacy.language import Language
from spacy.util import dot_to_object, resolve_dot_names
from thinc.api import Config

# Up to this many epochs, the dev set is scored twice an epoch, otherwise once.
FEW_EPOCHS = 5
WARMUP_SHARE = 0.1


def epoch_settings(config: Config, epochs: int) -> dict[str, Any]:
    """Compute the settings that train for a number of epochs.

    config (Config): A config of spaCy, interpolated.
    epochs (int): 1 or more.
    RETURNS (dict[str, Any]): By dotted name: `training.max_steps`; `training.eval_frequency`, for
        two evaluations an epoch, or one if there are more than five; and, where the optimizer
        has warm-up, `training.optimizer.warmup_steps`, a tenth of all steps.
    RAISES (ValueError): `epochs` is less than 1, the corpus is empty, or nothing learns by steps.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}. Expected 1 or more.")
    if not learns_by_steps(config):
        raise ValueError(
            "A dictionary_regressor learns once, when it is initialized. Expected no epochs."
        )
    steps = _steps_per_epoch(config)
    settings = {
        "training.max_steps": epochs * steps,
        "training.eval_frequency": max(1, steps // 2) if epochs <= FEW_EPOCHS else steps,
    }
    if "warmup_steps" in config["training"]["optimizer"]:
        settings["training.optimizer.warmup_steps"] = int(epochs * steps * WARMUP_SHARE)
    return settings


def is_solved(nlp: Language) -> bool:
    """Tell whether initialization has already solved all that a pipeline would learn in steps.

    nlp (Language): An initialized pipeline, with the config of its training.
    RETURNS (bool): Also False if training has other texts than initialization (a stream or an
        augmenter), or if a callback may unfreeze something.
    """
    config = nlp.config.interpolate()
    training = config["training"]
    corpus = dot_to_object(config, training["train_corpus"])
    if training["max_epochs"] < 0 or training["before_update"] or corpus.get("augmenter"):
        return False
    parts: list[Any] = [
        part
        for name, part in nlp.pipeline
        if name not in training["frozen_components"] and getattr(part, "is_trainable", False)
    ]
    solved = [part for part in parts if getattr(part, "is_solved", False)]
    return bool(solved) and all(part in solved or _is_frozen(part) for part in parts)


def _is_frozen(component: Any) -> bool:
    shims = [shim for node in component.model.walk() for shim in node.shims]
    return bool(shims) and all(getattr(shim, "is_frozen", False) for shim in shims)


def learns_by_steps(config: Config) -> bool:
    """Tell whether a pipeline learns in steps. A dictionary learns when it is initialized."""
    factories = {config["components"][name].get("factory") for name in config["nlp"]["pipeline"]}
    return factories != {"dictionary_regressor"}


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
