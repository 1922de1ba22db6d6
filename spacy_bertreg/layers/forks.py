"""torch's threads in processes that are forks of this one."""

import os

import torch

# Forks inherit it.
_set_up_in = {os.getpid()}


def use_one_thread_in_fork() -> None:
    """Set torch to one thread if this process was forked after the package was imported. torch's
    threads do not survive a fork, and their first use in the child would hang
    (explosion/spaCy#6662): with n_process > 1, each process computes on one thread. To be called
    before anything is computed; forks that do not use a transformer of ours keep their threads.
    """
    if os.getpid() not in _set_up_in:
        torch.set_num_threads(1)
        _set_up_in.add(os.getpid())
