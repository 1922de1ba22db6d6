"""What of a pipeline learns, by block, and what has changed from the transformer it began with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.language import Language
from spacy.util import load_config, load_model_from_config

from .freezing import block_of

COLUMNS = ["block", "parameters", "trainable", "share"]


@dataclass(frozen=True)
class FreezeReport:
    """What learns, and what changed.

    freeze (Any): The setting in the config; None for a stock transformer.
    blocks (DataFrame): For each block from the bottom up, and each head: `block`, `parameters`
        (number), `trainable` (number), `share` (of the block that is trainable, 0 to 1).
    changes (DataFrame | None): For each tensor of the transformer: `tensor`, `changed` (bool),
        `largest` and `relative` change (of an element; of the norm). None if not verified.
    """

    freeze: Any
    blocks: pd.DataFrame
    changes: pd.DataFrame | None = None

    def summary(self) -> str:
        """RETURNS (str): What learns, in one line."""
        total, trainable = self.blocks["parameters"].sum(), self.blocks["trainable"].sum()
        return (
            f"freeze = {self.freeze!r}: {trainable:,} of {total:,} parameters learn "
            f"({100 * trainable / max(total, 1):.3g}%)"
        )

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): All of it, for JSON."""
        changes = self.changes
        return {
            "freeze": self.freeze,
            "parameters": int(self.blocks["parameters"].sum()),
            "trainable": int(self.blocks["trainable"].sum()),
            "blocks": self.blocks.to_dict("records"),
            "changes": None if changes is None else changes.to_dict("records"),
        }


def freeze_report(
    source: str | Path,
    *,
    verify: bool = False,
    base: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> FreezeReport:
    """Report what a training with this config lets learn, or let learn.

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
    report = report_on(nlp)
    return verified(report, nlp, base) if verify else report


def report_on(nlp: Language) -> FreezeReport:
    """nlp (Language): A pipeline whose transformer has its weights.
    RETURNS (FreezeReport): What of it learns, not verified.
    RAISES (ValueError): It has no transformer.
    """
    names = _transformers(nlp)
    if not names:
        raise ValueError(f"The pipeline has no transformer. It has: {', '.join(nlp.pipe_names)}.")
    rows = []
    for name in names:
        parameters = _encoder(nlp, name).named_parameters()
        table = pd.DataFrame(
            [(_title(block_of(n)), p.numel(), p.numel() * p.requires_grad) for n, p in parameters],
            columns=COLUMNS[:3],
        )
        rows.append(table.groupby("block", sort=False).sum().reset_index())
    width = nlp.get_pipe(names[0]).model.get_dim("nO")  # type: ignore[attr-defined]
    heads = []
    for name, component in nlp.pipeline:
        if name not in names and getattr(component, "is_trainable", False):
            size = _n_parameters(component, width)
            heads.append((f"head ({name})", size, size))
    rows.append(pd.DataFrame(heads, columns=COLUMNS[:3]))
    blocks = pd.concat(rows, ignore_index=True)
    blocks["share"] = blocks["trainable"] / blocks["parameters"]
    return FreezeReport(_model_config(nlp, names[0]).get("freeze"), blocks)


def has_weights(nlp: Language) -> bool:
    """RETURNS (bool): Whether the pipeline has a transformer, and its weights."""
    names = _transformers(nlp)
    return bool(names) and all(_encoder(nlp, name) is not None for name in names)


def verified(report: FreezeReport, nlp: Language, base: str | None = None) -> FreezeReport:
    """report (FreezeReport): Of the pipeline.
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
        before = dict(AutoModel.from_pretrained(base).named_parameters())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Can't load the base weights {base!r}, with which the transformer is to be compared. "
            f"Expected a folder or a Hugging Face name; --base takes another. {error}"
        ) from error
    rows = []
    for tensor, after in _encoder(nlp, name).named_parameters():
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
    return FreezeReport(report.freeze, report.blocks, pd.DataFrame(rows))


def _transformers(nlp: Language) -> list[str]:
    return [n for n, component in nlp.pipeline if hasattr(_model(component), "transformer")]


def _model(component: Any) -> Any:
    return getattr(component, "model", None)


def _encoder(nlp: Language, name: str) -> Any:
    return _model(nlp.get_pipe(name)).transformer


def _model_config(nlp: Language, name: str) -> dict[str, Any]:
    return nlp.config.interpolate()["components"][name]["model"]


def _title(block: str | int) -> str:
    return f"block {block + 1}" if isinstance(block, int) else block


def _n_parameters(component: Any, width: int) -> int:
    """The number of a head's parameters; of an untrained one, as for one target."""
    sizes = [
        node.get_param(name).size
        for node in component.model.walk()
        for name in node.param_names
        if node.has_param(name)
    ]
    return sum(sizes) if sizes else width + 1
