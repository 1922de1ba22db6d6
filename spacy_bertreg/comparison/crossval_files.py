"""The folder of a cross-validation: predictions.csv, crossval.json, and folds/ until it is done."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from spacy.util import dict_to_dot
from thinc.api import Config

from ..data.files import check_files, check_folder, hash_file, hash_folder, write_whole
from ..training.epochs import learns_by_steps
from ..training.jobs import load_config
from ..training.resume import describe_changes, is_ours

PREDICTIONS, ABOUT, FOLDS = "predictions.csv", "crossval.json", "folds"
FILES = (ABOUT, PREDICTIONS)
PARTS = ("train", "dev")
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
    """

    about: dict[str, Any]
    identity: dict[str, Any]
    learns_by_steps: dict[str, bool]


def find_data(data: Path) -> list[Path]:
    """Find the files of a cross-validation's documents.

    data (Path): A .spacy file, or a folder with train.spacy and dev.spacy. Its test.spacy is no
        part of it: a test set is to be used once, when all has been chosen.
    RETURNS (list[Path]): The files.
    RAISES (FileNotFoundError): There are none.
    """
    if not data.is_dir():
        if not data.is_file():
            raise FileNotFoundError(f"{data} does not exist. Expected a .spacy file, or a folder.")
        return [data]
    found = [path for name in PARTS if (path := data / f"{name}.spacy").is_file()]
    if not found:
        raise FileNotFoundError(f"{data} has no train.spacy. Expected what `convert` writes.")
    return found


def describe_run(
    data: Path,
    files: Sequence[Path],
    configs: Mapping[str, Path],
    chosen: Mapping[str, Mapping[str, Any]],
    *,
    code: Path | None,
    **settings: Any,
) -> CrossvalRun:
    """Describe a cross-validation, for people and to find out whether another is the same.

    data (Path), files (Sequence[Path]): What was asked for, and what `find_data` found.
    configs (Mapping[str, Path]), chosen (Mapping): By model, its config and the settings that
        override it.
    code (Path | None): Python file that is imported.
    **settings (Any): What else the results depend on, as it is to stand in crossval.json.
    RETURNS (CrossvalRun): The description.
    RAISES (ValueError, OSError): A config can't be read, or does not learn from `paths.train`.
    """
    read = {name: load_config(path, {**chosen[name], **MARKS}) for name, path in configs.items()}
    for name, config in read.items():
        _check_corpora(config, configs[name])
    hashes = {name: _hash_config(config) for name, config in read.items()}
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
        **{f"the config of {name} (SHA-256)": value for name, value in hashes.items()},
        "the code's content (SHA-256)": code and hash_file(code),
        **settings,
        **{f"the version of {name}": found for name, found in versions.items()},
    }
    return CrossvalRun(about, identity, {n: learns_by_steps(c) for n, c in read.items()})


def check_crossval_folder(output: Path, inputs: Iterable[Path]) -> None:
    """Check that a cross-validation can write to a folder.

    output (Path): The folder.
    inputs (Iterable[Path]): What is read.
    RAISES (ValueError): It holds other files only, or one to be written is an input.
    """
    check_folder(output)
    check_files([output / name for name in FILES], inputs)
    if not output.exists() or (output / ABOUT).is_file() or is_ours(output / FOLDS):
        return
    others = {path.name for path in output.iterdir()} - {FOLDS, f".{FOLDS}.lock"}
    if others:
        raise ValueError(
            f"{output} holds other files: it has no {ABOUT}, as an earlier run leaves. Expected a "
            "new or empty folder, or one of such a run."
        )


def read_crossval(folder: Path, run: CrossvalRun) -> pd.DataFrame | None:
    """Read the predictions of a cross-validation that is done already.

    folder (Path): Its folder.
    run (CrossvalRun): Which is asked for.
    RETURNS (DataFrame | None): The predictions; None if there are none, or of another run.
    RAISES (ValueError): What is there is of something else.
    """
    if not (folder / ABOUT).is_file():
        return None
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        before, files = about["identity"], about["files"]
        if not set(files) <= set(FILES):
            raise ValueError("it names files that no run writes")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder / ABOUT} is not what an earlier run writes: {error!r}."
        ) from error
    for name in FILES:
        if name not in files and (folder / name).exists():
            raise ValueError(f"{folder / name} is there already, and was not written by this.")
    if describe_changes(before, run.identity) or not (folder / PREDICTIONS).is_file():
        return None
    return read_predictions_csv(folder)


def read_predictions_csv(folder: Path) -> pd.DataFrame:
    """Read the predictions of a cross-validation, to the last digit."""
    # As text: an id may look like a number, or be called "NA".
    kinds = dict.fromkeys(("target", "id", "group"), str)
    table = pd.read_csv(
        folder / PREDICTIONS,
        dtype=kinds,
        keep_default_na=False,
        na_values={},
        float_precision="round_trip",
    )
    for name in table.columns[5:]:
        table[name] = pd.to_numeric(table[name]).astype(float)
    return table


def write_crossval(
    folder: Path, run: CrossvalRun, table: pd.DataFrame, scores: list[dict[str, Any]]
) -> None:
    """Write what a cross-validation found, both files or none.

    folder (Path): Its folder.
    run (CrossvalRun): What it is.
    table (DataFrame): The predictions.
    scores (list[dict]): What `score_folds` gave.
    """
    targets = list(dict.fromkeys(row["target"] for row in scores))
    about = {
        "settings": {**run.about, "targets": targets},
        "scores": scores,
        "identity": run.identity,
        "files": sorted(FILES),
    }
    write_whole(
        {
            folder / PREDICTIONS: table.to_csv(index=False).encode("utf-8"),
            folder / ABOUT: (json.dumps(about, indent=1) + "\n").encode("utf-8"),
        }
    )


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
