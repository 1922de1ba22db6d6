"""Run Python commands in forks of a process that has imported the libraries: seconds less each."""

import importlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import torch
import weasel.cli.run

# After which a command is killed: it hangs.
LIMIT_IN_SECONDS = 600
# What takes most of the time that `python -m spacy` takes to start.
LIBRARIES = ("pandas", "sklearn.metrics", "spacy", "transformers.models.auto.auto_factory")
NO_NETWORK = """
import socket

def refuse(*args, **kwargs):
    raise OSError("no network in this test")

socket.socket.connect = refuse
socket.getaddrinfo = refuse
"""


def run_in_fork(
    command: list[str], cwd: Path | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENTS` or `python SCRIPT ARGUMENTS`, and return what it printed.

    command (list[str]): The command. Its first word, Python, is the one that runs already.
    cwd (Path | None): Folder to run it in; by default, the current one.
    before (str): Code to run before, such as `NO_NETWORK`.
    RETURNS (subprocess.CompletedProcess[str]): As of `subprocess.run`.
    """
    for name in LIBRARIES:
        importlib.import_module(name)
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if not pid:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            _run_and_exit(command[1:], cwd, before)
        _, status = os.waitpid(pid, 0)
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode("utf-8", errors="replace"))
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), *printed)


def run_project(folder: Path, workflow: str, before: str = "", *, alone: bool = False) -> None:
    """Run a workflow of a spaCy project, each command in a fork. Raise an error if one fails.

    folder (Path): The project's folder.
    workflow (str): Name of the workflow.
    before (str): Code to run before each command.
    alone (bool): Whether each command must import this package by itself.
    """

    def run_command(command: list[str], **kwargs: object) -> None:
        assert not alone or "spacy_bertreg" not in sys.modules
        result = run_in_fork(command, before=before)
        if result.returncode:
            failed = f"{command} failed with {result.returncode}."
            raise RuntimeError(f"{failed}\n{result.stdout}{result.stderr}")

    run = weasel.cli.run.run_command
    weasel.cli.run.run_command = run_command
    try:
        weasel.cli.run.project_run(folder, workflow)
    finally:
        weasel.cli.run.run_command = run


def _run_and_exit(words: list[str], cwd: Path | None, before: str) -> None:
    code: object = 1
    signal.alarm(LIMIT_IN_SECONDS)
    try:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        warnings.resetwarnings()
        # Threads of torch's that have computed before the fork are not there.
        torch.set_num_threads(1)
        if cwd is not None:
            os.chdir(cwd)
        exec(before, {})  # noqa: S102 - it is ours
        code = _run_main(words)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


def _run_main(words: list[str]) -> int:
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__")
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    run_project(Path(sys.argv[1]), sys.argv[2], alone=True)
