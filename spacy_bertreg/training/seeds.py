"""Train a config as `spacy train` does, once for each seed, and keep the best on the dev set.

OUTPUT/seed-N holds model-best, model-last and log.jsonl of seed N, OUTPUT/model-best a copy of the
best. OUTPUT changes only when all are trained. train_seeds.json in it lists the files that were
written: a later run replaces these, and no others.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy

from ..data.files import check_folder, folder_beside, replace_files
from .epochs import epoch_settings
from .jobs import Job, check_engine, check_seeds, load_config, read_dev_score, train_all

LIST = "train_seeds.json"


def train_seeds(
    config: Path,
    output: Path,
    *,
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    overrides: dict[str, Any] | None = None,
    gpu_id: int = -1,
    code: Path | None = None,
    engine: str = "local",
    progress_bar: bool = False,
) -> dict[int, float]:
    """Train a config once for each seed.

    config (Path): A config of spaCy.
    output (Path): Folder for the pipelines, new, empty, or of an earlier run.
    seeds (Sequence[int]): Different whole numbers, 0 or more.
    epochs (int | None): How often to go over the training documents, see `epoch_settings`; None for
        the steps that the config has.
    overrides (dict[str, Any] | None): Settings of the config by dotted name, as `training.dropout`.
    gpu_id (int): GPU, or -1 for the CPU.
    code (Path | None): Python file that Ray's workers import first; here it has been imported.
    engine (str): "local" to train one seed after the other, or "ray" to train side by side, each on
        a GPU or on as many cores as this process uses. Then config, data and `output` must be on
        storage that all machines see.
    progress_bar (bool): Whether to show a progress bar up to the next evaluation.
    RETURNS (dict[int, float]): The best R² on the dev set by seed, -inf where none is defined.
    RAISES (ValueError, OSError): Wrong input, or a training failed. `output` is as it was before.
    """
    overrides = dict(overrides or {})
    check_seeds(seeds)
    check_engine(engine)
    resolved = load_config(config, overrides)
    ours = _read_list(output)
    if epochs is not None:
        overrides = epoch_settings(resolved, epochs) | overrides
    if progress_bar and "progress_bar" in resolved["training"]["logger"]:
        overrides.setdefault("training.logger.progress_bar", "train")
    place = output.resolve()
    with folder_beside(place) as temporary:
        new = temporary / "new"
        folders = {seed: new / f"seed-{seed}" for seed in seeds}
        jobs = [
            Job(
                folder.name,
                config,
                seed,
                overrides | {"training.logger.output_file": str(folder / "log.jsonl")},
            )
            for seed, folder in folders.items()
        ]
        try:
            for _ in train_all(jobs, new, gpu_id=gpu_id, code=code, engine=engine):
                pass
        except Exception as error:  # spaCy's, torch's, and of the user's own functions
            raise ValueError(f"Training failed: {error}\n{output} is as it was before.") from error
        scores = {}
        for seed, folder in folders.items():
            scores[seed] = read_dev_score(folder / "model-best")
            for pipeline in ("model-best", "model-last"):
                _name_log(folder / pipeline / "config.cfg", output / folder.name / "log.jsonl")
        best = max(scores, key=lambda seed: scores[seed])
        shutil.copytree(folders[best] / "model-best", new / "model-best")
        files = [path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()]
        (new / LIST).write_text(json.dumps({"files": sorted(files)}, indent=1), encoding="utf-8")
        # Seeds that an earlier run left would be compared with these.
        replace_files(new, place, ours)
    return scores


def _read_list(folder: Path) -> list[str]:
    """Read which files in a folder an earlier run wrote.

    RAISES (ValueError): The folder holds files and no list of them, or is a file.
    """
    check_folder(folder)
    path = folder / LIST
    if not path.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} holds other files: it has no {LIST}, which an earlier run leaves. "
                "Expected a new or empty folder, or one of such a run."
            )
        return []
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("it names files that are not in this folder")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what an earlier run writes: {error!r}.") from error
    return [*names, LIST]


def _name_log(path: Path, log: Path) -> None:
    """Write into a trained pipeline's config where its log will be."""
    config = spacy.util.load_config(path)
    config["training"]["logger"]["output_file"] = str(log)
    config.to_disk(path)
