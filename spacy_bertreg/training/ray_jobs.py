"""Trainings side by side on Ray."""

import os
import subprocess
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

import torch

try:
    import ray
except ImportError as error:
    raise ImportError("engine = 'ray' takes Ray: pip install 'spacy-bertreg[ray]'") from error

Key = TypeVar("Key", bound=Hashable)
# So much of what a training printed is shown if it fails.
SHOWN = 2000


def run_on_ray(
    commands: Iterable[tuple[Key, list[str]]], *, use_gpu: bool, silent: bool = False
) -> Iterator[Key]:
    """Run commands as tasks of Ray, each with one GPU, or as many cores as torch uses here.

    commands (Iterable[tuple[Key, list[str]]]): What to run, one training each, taken as there is
        room for it.
    use_gpu (bool): Whether each takes a GPU.
    silent (bool): Whether to keep what they print, to show it if one fails.
    YIELDS (Key): That of each command, as soon as it is done.
    RAISES (ValueError): One failed. The others are stopped.
    """
    n_threads = torch.get_num_threads()
    needs: dict[str, float] = {"num_gpus": 1} if use_gpu else {"num_cpus": n_threads}
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=not silent, include_dashboard=False)
    resource, amount = ("GPU", 1) if use_gpu else ("CPU", n_threads)
    # A cluster that grows by demand must see that there is more than it can run.
    most = 2 * max(1, int(ray.cluster_resources().get(resource, 0) // amount))
    remote = ray.remote(_run).options(**needs, max_retries=0)
    remaining = iter(commands)
    tasks: dict[ray.ObjectRef, Key] = {}
    try:
        while True:
            while len(tasks) < most and (command := next(remaining, None)) is not None:
                task = remote.remote(command[1], os.getcwd(), n_threads, silent)
                tasks[task] = command[0]
            if not tasks:
                return
            (done,), _ = ray.wait(list(tasks), num_returns=1)
            key = tasks.pop(done)
            code, printed = ray.get(done)
            if code:
                raise ValueError(f"the training {key} exited with {code}. {printed}".strip())
            yield key
    finally:
        for task in tasks:
            ray.cancel(task)
        if started:
            ray.shutdown()


def _run(command: list[str], folder: str, n_threads: int, silent: bool) -> tuple[int, str]:
    # Ray gives a worker as many threads as the task has cores, where none are said; numbers are the
    # same only with the same number of them.
    environment = {**os.environ, "OMP_NUM_THREADS": str(n_threads)}
    done = subprocess.run(  # noqa: S603 - our own
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE if silent else None,
        stderr=subprocess.STDOUT if silent else None,
        encoding="utf-8",
        errors="replace",
    )
    return done.returncode, (done.stdout or "")[-SHOWN:]
