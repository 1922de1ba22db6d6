"""What a cross-validation is: its settings, and whether another is the same."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spacy.util import dict_to_dot
from thinc.api import Config

from ..data.files import hash_file, hash_folder
from ..training.epochs import learns_by_steps
from ..training.jobs import load_config
from .crossval_files import PARTS
from .crossval_teachers import Teachers, find_teachers

# Stand in a config for documents that are not chosen yet.
MARKS = {f"paths.{name}": f"<{name}>" for name in PARTS}
# Packages whose versions the predictions depend on.
PACKAGES = (
    *("spacy-bertreg", "spacy", "spacy-transformers", "thinc", "torch", "transformers"),
    *("numpy", "pandas"),
)


@dataclass(frozen=True)
class CrossvalRun:
    """What a cross-validation is.

    about (dict[str, Any]): Its settings, for crossval.json.
    identity (dict[str, Any]): All that its results depend on.
    learns_by_steps (dict[str, bool]): Whether a model does, by name.
    configs (dict[str, Config]): The models' configs, interpolated.
    teachers (Teachers): See `find_teachers`.
    """

    about: dict[str, Any]
    identity: dict[str, Any]
    learns_by_steps: dict[str, bool]
    configs: dict[str, Config]
    teachers: Teachers


def describe_run(
    data: Path,
    files: Sequence[Path],
    configs: Mapping[str, Path],
    chosen: Mapping[str, Mapping[str, Any]],
    *,
    targets: Sequence[str],
    code: Path | None,
    **settings: Any,
) -> CrossvalRun:
    """Describe a cross-validation, for people and to find out whether another is the same.

    data (Path), files (Sequence[Path]): What was asked for, and what `find_data` found.
    configs (Mapping[str, Path]), chosen (Mapping): By model, its config and the settings that
        override it.
    targets (Sequence[str]): The documents' targets.
    code (Path | None): Python file that is imported.
    **settings (Any): What else the results depend on, as it is to stand in crossval.json.
    RETURNS (CrossvalRun): The description.
    RAISES (ValueError, OSError): A config can't be read, does not learn from `paths.train`, or
        names a teacher that can't be one.
    """
    read = {name: load_config(path, {**chosen[name], **MARKS}) for name, path in configs.items()}
    for name, config in read.items():
        _check_corpora(config, configs[name])
    teachers = find_teachers(read, targets)
    hashes: dict[str, str] = {}
    for name, own in teachers.items():
        # What a pupil learns depends on all that its teacher is, and not on what that is called.
        marks = {key: f"<model {hashes[teacher]}>" for key, teacher in own.items()}
        hashes[name] = _hash_config(_replace(read[name], marks))
    content = {file.name: hash_file(file) for file in files}
    versions = {name: version(name) for name in PACKAGES}
    about = {
        "data": str(data),
        "data_sha256": content,
        "configs": {
            name: {"path": path.as_posix(), "sha256": hashes[name]}
            for name, path in configs.items()
        },
        **settings,
        "versions": versions,
    }
    identity = {
        **{f"the data's {name} (SHA-256)": value for name, value in content.items()},
        "the models": list(configs),
        **{config_key(name): value for name, value in hashes.items()},
        "the code's content (SHA-256)": code and hash_file(code),
        **settings,
        **{f"the version of {name}": found for name, found in versions.items()},
    }
    by_steps = {name: learns_by_steps(config) for name, config in read.items()}
    return CrossvalRun(about, identity, by_steps, read, teachers)


def config_key(model: str) -> str:
    """Name the place of a model's config in `CrossvalRun.identity`."""
    return f"the config of {model} (SHA-256)"


def _check_corpora(config: Config, path: Path) -> None:
    """Check that a config reads the documents of a fold, and no others."""
    for name in PARTS:
        corpus = config["training"][f"{name}_corpus"]
        section: Any = config
        for part in corpus.split("."):
            section = section[part]
        if MARKS[f"paths.{name}"] not in dict_to_dot(section).values():
            raise ValueError(
                f"{path}: [{corpus}] does not read ${{paths.{name}}}, so it would learn from other "
                f"documents than those of a fold. Expected path = ${{paths.{name}}} there."
            )


def _replace(config: Config, settings: Mapping[str, Any]) -> Config:
    """Copy a config with other values of some settings, given by their dotted names."""
    copy = config.copy()
    for key, value in settings.items():
        *sections, name = key.split(".")
        section: Any = copy
        for part in sections:
            section = section[part]
        section[name] = value
    return copy


def _hash_config(config: Config) -> str:
    """Return the SHA-256 of a config, and of the files and pipelines that it names."""
    total = hashlib.sha256(config.to_str().encode("utf-8"))
    for value in dict_to_dot(config).values():
        if not isinstance(value, str) or not value or "\n" in value or len(value) > 1000:
            continue
        path = Path(value)
        if path.is_file():
            total.update(hash_file(path).encode())
        elif (path / "config.json").is_file() or (path / "config.cfg").is_file():
            total.update(hash_folder(path).encode())
    return total.hexdigest()
