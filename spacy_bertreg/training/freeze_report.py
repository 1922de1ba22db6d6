"""What of a pipeline learns or has learned, by block, and what has changed from the transformer it
began with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.language import Language
from spacy.util import load_config, load_model_from_config

from .freezing import SHARED_BLOCKS, TOP, UNUSED, Block, Freeze

COLUMNS = ["block", "parameters", "trainable", "share"]
TITLES = {TOP: "above the blocks", UNUSED: "not used"}


@dataclass(frozen=True)
class FreezeReport:
    """What learns, and what changed.

    freeze (list[Freeze | None]): The settings of the trainings so far, in their order; of an
        untrained pipeline the setting in the config; None for a stock transformer.
    is_trained (bool): Whether the counts are of what has learned, and not of what would.
    frozen_components (list[str]): The pipeline's components that [training] keeps as they are.
    blocks (DataFrame): For each block from the bottom up, and each head: `block`, `parameters`
        (number), `trainable` (number that learns or has learned), `share` (0 to 1). What has no
        part in the prediction, as a BERT's pooler, does not learn: "not used".
    changes (DataFrame | None): For each tensor of the transformer that the base weights have:
        `tensor`, `changed` (bool), `largest` and `relative` change (of an element; of the norm).
        None if not verified.
    not_in_base (list[str]): Tensors that the base weights lack. They began at random, so they can't
        be compared.
    """

    freeze: list[Freeze | None]
    is_trained: bool
    frozen_components: list[str]
    blocks: pd.DataFrame
    changes: pd.DataFrame | None = None
    not_in_base: Sequence[str] = ()

    def summary(self) -> str:
        """Say what learns, in one line.

        RETURNS (str): The line."""
        total, trainable = self.blocks["parameters"].sum(), self.blocks["trainable"].sum()
        settings = ", then ".join(map(repr, self.freeze))
        text = (
            f"freeze = {settings}: {trainable:,} of {total:,} parameters "
            f"{'have learned' if self.is_trained else 'learn'} "
            f"({100 * trainable / max(total, 1):.3g}%)"
        )
        unused = self.blocks.loc[self.blocks["block"] == TITLES[UNUSED], "parameters"].sum()
        notes = [f"{unused:,} are not used"] if unused else []
        if self.frozen_components:
            notes.append(f"frozen_components: {', '.join(self.frozen_components)}")
        return "; ".join([text, *notes])

    def to_dict(self) -> dict[str, Any]:
        """Give all of it, for JSON.

        RETURNS (dict): `freeze` is the setting of the last training; `trainings` has all."""
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
        }


def freeze_report(
    source: str | Path,
    *,
    verify: bool = False,
    base: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> FreezeReport:
    """Report what a training with this config lets learn, or what of a pipeline has learned.

    source (str | Path): A config file, or a trained pipeline's folder or package.
    verify (bool): Whether to compare a trained pipeline's transformer with its base weights.
    base (str | None): Folder or Hugging Face name of the base weights; None for the transformer's
        `name` in the config.
    overrides (dict[str, Any] | None): Settings to override in a config, by dotted name.
    RETURNS (FreezeReport): The report. Heads of a config count as for one target.
    RAISES (ValueError): There is no transformer, its weights can't be read, or a config is to be
        verified.
    """
    if Path(source).suffix == ".cfg":
        if verify:
            raise ValueError(f"{source} is a config: only a trained pipeline can be verified.")
        if not Path(source).is_file():
            raise FileNotFoundError(f"{source} does not exist. Expected a config or a pipeline.")
        config = load_config(source, overrides=overrides or {}, interpolate=False)
        nlp = load_model_from_config(config, auto_fill=True)
        for name in _transformers(nlp):
            nlp.get_pipe(name).model.initialize()  # type: ignore[attr-defined]
    else:
        nlp = spacy.load(source)
    report = pipeline_freeze_report(nlp)
    return verified(report, nlp, base) if verify else report


def pipeline_freeze_report(nlp: Language, *, planned: bool = False) -> FreezeReport:
    """Report what of a pipeline has learned, or would learn if it has not been trained.

    nlp (Language): A pipeline whose transformer has its weights.
    planned (bool): Whether to report what the next training lets learn, whatever came before.
    RETURNS (FreezeReport): The report, not verified.
    RAISES (ValueError): It has no transformer.
    """
    names = _transformers(nlp)
    if not names:
        raise ValueError(f"The pipeline has no transformer. It has: {', '.join(nlp.pipe_names)}.")
    training = nlp.config.interpolate()["training"]
    frozen = [n for n in training.get("frozen_components", []) if n in nlp.pipe_names]
    trained_with = [] if planned else _trained_with(nlp, names)
    is_trained = bool(trained_with) or (not planned and _has_trained_heads(nlp))
    rows = [_count_encoder(nlp, name, bool(trained_with), name in frozen) for name in names]
    heads = []
    for name, component in nlp.pipeline:
        if name not in names and getattr(component, "is_trainable", False):
            size = _n_parameters(component, _width(nlp, names[0]))
            heads.append((f"head ({name})", size, 0 if name in frozen else size))
    rows.append(pd.DataFrame(heads, columns=COLUMNS[:3]))
    blocks = pd.concat(rows, ignore_index=True)
    blocks["share"] = blocks["trainable"] / blocks["parameters"]
    settings = trained_with or [_model_config(nlp, names[0]).get("freeze")]
    return FreezeReport(settings, is_trained, frozen, blocks)


def has_weights(nlp: Language) -> bool:
    """RETURNS (bool): Whether the pipeline has a transformer, and its weights."""
    names = _transformers(nlp)
    return bool(names) and all(_encoder(nlp, name) is not None for name in names)


def n_trained(nlp: Language) -> int:
    """RETURNS (int): How many tensors of the pipeline's transformers have learned so far."""
    return sum(len(getattr(_shim(nlp, name), "trained", ())) for name in _transformers(nlp))


def verified(report: FreezeReport, nlp: Language, base: str | None = None) -> FreezeReport:
    """Compare a trained transformer with its base weights.

    report (FreezeReport): Of the pipeline.
    nlp (Language): The trained pipeline.
    base (str | None): The base weights; None for what its config names.
    RETURNS (FreezeReport): The same with the change of each tensor.
    RAISES (ValueError): The base weights can't be read, or are of another model.
    """
    import torch
    from transformers import AutoModel

    (name, *_) = _transformers(nlp)
    base = base or _model_config(nlp, name)["name"]
    try:
        # What a checkpoint lacks, transformers draws at random, anew each time.
        model, found = AutoModel.from_pretrained(base, output_loading_info=True)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Can't load the base weights {base!r}, with which the transformer is to be compared. "
            f"Expected a folder or a Hugging Face name; --base takes another. {error}"
        ) from error
    before, missing = dict(model.named_parameters()), set(found["missing_keys"])
    rows = []
    for tensor, after in _encoder(nlp, name).named_parameters():
        if tensor in missing:
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
    own = [tensor for tensor, _ in _encoder(nlp, name).named_parameters() if tensor in missing]
    changes = pd.DataFrame(rows, columns=["tensor", "changed", "largest", "relative"])
    return replace(report, changes=changes.astype({"changed": bool}), not_in_base=own)


def _transformers(nlp: Language) -> list[str]:
    return [n for n, component in nlp.pipeline if hasattr(_model(component), "transformer")]


def _model(component: Any) -> Any:
    return getattr(component, "model", None)


def _encoder(nlp: Language, name: str) -> Any:
    return _model(nlp.get_pipe(name)).transformer


def _shim(nlp: Language, name: str) -> Any:
    return _model(nlp.get_pipe(name)).layers[0].shims[0]


def _width(nlp: Language, name: str) -> int:
    return _model(nlp.get_pipe(name)).get_dim("nO")


def _model_config(nlp: Language, name: str) -> dict[str, Any]:
    return nlp.config.interpolate()["components"][name]["model"]


def _trained_with(nlp: Language, names: Sequence[str]) -> list[Freeze | None]:
    found: list[Freeze | None] = []
    for name in names:
        found += getattr(_shim(nlp, name), "trained_with", [])
    return found


def _has_trained_heads(nlp: Language) -> bool:
    return any(getattr(component, "is_trained", False) for _, component in nlp.pipeline)


def _count_encoder(nlp: Language, name: str, is_trained: bool, is_frozen: bool) -> pd.DataFrame:
    """RETURNS (DataFrame): For each of a transformer's blocks, its parameters, and those of them
    that have learned or would."""
    shim, encoder = _shim(nlp, name), _encoder(nlp, name)
    blocks = getattr(shim, "blocks", None) or _find_blocks(encoder)
    rows = []
    for tensor, parameter in encoder.named_parameters():
        block = blocks[tensor]
        learns = parameter.requires_grad and block != UNUSED and not is_frozen
        if is_trained and hasattr(shim, "trained"):
            learns = tensor in shim.trained
        rows.append((_rank(block), _title(block), parameter.numel(), parameter.numel() * learns))
    table = pd.DataFrame(rows, columns=["rank", *COLUMNS[:3]])
    table = table.groupby(["rank", "block"]).sum().reset_index()
    return table[COLUMNS[:3]]


def _find_blocks(encoder: Any) -> dict[str, Block]:
    from .model_blocks import find_blocks  # imports torch

    return find_blocks(encoder)


def _rank(block: Block) -> float:
    """RETURNS (float): The place of a block in the report, from the bottom up."""
    if isinstance(block, int):
        return block
    return {SHARED_BLOCKS: 0, TOP: float("inf"), UNUSED: float("inf")}.get(block, -1)


def _title(block: Block) -> str:
    return f"block {block + 1}" if isinstance(block, int) else TITLES.get(block, block)


def _n_parameters(component: Any, width: int) -> int:
    """RETURNS (int): The number of a head's parameters; of an untrained one, as for one target."""
    sizes = [
        node.get_param(name).size
        for node in component.model.walk()
        for name in node.param_names
        if node.has_param(name)
    ]
    return sum(sizes) if sizes else width + 1
