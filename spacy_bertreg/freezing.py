"""Which parameters of a Hugging Face model a `freeze` setting names."""

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

Freeze = str | int | Sequence[str]

KEYWORDS = ("none", "all", "embeddings")
EMBEDDINGS = "embeddings"
SHARED_BLOCKS = "blocks (shared)"
POOLER = "pooler"

BLOCK = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d+)\.")
# ALBERT's blocks are one set of parameters, used again and again.
SHARED_BLOCK = re.compile(r"(?:^|\.)albert_layer_groups\.")
# A convolution that some DeBERTa models add to the output of their first block.
FIRST_BLOCK = re.compile(r"^encoder\.conv\.")


def check_freeze(freeze: Freeze) -> Freeze:
    """Check what can be checked without a model.

    freeze (Freeze): "none", "all", "embeddings", a number of blocks, or a list of globs.
    RETURNS (Freeze): The same.
    RAISES (ValueError): It is nothing of these.
    """
    is_number = isinstance(freeze, int) and not isinstance(freeze, bool) and freeze >= 0
    is_globs = isinstance(freeze, list | tuple) and len(freeze) > 0
    if is_number or freeze in KEYWORDS:
        return freeze
    if is_globs and all(isinstance(glob, str) for glob in freeze):  # type: ignore[union-attr]
        mixed = [glob for glob in freeze if glob in KEYWORDS]  # type: ignore[union-attr]
        if not mixed:
            return freeze
        raise ValueError(
            f"freeze lists {mixed[0]!r} among globs in [components.transformer.model]. Expected "
            f"either freeze = {mixed[0]!r}, or globs over parameter names, such as 'embeddings.*'."
        )
    raise ValueError(
        f"freeze is {freeze!r} in [components.transformer.model]. Expected one of: "
        f"{', '.join(KEYWORDS)}; a number of blocks; or a list of globs over parameter names."
    )


def block_of(name: str) -> str | int:
    """name (str): Name of a parameter of a Hugging Face encoder.
    RETURNS (str | int): The block it belongs to: a number from 0 at the bottom, "pooler", "blocks
        (shared)", or "embeddings" for all else that comes before the blocks or serves them all, as
        relative positions do.
    """
    if match := BLOCK.search(name):
        return int(match[1])
    if FIRST_BLOCK.search(name):
        return 0
    if SHARED_BLOCK.search(name):
        return SHARED_BLOCKS
    return POOLER if name.startswith(POOLER) else EMBEDDINGS


def frozen_names(freeze: Freeze, names: Iterable[str]) -> set[str]:
    """Find the parameters that are frozen.

    freeze (Freeze): "none"; "all"; "embeddings"; N for the embeddings and the lowest N blocks; or
        globs over the parameters' names.
    names (Iterable[str]): Names of all of the model's parameters.
    RETURNS (set[str]): The names of the frozen ones.
    RAISES (ValueError): The model has fewer blocks, or shares them, or a glob matches nothing.
    """
    names = list(names)
    freeze = check_freeze(freeze)
    if freeze == "none":
        return set()
    if freeze == "all":
        return set(names)
    blocks = {name: block_of(name) for name in names}
    if freeze == EMBEDDINGS:
        return {name for name in names if blocks[name] == EMBEDDINGS}
    if isinstance(freeze, int):
        return _lowest_blocks(freeze, blocks)
    return {match for glob in freeze for match in _matching(glob, names)}


def count_blocks(names: Iterable[str]) -> int:
    """RETURNS (int): Number of blocks of a model with these parameters; 0 if they are shared."""
    return len({block for name in names if isinstance(block := block_of(name), int)})


def _lowest_blocks(n: int, blocks: dict[str, str | int]) -> set[str]:
    if SHARED_BLOCKS in blocks.values():
        raise ValueError(
            f"freeze is {n} in [components.transformer.model], but all blocks of this model (as of "
            "any ALBERT) share their parameters. Expected one of: none, all, embeddings; or globs."
        )
    n_blocks = count_blocks(blocks)
    if n > n_blocks:
        raise ValueError(
            f"freeze is {n} in [components.transformer.model], but the model has {n_blocks} blocks "
            f"whose names are numbered. Expected a number from 0 to {n_blocks}, or globs."
        )
    return {
        name
        for name, block in blocks.items()
        if block == EMBEDDINGS or (isinstance(block, int) and block < n)
    }


def _matching(glob: str, names: list[str]) -> list[str]:
    matches = [name for name in names if fnmatchcase(name, glob)]
    if not matches:
        near = difflib.get_close_matches(glob, names, n=3, cutoff=0.3) or names[:3]
        raise ValueError(
            f"freeze has the glob {glob!r} in [components.transformer.model], which matches no "
            f"parameter. Near names: {', '.join(near)}."
        )
    return matches
