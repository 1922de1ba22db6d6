"""Meaning of the setting `freeze`: which parameters of a Hugging Face model do not learn.

| `freeze` | frozen |
| --- | --- |
| `"none"` | nothing |
| `"all"` | the whole transformer |
| `"embeddings"` | the embeddings |
| `4` | the embeddings and the lowest four blocks |
| `["*.attention.*"]` | each parameter whose name matches one of the globs |

Globs match whole names of parameters, as `encoder.layer.0.attention.self.query.weight` in a BERT:
`*` stands for any characters, dots included, `?` for one, and `[01]` for one of several. Case
counts. Each glob must match a parameter.
"""

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

Freeze = str | int | Sequence[str]

KEYWORDS = ("none", "all", "embeddings")
EMBEDDINGS = "embeddings"
SHARED_BLOCKS = "blocks (shared)"
TOP = "top"
UNUSED = "unused"

# Where a parameter lies: the number of its block, from 0 at the bottom, or one of the names above.
# See `model_blocks.find_blocks`.
Block = str | int


def check_freeze(freeze: Freeze) -> Freeze:
    """Check a setting as far as possible without a model.

    freeze (Freeze): The setting.
    RETURNS (Freeze): The setting.
    RAISES (ValueError): It has none of the allowed forms.
    """
    is_number = isinstance(freeze, int) and not isinstance(freeze, bool) and freeze >= 0
    if is_number or freeze in KEYWORDS:
        return freeze
    if isinstance(freeze, list | tuple) and freeze and all(isinstance(g, str) for g in freeze):
        for keyword in freeze:
            if keyword in KEYWORDS:
                raise ValueError(
                    f"freeze lists {keyword!r} among globs in [components.transformer.model]. "
                    f"Expected either freeze = {keyword!r}, or globs over parameter names, such as "
                    "'embeddings.*'."
                )
        return freeze
    raise ValueError(
        f"freeze is {freeze!r} in [components.transformer.model]. Expected one of: "
        f"{', '.join(KEYWORDS)}; a number of blocks; or a list of globs over parameter names."
    )


def frozen_names(freeze: Freeze, blocks: Mapping[str, Block]) -> set[str]:
    """Find the parameters that a setting freezes.

    freeze (Freeze): The setting.
    blocks (Mapping[str, str | int]): Block of each parameter of the model, by name.
    RETURNS (set[str]): Names of the frozen parameters.
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
    return {name for glob in freeze for name in _match(glob, list(blocks))}


def count_blocks(blocks: Mapping[str, Block]) -> int:
    """Count a model's blocks; 0 if they share their parameters or have no numbers."""
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


def _match(glob: str, names: list[str]) -> list[str]:
    """Find the names that match a glob, as `fnmatch` does on Unix."""
    matches = [name for name in names if fnmatchcase(name, glob)]
    if not matches:
        near = difflib.get_close_matches(glob, names, n=3, cutoff=0.3) or names[:3]
        raise ValueError(
            f"freeze has the glob {glob!r} in [components.transformer.model], which matches no "
            f"parameter. Near names: {', '.join(near)}."
        )
    return matches
