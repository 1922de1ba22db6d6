"""Trainings side by side on Ray."""

import os
import subprocess

import torch

try:
    import ray
except ImportError as error:
    raise ImportError("engine = 'ray' takes Ray: pip install 'spacy-bertreg[ray]'") from error


def run_on_ray(commands: list[list[str]], *, use_gpu: bool) -> None:
    """Run commands as tasks of Ray, each with one GPU, or as many cores as torch uses here.

    commands (list[list[str]]): What to run, one training each.
    use_gpu (bool): Whether each takes a GPU.
    RAISES (CalledProcessError): One failed. The others are stopped.
    """
    n_threads = torch.get_num_threads()
    needs: dict[str, float] = {"num_gpus": 1} if use_gpu else {"num_cpus": n_threads}
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=True, include_dashboard=False)
    tasks = [
        ray.remote(_run).options(**needs, max_retries=0).remote(command, os.getcwd(), n_threads)
        for command in commands
    ]
    try:
        for command, code in zip(commands, ray.get(tasks), strict=True):
            if code:
                raise subprocess.CalledProcessError(code, command)
    finally:
        for task in tasks:
            ray.cancel(task)
        if started:
            ray.shutdown()


def _run(command: list[str], folder: str, n_threads: int) -> int:
    # Ray gives a worker as many threads as the task has cores, where none are said; numbers are the
    # same only with the same number of them.
    environment = {**os.environ, "OMP_NUM_THREADS": str(n_threads)}
    return subprocess.run(command, cwd=folder, env=environment).returncode  # noqa: S603 - our own
