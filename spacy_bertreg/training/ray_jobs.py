"""Trainings side by side on Ray."""

import os
import subprocess
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

try:
    import ray
except ImportError as error:
    raise ImportError("engine = 'ray' needs Ray: pip install 'spacy-bertreg[ray]'") from error

Key = TypeVar("Key", bound=Hashable)
# Number of characters shown of what a failed training printed.
SHOWN = 2000


def run_on_ray(
    commands: Iterable[tuple[Key, list[str]] | None], *, use_gpu: bool, silent: bool = False
) -> Iterator[Key]:
    """Run commands as tasks of Ray, each with one GPU, or as many cores as torch uses here.

    commands (Iterable[tuple[Key, list[str]] | None]): Key and command of each training. The next is
        taken when there is room for it; None if it has to wait until another is done.
    use_gpu (bool): Whether each training takes a GPU.
    silent (bool): Whether to hide what trainings print, unless one fails.
    YIELDS (Key): The key of each command, as soon as it is done.
    RAISES (ValueError): A training failed. The others are stopped.
    """
    import torch  # takes seconds; Ray's workers, which only start trainings, do without

    n_threads = torch.get_num_threads()
    needs: dict[str, float] = {"num_gpus": 1} if use_gpu else {"num_cpus": n_threads}
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=not silent, include_dashboard=False)
    resource, amount = ("GPU", 1) if use_gpu else ("CPU", n_threads)
    # A cluster that grows by demand must see more tasks than it can run.
    most = 2 * max(1, int(ray.cluster_resources().get(resource, 0) // amount))
    remote = ray.remote(_run).options(**needs, max_retries=0)
    remaining = iter(commands)
    tasks: dict[ray.ObjectRef, Key] = {}
    try:
        while True:
            # None is also the end; either way, wait for one that runs.
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
    # By default Ray gives a worker as many threads as the task has cores. Results are the same only
    # with the same number of threads.
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
