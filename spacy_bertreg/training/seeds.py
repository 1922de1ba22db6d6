"""Train a config once a seed as `spacy train` does, and keep the best on the dev set as model-best.

OUTPUT/seed-N holds model-best, model-last and log.jsonl of seed N, OUTPUT/model-best a copy of the
best. OUTPUT changes when all are trained. train_seeds.json in it lists the files that were written:
a later run replaces these, and no others.
"""

import io
import json
import random
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import srsly
import torch
from spacy.cli._util import setup_gpu, show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_nlp
from thinc.api import Config
from wasabi import msg

from ..data.files import check_folder, folder_beside, replace_files
from .epochs import epoch_settings, is_solved

LIST = "train_seeds.json"
ENGINES = ("local", "ray")


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
    """Train a config once a seed.

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
    progress_bar (bool): Whether to draw one to the next evaluation.
    RETURNS (dict[int, float]): By seed, the best R² on the dev set, -inf where none is defined.
    RAISES (ValueError, OSError): Wrong input, or a training failed. `output` is as it was before.
    """
    overrides = dict(overrides or {})
    check_seeds(seeds)
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}. Expected local or ray.")
    resolved = _load_config(config, overrides)
    ours = _read_list(output)
    if epochs is not None:
        overrides = epoch_settings(resolved, epochs) | overrides
    if progress_bar and "progress_bar" in resolved["training"]["logger"]:
        overrides.setdefault("training.logger.progress_bar", "train")
    place = output.resolve()
    with folder_beside(place) as temporary:
        new = temporary / "new"
        folders = {seed: new / f"seed-{seed}" for seed in seeds}
        settings = {
            seed: overrides
            | {"system.seed": seed, "training.logger.output_file": str(folder / "log.jsonl")}
            for seed, folder in folders.items()
        }
        try:
            if engine == "ray":
                from .ray_seeds import run_on_ray  # imports Ray

                commands = [
                    _command(config.resolve(), folder, settings[seed], gpu_id, code)
                    for seed, folder in folders.items()
                ]
                run_on_ray(commands, use_gpu=gpu_id >= 0)
            else:
                for seed, folder in folders.items():
                    _train(config, folder, gpu_id, settings[seed])
        except Exception as error:  # spaCy's, torch's, and of the user's own functions
            raise ValueError(f"Training failed: {error}\n{output} is as it was before.") from error
        scores = {}
        for seed, folder in folders.items():
            meta = json.loads((folder / "model-best" / "meta.json").read_text(encoding="utf-8"))
            # A diverged training has no R².
            r2 = meta["performance"].get("reg_r2")
            scores[seed] = -float("inf") if r2 is None else r2
            for pipeline in ("model-best", "model-last"):
                _name_log(folder / pipeline / "config.cfg", output / folder.name / "log.jsonl")
        best = max(scores, key=lambda seed: scores[seed])
        shutil.copytree(folders[best] / "model-best", new / "model-best")
        files = [path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()]
        (new / LIST).write_text(json.dumps({"files": sorted(files)}, indent=1), encoding="utf-8")
        # Seeds of an earlier run would be compared with these.
        replace_files(new, place, ours)
    return scores


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise a ValueError if seeds are not different whole numbers, 0 or more."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds are {list(seeds)}. Expected different whole numbers, 0 or more.")


def train_in_process(
    config: Path,
    output: Path,
    *,
    seed: int,
    epochs: int | None,
    overrides: dict[str, Any],
    gpu_id: int,
) -> None:
    """Train as `train_seeds` does, with one seed, here and silently. The state of the global random
    number generators is as it was.

    config (Path), epochs (int | None), overrides (dict[str, Any]), gpu_id (int): See `train_seeds`.
    output (Path): Folder for model-best and model-last.
    seed (int): The seed.
    """
    resolved = _load_config(config, overrides)
    if epochs is not None:
        overrides = epoch_settings(resolved, epochs) | overrides
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        with redirect_stdout(io.StringIO()):
            _train(config, output, gpu_id, overrides | {"system.seed": seed})
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])


def _train(path: Path, output: Path, gpu_id: int, overrides: dict[str, Any]) -> None:
    """Train as `spacy train` does, but stop after the first evaluation where the initialization
    has solved all there is to learn."""
    try:
        setup_gpu(gpu_id)
        with show_validation_error(path):
            config = spacy.util.load_config(path, overrides=overrides, interpolate=False)
        msg.divider("Initializing pipeline")
        with show_validation_error(path, hint_fill=False):
            nlp = init_nlp(config, use_gpu=gpu_id)
        msg.divider("Training pipeline")
        output.mkdir(parents=True, exist_ok=True)
        patience, is_done = nlp.config["training"]["patience"], is_solved(nlp)
        if is_done:
            # Unlike max_steps, no schedule depends on it.
            nlp.config["training"]["patience"] = 1
        train_nlp(nlp, output, use_gpu=gpu_id, stdout=sys.stdout, stderr=sys.stderr)
    except SystemExit as error:
        raise ValueError("spaCy has stopped; what it printed says why.") from error
    if is_done:
        for pipeline in ("model-best", "model-last"):
            saved = spacy.util.load_config(output / pipeline / "config.cfg")
            saved["training"]["patience"] = patience
            saved.to_disk(output / pipeline / "config.cfg")


def _load_config(path: Path, overrides: dict[str, Any]) -> Config:
    """Read a config. Raise an error if it is missing, or no config with these overrides."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a config of spaCy.")
    try:
        return spacy.util.load_config(path, overrides=overrides, interpolate=True)
    except Exception as error:  # confection's and configparser's own
        shown = " ".join(f"--{name} {value}" for name, value in overrides.items())
        raise ValueError(f"Can't read {path} with {shown}: {error}") from error


def _read_list(folder: Path) -> list[str]:
    """Read which files in a folder an earlier run wrote.

    RAISES (ValueError): It holds something, and no list of such files, or is a file.
    """
    check_folder(folder)
    path = folder / LIST
    if not path.is_file():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(
                f"{folder} holds other files: it has no {LIST}, as an earlier run leaves. Expected "
                "a new or empty folder, or one of such a run."
            )
        return []
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("it names files that are not in this folder")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not what an earlier run writes: {error!r}.") from error
    return [*names, LIST]


def _command(
    config: Path, folder: Path, settings: dict[str, Any], gpu_id: int, code: Path | None
) -> list[str]:
    words = [sys.executable, "-m", "spacy", "train", str(config), "--output", str(folder)]
    words += ["--gpu-id", str(gpu_id)]
    words += [] if code is None else ["--code", str(code.resolve())]
    for name, value in settings.items():
        words += [f"--{name}", value if isinstance(value, str) else srsly.json_dumps(value)]
    return words


def _name_log(path: Path, log: Path) -> None:
    """Write into a trained pipeline's config where its log will be."""
    config = spacy.util.load_config(path)
    config["training"]["logger"]["output_file"] = str(log)
    config.to_disk(path)
