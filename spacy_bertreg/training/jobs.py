"""Train many models as `spacy train` does: one after the other, or side by side on Ray."""

import io
import json
import random
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import srsly
import torch
from spacy.cli._util import setup_gpu, show_validation_error
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_nlp
from thinc.api import Config
from wasabi import msg

from .epochs import epoch_settings, is_solved

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Job:
    """One training.

    name (str): Name of its folder.
    config (Path): A config of spaCy.
    seed (int): For `system.seed`.
    overrides (dict[str, Any]): Settings of the config by dotted name, as `training.dropout`.
    epochs (int | None): How often to go over the training documents, see `epoch_settings`; None for
        the steps that the config has.
    docs (dict[str, Sequence[Doc]]): Documents for `paths.train` and `paths.dev`, under "train" and
        "dev"; empty for those that the config names.
    title (str): Its title in messages; by default its name.
    needs (tuple[str, ...]): Names of trainings whose pipelines it reads, see `train_resumably`.
    """

    name: str
    config: Path
    seed: int
    overrides: dict[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    docs: dict[str, Sequence[Doc]] = field(default_factory=dict)
    title: str = ""
    needs: tuple[str, ...] = ()


def train_all(
    jobs: Iterable[Job | None],
    root: Path,
    *,
    gpu_id: int = -1,
    code: Path | None = None,
    engine: str = "local",
    silent: bool = False,
) -> Iterator[tuple[Job, Path]]:
    """Train models, each in a folder of its own.

    jobs (Iterable[Job | None]): The trainings. The next is taken when there is room for it; None
        if it has to wait until another is done.
    root (Path): Where their folders are made. Files that are already in these are deleted.
    gpu_id (int): GPU, or -1 for the CPU.
    code (Path | None): Python file that Ray's workers import first; here it has been imported.
    engine (str): "local" to train one after the other, or "ray" to train side by side, each on a
        GPU or on as many cores as this process uses. Then configs, data and `root` must be on
        storage that all machines see. Results are the same.
    silent (bool): Whether to print nothing, and to leave the state of the global random number
        generators as it was.
    YIELDS (tuple[Job, Path]): Each training as soon as it is done, and its folder, with model-best
        and model-last.
    RAISES (ValueError): Wrong input, or a training failed.
    """
    check_engine(engine)
    if engine == "ray":
        from .ray_jobs import run_on_ray  # imports Ray

        done = {}

        def commands() -> Iterator[tuple[str, list[str]] | None]:
            for job in jobs:
                if job is None:
                    yield None
                    continue
                folder, settings = _prepare(job, root)
                done[job.name] = job, folder
                yield job.name, _command(job.config.resolve(), folder, settings, gpu_id, code)

        for name in run_on_ray(commands(), use_gpu=gpu_id >= 0, silent=silent):
            yield done.pop(name)
        return
    for job in jobs:
        if job is None:
            # There is no other that it could wait for.
            return
        with _silence() if silent else nullcontext():
            folder, settings = _prepare(job, root)
            train_config(job.config, folder, gpu_id, settings)
        yield job, folder


def train_in_process(
    config: Path,
    output: Path,
    *,
    seed: int,
    epochs: int | None,
    overrides: dict[str, Any],
    gpu_id: int,
) -> None:
    """Train one model in this process, silently.

    config (Path), seed (int), epochs (int | None), overrides (dict[str, Any]): See `Job`.
    output (Path): Folder for model-best and model-last.
    gpu_id (int): See `train_all`.
    """
    job = Job(output.name, config, seed, overrides, epochs)
    for _ in train_all([job], output.parent, gpu_id=gpu_id, silent=True):
        pass


def train_config(path: Path, output: Path, gpu_id: int, overrides: dict[str, Any]) -> None:
    """Train as `spacy train` does, but stop after the first evaluation if initialization has solved
    all there is to learn. Raise a ValueError where `spacy train` would end the program.
    """
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
            # No schedule depends on patience, as one may on max_steps.
            nlp.config["training"]["patience"] = 1
        train_nlp(nlp, output, use_gpu=gpu_id, stdout=sys.stdout, stderr=sys.stderr)
    except SystemExit as error:
        raise ValueError("spaCy has stopped; what it printed says why.") from error
    if is_done:
        for pipeline in ("model-best", "model-last"):
            saved = spacy.util.load_config(output / pipeline / "config.cfg")
            saved["training"]["patience"] = patience
            saved.to_disk(output / pipeline / "config.cfg")


def load_config(path: Path, overrides: dict[str, Any]) -> Config:
    """Read a config with overrides, interpolated. Raise an error if it is missing, or wrong with
    these overrides."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a config of spaCy.")
    try:
        return spacy.util.load_config(path, overrides=overrides, interpolate=True)
    except Exception as error:  # confection's and configparser's own
        shown = " ".join(f"--{name} {value}" for name, value in overrides.items())
        raise ValueError(f"Can't read {path} with {shown}: {error}") from error


def read_dev_score(pipeline: Path) -> float:
    """Read R² on the dev set from a trained pipeline; -inf where none is defined, as after a
    training that diverged."""
    meta = json.loads((pipeline / "meta.json").read_text(encoding="utf-8"))
    r2 = meta["performance"].get("reg_r2")
    return -float("inf") if r2 is None else r2


def check_engine(engine: str) -> None:
    """Raise a ValueError if there is no such engine."""
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}. Expected local or ray.")


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise a ValueError if seeds are not different whole numbers, 0 or more."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds are {list(seeds)}. Expected different whole numbers, 0 or more.")


def _prepare(job: Job, root: Path) -> tuple[Path, dict[str, Any]]:
    """Make a training's folder, with its documents, and its settings."""
    folder, overrides = root / job.name, dict(job.overrides)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, docs in job.docs.items():
        path = folder / f"{name}.spacy"
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        overrides[f"paths.{name}"] = str(path)
    if job.epochs is not None:
        overrides = epoch_settings(load_config(job.config, overrides), job.epochs) | overrides
    return folder, overrides | {"system.seed": job.seed}


def _command(
    config: Path, folder: Path, settings: dict[str, Any], gpu_id: int, code: Path | None
) -> list[str]:
    words = [sys.executable, "-m", "spacy", "train", str(config), "--output", str(folder)]
    words += ["--gpu-id", str(gpu_id)]
    words += [] if code is None else ["--code", str(code.resolve())]
    for name, value in settings.items():
        words += [f"--{name}", value if isinstance(value, str) else srsly.json_dumps(value)]
    return words


@contextmanager
def _silence() -> Iterator[None]:
    """Print nothing, and restore the global random number generators at the end."""
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])
