"""Report which parameters of a pipeline learn or have learned, by block, and what has changed from
the base weights of its transformer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.language import Language
from spacy.util import load_config, load_model_from_config

from .block_counts import (
    COLUMNS,
    TITLES,
    count_by_block,
    count_head,
    describe_adapters,
    find_transformers,
    get_shim,
    has_weights,
    own_parameters,
)
from .freezing import UNUSED, Freeze


@dataclass(frozen=True)
class FreezeReport:
    """Report of what learns, and what changed.

    freeze (list[Freeze | None]): The setting of each training so far; for an untrained pipeline,
        the setting in the config; None for a stock transformer.
    is_trained (bool): Whether the counts are of parameters that have learned, not of those that
        would.
    frozen_components (list[str]): The pipeline's components in [training] frozen_components.
    blocks (DataFrame): For each block from the bottom up, for LoRA adapters, and each head:
        `block`, `parameters` (number), `trainable` (number that learns or has learned), `share` (0
        to 1). Parameters that the prediction does not use, such as BERT's pooler, do not learn:
        "not used". Adapters have a row of their own, even if merged into the weights of blocks.
    changes (DataFrame | None): For each tensor of the transformer that the base weights have:
        `tensor`, `changed` (bool), `largest` change of an element, `relative` change of the norm.
        None if not compared.
    not_in_base (list[str]): Tensors that the base weights lack. They began at random, so they can't
        be compared.
    lora (list[dict]): Adapters of each training that had some: `rank`, `alpha`, `dropout`, number
        of `parameters`, and the names of the `tensors` that they are merged into when saved.
    """

    freeze: list[Freeze | None]
    is_trained: bool
    frozen_components: list[str]
    blocks: pd.DataFrame
    changes: pd.DataFrame | None = None
    not_in_base: Sequence[str] = ()
    lora: Sequence[dict[str, Any]] = ()

    def summary(self) -> str:
        """Say in one line what learns."""
        total, trainable = self.blocks["parameters"].sum(), self.blocks["trainable"].sum()
        settings = ", then ".join(map(repr, self.freeze))
        text = (
            f"freeze = {settings}: {trainable:,} of {total:,} parameters "
            f"{'have learned' if self.is_trained else 'learn'} "
            f"({100 * trainable / max(total, 1):.3g}%)"
        )
        unused = self.blocks.loc[self.blocks["block"] == TITLES[UNUSED], "parameters"].sum()
        notes = [f"{unused:,} are not used"] if unused else []
        notes += [
            f"LoRA adapters of rank {adapters['rank']} are merged into {len(adapters['tensors'])} "
            "tensors when saved"
            for adapters in self.lora
        ]
        if self.frozen_components:
            notes.append(f"frozen_components: {', '.join(self.frozen_components)}")
        return "; ".join([text, *notes])

    def to_dict(self) -> dict[str, Any]:
        """Get all of it for JSON; `freeze` is the setting of the last training, `trainings` has
        all."""
        changes = self.changes
        return {
            "freeze": self.freeze[-1],
            "trainings": list(self.freeze),
            "is_trained": self.is_trained,
            "frozen_components": self.frozen_components,
            "parameters": int(self.blocks["parameters"].sum()),
            "trainable": int(self.blocks["trainable"].sum()),
            "blocks": self.blocks.to_dict("records"),
            "changes": None if changes is None else changes.to_dict("records"),
            "not_in_base": list(self.not_in_base),
            "lora": list(self.lora),
        }


def freeze_report(
    source: str | Path,
    *,
    verify: bool = False,
    base: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> FreezeReport:
    """Report which parameters a config lets learn, or which have learned in a saved pipeline.

    source (str | Path): A config file, or a trained pipeline's folder or package.
    verify (bool): Whether to compare a trained pipeline's transformer with its base weights.
    base (str | None): Folder or Hugging Face name of the base weights; None for the transformer's
        `name` in the config.
    overrides (dict[str, Any] | None): Settings to override in a config, by dotted name.
    RETURNS (FreezeReport): The report. A config's heads count as heads for a single target.
    RAISES (ValueError, FileNotFoundError): There is no transformer, its weights can't be read, or a
        config is to be verified.
    """
    if Path(source).suffix == ".cfg":
        if verify:
            raise ValueError(f"{source} is a config: only a trained pipeline can be verified.")
        if not Path(source).is_file():
            raise FileNotFoundError(f"{source} does not exist. Expected a config or a pipeline.")
        config = load_config(source, overrides=overrides or {}, interpolate=False)
        nlp = load_model_from_config(config, auto_fill=True)
        for model in find_transformers(nlp).values():
            model.initialize()
    else:
        nlp = spacy.load(source)
    report = get_freeze_report(nlp)
    return compare_with_base(report, nlp, base) if verify else report


def get_freeze_report(nlp: Language, *, planned: bool = False) -> FreezeReport:
    """Report which parameters of a pipeline have learned or, if it is untrained, would learn.

    nlp (Language): A pipeline whose transformer has its weights.
    planned (bool): Whether to report what the next training lets learn, even if the pipeline has
        been trained.
    RETURNS (FreezeReport): The report, without a comparison with the base weights.
    RAISES (ValueError, ImportError): The pipeline has no transformer; or it is to learn with LoRA,
        and peft is not installed.
    """
    models = find_transformers(nlp)
    if not models:
        raise ValueError(f"The pipeline has no transformer. It has: {', '.join(nlp.pipe_names)}.")
    first = next(iter(models))
    training = nlp.config.interpolate()["training"]
    frozen = [n for n in training.get("frozen_components", []) if n in nlp.pipe_names]
    trained_with: list[Freeze | None] = []
    has_trained_heads = False
    if not planned:
        trained_with = [
            f for m in models.values() for f in getattr(get_shim(m), "trained_with", [])
        ]
        has_trained_heads = any(getattr(part, "is_trained", False) for _, part in nlp.pipeline)
    is_trained = bool(trained_with)
    rows = [count_by_block(model, is_trained, name in frozen) for name, model in models.items()]
    lora = [
        part
        for name, m in models.items()
        for part in describe_adapters(m, is_trained, name in frozen)
    ]
    if lora:
        size = sum(part["parameters"] for part in lora)
        rows.append(pd.DataFrame([("LoRA adapters", size, size)], columns=COLUMNS[:3]))
    heads = []
    for name, component in nlp.pipeline:
        if name not in models and getattr(component, "is_trainable", False):
            size = count_head(component, models[first].get_dim("nO"))
            heads.append((f"head ({name})", size, 0 if name in frozen else size))
    rows.append(pd.DataFrame(heads, columns=COLUMNS[:3]))
    blocks = pd.concat(rows, ignore_index=True)
    blocks["share"] = blocks["trainable"] / blocks["parameters"]
    settings = trained_with or [_config(nlp, first).get("freeze")]
    return FreezeReport(settings, is_trained or has_trained_heads, frozen, blocks, lora=lora)


def set_freeze_report(nlp: Language, *, planned: bool = False) -> FreezeReport | None:
    """Write the report to the pipeline's meta.json, so that the setting does not go unseen.

    nlp (Language): The pipeline.
    planned (bool): See `get_freeze_report`.
    RETURNS (FreezeReport | None): The report; None without a transformer that has weights.
    """
    if not has_weights(nlp):
        return None
    report = get_freeze_report(nlp, planned=planned)
    nlp.meta["freeze_report"] = report.to_dict()
    return report


def compare_with_base(report: FreezeReport, nlp: Language, base: str | None = None) -> FreezeReport:
    """Compare a trained transformer with its base weights.

    report (FreezeReport): Report of the pipeline.
    nlp (Language): The trained pipeline.
    base (str | None): The base weights; None for the name in the config.
    RETURNS (FreezeReport): The report with the change of each tensor.
    RAISES (ValueError): The base weights can't be read, or are of another model.
    """
    import torch
    from transformers import AutoModel

    name, trained = next(iter(find_transformers(nlp).items()))
    base = base or _config(nlp, name)["name"]
    try:
        # transformers draws weights that a checkpoint lacks at random, anew each time.
        model, found = AutoModel.from_pretrained(base, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Can't load the base weights {base!r} to compare the transformer with. Expected a "
            f"folder or a Hugging Face name; --base names another. {error}"
        ) from error
    before, missing = dict(model.named_parameters()), set(found["missing_keys"])
    rows, not_in_base = [], []
    for tensor, after in own_parameters(trained):
        if tensor in missing:
            not_in_base.append(tensor)
            continue
        if tensor not in before or before[tensor].shape != after.shape:
            raise ValueError(f"{base!r} is another model: it has no {tensor} of {after.shape}.")
        with torch.no_grad():
            difference = after.cpu() - before[tensor]
            norm = float(before[tensor].norm()) or 1.0
            rows.append(
                {
                    "tensor": tensor,
                    "changed": not torch.equal(after.cpu(), before[tensor]),
                    "largest": float(difference.abs().max()),
                    "relative": float(difference.norm()) / norm,
                }
            )
    changes = pd.DataFrame(rows, columns=["tensor", "changed", "largest", "relative"])
    return replace(report, changes=changes.astype({"changed": bool}), not_in_base=not_in_base)


def _config(nlp: Language, name: str) -> dict[str, Any]:
    return nlp.config.interpolate()["components"][name]["model"]
