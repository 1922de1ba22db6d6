"""The models of a cross-validation that `crossval --keep-models` keeps, and where they are."""

import json
import re
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ..training.resume import kept_model
from .crossval_files import ABOUT
from .crossval_trainings import Training

# The folder of all kept models, in that of the cross-validation.
MODELS = "models"
# Of a model that is being deleted, this goes first.
CONFIG = "config.cfg"
AGAIN = (
    "Expected the command of `crossval` once more, with --keep-models: it trains what is missing"
)


def model_path(model: str, repeat: int, fold: int) -> str:
    """Name the folder of a kept model, below that of its cross-validation."""
    return f"{MODELS}/{model}/repeat-{repeat}-fold-{fold}"


def paths_of(trainings: Iterable[Training]) -> dict[str, str]:
    """Name the folders of trainings' models, as `model_path`, by the trainings' names."""
    return {t.name: model_path(t.model, t.repeat, t.fold) for t in trainings}


def list_kept(folder: Path) -> list[str]:
    """List the models that a finished cross-validation has kept.

    folder (Path): Its folder.
    RETURNS (list[str]): Their folders, as `model_path`, whether or not they are still there.
    RAISES (ValueError): crossval.json is damaged, or names something else.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        paths = list(about.get("models", []))
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / ABOUT} is not what `crossval` writes: {error!r}.") from error
    for path in paths:
        if not re.fullmatch(rf"{MODELS}/\w[\w-]*/repeat-\d+-fold-\d+", str(path)):
            raise ValueError(f"{folder / ABOUT} is not what `crossval` writes: it names {path!r}.")
    return paths


def is_whole(path: Path) -> bool:
    """Tell whether a model is there, and not half deleted."""
    return (path / CONFIG).is_file()


def check_places(folder: Path, trainings: Sequence[Training], ours: Collection[str]) -> None:
    """Check that models can be moved to their places.

    folder (Path): Folder of the cross-validation.
    trainings (Sequence[Training]): Whose models are to be kept.
    ours (Collection[str]): Folders of models of an earlier run, see `list_kept`.
    RAISES (ValueError): Something else is there.
    """
    for path in paths_of(trainings).values():
        if path not in ours and (folder / path).exists():
            raise ValueError(f"{folder / path} is there already, and was not written by this.")


def delete_models(folder: Path, paths: Iterable[str]) -> None:
    """Delete kept models, and the folders above them if nothing else is in these.

    folder (Path): Folder of the cross-validation.
    paths (Iterable[str]): Folders of the models, see `list_kept`.
    """
    for path in paths:
        if not (folder / path).is_dir():
            continue
        # If we are killed in between, it shows.
        (folder / path / CONFIG).unlink(missing_ok=True)
        shutil.rmtree(folder / path)
        for above in (folder / path).parents[:2]:
            if not any(above.iterdir()):
                above.rmdir()


def move_models(source: Path, folder: Path, trainings: Iterable[Training]) -> None:
    """Move models to where they are kept.

    source (Path): Where `train_resumably` has put them.
    folder (Path): Folder of the cross-validation, on the same disk.
    trainings (Iterable[Training]): Whose models.
    """
    for name, path in paths_of(trainings).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        kept_model(source, name).rename(folder / path)


def find_models(folder: Path, model: str, repeat: int, folds: Iterable[int]) -> list[Path]:
    """Find the kept models of one repeat of a cross-validation.

    folder (Path): Its folder.
    model (str): The model's name.
    repeat (int), folds (Iterable[int]): The repeat, and its folds.
    RETURNS (list[Path]): The folder of each fold's pipeline.
    RAISES (FileNotFoundError): One is missing.
    """
    kept = list_kept(folder)
    paths = [model_path(model, repeat, fold) for fold in folds]
    if missing := [p for p in paths if p not in kept or not is_whole(folder / p)]:
        what = "models" if len(missing) == len(paths) else "model"
        raise FileNotFoundError(
            f"{folder} has no {what} of {model!r}: {folder / missing[0]} does not exist. {AGAIN}."
        )
    return [folder / path for path in paths]
