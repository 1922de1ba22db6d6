"""The files of a cross-validation: predictions.csv, crossval.json, and folds/ until it is done."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.files import check_files, check_folder, write_whole
from ..data.tables.columns import check_cells
from ..training.resume import describe_changes, is_ours

if TYPE_CHECKING:
    from .crossval_run import CrossvalRun

PREDICTIONS, ABOUT, FOLDS = "predictions.csv", "crossval.json", "folds"
FILES = (ABOUT, PREDICTIONS)
# Files of a data folder that are cross-validated.
PARTS = ("train", "dev")
DOCUMENT_COLUMNS = ("target", "id", "group", "repeat", "fold", "gold")
# What a row of predictions.csv is of.
KEY = ["target", "repeat", "id"]


def is_crossval(path: str | Path) -> bool:
    """Check whether a path is that of a folder that `crossval` wrote."""
    return (Path(path) / ABOUT).is_file()


def crossval_files(paths: Iterable[str | Path]) -> list[Path]:
    """List the files of those folders that `crossval` wrote."""
    return [Path(path) / name for path in paths if is_crossval(path) for name in FILES]


def find_data(data: str | Path | None) -> list[Path]:
    """Find the files of a cross-validation's documents.

    data (str | Path | None): A .spacy file, or a folder with train.spacy and dev.spacy. Its
        test.spacy is no part of it: a test set is to be used once, when all has been chosen.
    RETURNS (list[Path]): The files; empty if there are none, or not any more.
    """
    if not data:
        return []
    path = Path(data)
    files = [path / f"{name}.spacy" for name in PARTS] if path.is_dir() else [path]
    return [file for file in files if file.is_file()]


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


def read_finished(folder: Path, run: "CrossvalRun") -> pd.DataFrame | None:
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
    return read_out_of_fold(folder)


def read_out_of_fold(folder: Path) -> pd.DataFrame:
    """Read the out-of-fold predictions of a cross-validation.

    folder (Path): What `crossval` wrote.
    RETURNS (DataFrame): The columns `DOCUMENT_COLUMNS` and one for each model, NaN for what is not
        finite; a row for each target, repeat and document that is in a fold.
    RAISES (ValueError, FileNotFoundError): It is missing, or not as `crossval` writes it.
    """
    path = folder / PREDICTIONS
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected it from `crossval`.")
    texts = dict.fromkeys(("target", "id", "group"), str)
    try:
        table = pd.read_csv(
            path, dtype=texts, keep_default_na=False, na_values={}, float_precision="round_trip"
        )
    except ValueError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    if missing := [name for name in DOCUMENT_COLUMNS if name not in table]:
        raise ValueError(
            f"{path} has no column {missing[0]!r}. It has: {', '.join(map(str, table.columns))}. "
            f"Expected {', '.join(DOCUMENT_COLUMNS)} and one for each model."
        )
    for name in table.columns.difference(texts):
        # An empty cell is a model's undefined prediction, or the fold of a document in none.
        numbers = pd.to_numeric(table[name], errors="coerce").astype(float)
        check_cells(table[name], numbers.isna() & (table[name] != ""), path, "a number")
        table[name] = numbers.replace([np.inf, -np.inf], np.nan)
    table = table[table["fold"] >= 0].reset_index(drop=True)
    if table.empty or table.shape[1] == len(DOCUMENT_COLUMNS):
        raise ValueError(f"{path} has no predictions. Expected a column for each model, and rows.")
    check_cells(table["gold"], table["gold"].isna(), path, "an observed value")
    twice = table.duplicated(KEY)
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(f"{path}: the id {row['id']!r} is there twice for {row['target']!r}.")
    return table.astype({"repeat": np.int64, "fold": np.int64})


def models_of(table: pd.DataFrame) -> list[str]:
    """List the models of a cross-validation's table of predictions."""
    return [str(column) for column in table.columns if column not in DOCUMENT_COLUMNS]


def choose_model(table: pd.DataFrame, model: str | None, folder: Path) -> str:
    """Choose a model of a cross-validation.

    table (DataFrame): Its predictions, as `read_out_of_fold` gives them.
    model (str | None): The model's name; None if there is one only.
    folder (Path): Where they are from, for the error.
    RETURNS (str): Its name.
    RAISES (ValueError): There is no such model, or there are several and none is named.
    """
    models = models_of(table)
    if model is None and len(models) == 1:
        return models[0]
    if model is None or model not in models:
        found = "No --model is named" if model is None else f"--model is {model!r}"
        raise ValueError(f"{found}. Expected a model of {folder}: {', '.join(models)}.")
    return model


def read_settings(folder: Path) -> tuple[dict[str, Any], dict[tuple[str, int, int], int]]:
    """Read crossval.json.

    folder (Path): What `crossval` wrote.
    RETURNS (tuple): Its settings; and by target, repeat and fold, on how many documents models were
        trained, those that chose the best epoch included.
    RAISES (ValueError, FileNotFoundError): It is missing, or not as `crossval` writes it.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a folder that `crossval` wrote.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        n_train = {
            (str(row["target"]), int(row["repeat"]), int(row["fold"])): int(row["n_train"])
            + int(row.get("n_dev") or 0)
            for row in content["scores"]
        }
        return dict(content["settings"]), n_train
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what `crossval` writes: {error!r}.") from error


def write_crossval(
    folder: Path,
    run: "CrossvalRun",
    table: pd.DataFrame,
    scores: list[dict[str, Any]],
    models: list[str],
) -> None:
    """Write what a cross-validation found, both files or none.

    folder (Path): Its folder.
    run (CrossvalRun): What it is.
    table (DataFrame): The predictions.
    scores (list[dict]): What `score_trainings` gave.
    models (list[str]): Folders of the models that are kept, see `crossval_kept`.
    """
    targets = list(dict.fromkeys(row["target"] for row in scores))
    about = {
        "settings": {**run.about, "targets": targets},
        "scores": scores,
        "identity": run.identity,
        "files": sorted(FILES),
        "models": models,
    }
    write_whole(
        {
            folder / PREDICTIONS: table.to_csv(index=False).encode("utf-8"),
            folder / ABOUT: (json.dumps(about, indent=1) + "\n").encode("utf-8"),
        }
    )
