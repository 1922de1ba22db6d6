"""What readers have to know of a trained pipeline: its settings, and what it learned from."""

from typing import Any

from spacy.language import Language

from ..pipeline.regressor import Regressor, find_regressors

# Settings of components, and of [initialize.components], that decide what they predict.
SETTINGS = ("transform", "bounds", "covariates", "smearing", "target_weights", "readout")
LEARNED_WITH = ("lexicon", "learn", "context", "teacher", "unlabelled", "head")


def pipeline_facts(nlp: Language) -> dict[str, Any]:
    """Collect what a pipeline's meta.json, config and components say of its training.

    nlp (Language): A trained pipeline.
    RETURNS (dict[str, Any]): `seed`, `max_steps` and `seconds` of training, None if unknown;
        `transformer`, if there is one: its `name`, `freeze`, the numbers of `parameters` and of
        those that have `learned`, and `lora`, the ranks of adapters; and `regressors`, by name:
        `factory`; the number of different `texts` that it learned from (None if forgotten); the
        `settings` that are not null, false or empty; and `intervals`: None, or `method`, `level`,
        and `n` calibration documents by target.
    """
    config = nlp.config.interpolate()
    facts: dict[str, Any] = {
        "seed": config["training"].get("seed"),
        "max_steps": config["training"].get("max_steps"),
        "seconds": nlp.meta.get("training_seconds"),
    }
    if report := nlp.meta.get("freeze_report"):
        names = [
            block["model"]["name"]
            for block in config["components"].values()
            if block.get("factory") == "transformer" and "name" in block.get("model", {})
        ]
        facts["transformer"] = {
            "name": names[0] if names else None,
            "freeze": report["freeze"],
            "parameters": report["parameters"],
            "learned": report["trainable"],
            "lora": [adapters["rank"] for adapters in report.get("lora", ())],
        }
    facts["regressors"] = {
        regressor.name: _regressor_facts(regressor, config) for regressor in find_regressors(nlp)
    }
    return facts


def _regressor_facts(regressor: Regressor, config: dict[str, Any]) -> dict[str, Any]:
    block = config["components"].get(regressor.name, {})
    learned = config.get("initialize", {}).get("components", {}).get(regressor.name, {})
    given = {name: block.get(name) for name in SETTINGS}
    given["loss"] = _name_function(block.get("loss"))
    given |= {name: learned.get(name) for name in LEARNED_WITH}
    calibration = regressor.calibration
    intervals = None
    if calibration is not None:
        n = dict(zip(regressor.targets, calibration.n, strict=True))
        intervals = {"method": calibration.method, "level": calibration.level, "n": n}
    return {
        "factory": block.get("factory"),
        "texts": regressor.record.n_texts,
        "settings": {name: value for name, value in given.items() if value},
        "intervals": intervals,
    }


def _name_function(block: Any) -> str | None:
    """Get the name of a registered function from its block in a config."""
    if not isinstance(block, dict):
        return None
    names = [str(value) for key, value in block.items() if key.startswith("@")]
    return names[0] if names else None
