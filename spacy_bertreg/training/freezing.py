"""Which parameters of a Hugging Face model a `freeze` setting names."""

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

Freeze = str | int | Sequence[str]

KEYWORDS = ("none", "all", "embeddings")
EMBEDDINGS = "embeddings"
SHARED_BLOCKS = "blocks (shared)"
TOP = "top"
UNUSED = "unused"

# Where a parameter lies: a number from 0 at the bottom, or one of the names above. See
# `model_blocks.find_blocks`.
Block = str | int


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


def frozen_names(freeze: Freeze, blocks: Mapping[str, Block]) -> set[str]:
    """Find the parameters that a setting freezes.

    freeze (Freeze): "none"; "all"; "embeddings"; N for the embeddings and the lowest N blocks; or
        globs over the parameters' names.
    blocks (Mapping[str, str | int]): The block of each of the model's parameters, by name.
    RETURNS (set[str]): The names of the frozen ones.
    RAISES (ValueError): The model has fewer blocks, or shares them, or a glob matches nothing.
    """
    freeze = check_freeze(freeze)
    if freeze == "none":
        return set()
    if freeze == "all":
        return set(blocks)
    if freeze == EMBEDDINGS:
        return {name for name, block in blocks.items() if block == EMBEDDINGS}
    if isinstance(freeze, int):
        return _lowest_blocks(freeze, blocks)
    return {match for glob in freeze for match in _matching(glob, list(blocks))}


def count_blocks(blocks: Mapping[str, Block]) -> int:
    """Count the blocks of a model.

    blocks (Mapping[str, str | int]): What `model_blocks.find_blocks` gave.
    RETURNS (int): The number of its blocks; 0 if they share their parameters or have no numbers.
    """
    return len({block for block in blocks.values() if isinstance(block, int)})


def _lowest_blocks(n: int, blocks: Mapping[str, Block]) -> set[str]:
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
