"""`spacy-bertreg.gradual_unfreezing.v1`: let blocks join training one by one."""

from collections.abc import Callable, Mapping
from typing import Any

from spacy.language import Language

from .freezing import Block, Freeze, count_blocks


def gradual_unfreezing_v1(steps_per_block: int) -> Callable[[Language, dict[str, Any]], None]:
    """Train the head alone at first, then one more block after each `steps_per_block` steps, from
    the top down, and the embeddings last (Howard & Ruder 2018, section 3.3). Parameters that
    `freeze` names stay frozen.

    steps_per_block (int): Number of steps between two blocks, as [training] max_steps counts them.
    RETURNS (Callable): For [training.before_update].
    RAISES (ValueError): `steps_per_block` is less than 1; in training, there is no
        spacy-bertreg.TransformerModel.v1, or its blocks share their parameters.
    """
    if steps_per_block < 1:
        raise ValueError(
            f"steps_per_block is {steps_per_block} in [training.before_update]. Expected 1 or more."
        )

    def before_update(nlp: Language, info: dict[str, Any]) -> None:
        if info["step"] % steps_per_block == 0:
            for shim in _shims(nlp):
                shim.apply_freeze(also=_still_frozen(info["step"] // steps_per_block, shim.blocks))

    return before_update


def _still_frozen(n_learning: int, blocks: Mapping[str, Block]) -> Freeze:
    """Get the `freeze` setting with which the top `n_learning` blocks learn."""
    n_blocks = count_blocks(blocks)
    if not n_blocks:
        raise ValueError(
            "spacy-bertreg.gradual_unfreezing.v1 needs a transformer of numbered blocks, each with "
            "parameters of its own."
        )
    if n_learning == 0:
        return "all"
    return n_blocks - n_learning if n_learning <= n_blocks else "none"


def _shims(nlp: Language) -> list[Any]:
    shims = [
        shim
        for _, component in nlp.pipeline
        for node in getattr(getattr(component, "model", None), "walk", list)()
        for shim in node.shims
        if hasattr(shim, "apply_freeze")
    ]
    if not shims:
        raise ValueError(
            "spacy-bertreg.gradual_unfreezing.v1 found no spacy-bertreg.TransformerModel.v1 in the "
            f"pipeline: {', '.join(nlp.pipe_names)}."
        )
    return shims
