"""torch's threads in forked processes."""

import os

import torch

# Processes that need no change, or have had it. Forks inherit the set.
_set_up_in = {os.getpid()}


def use_one_thread_in_fork() -> None:
    """Set torch to one thread if this process was forked after the package was imported. torch's
    threads do not survive a fork, and their first use in the child would hang
    (explosion/spaCy#6662). Call it before anything is computed; forks that do not use our
    transformer keep their threads.
    """
    if os.getpid() not in _set_up_in:
        torch.set_num_threads(1)
        _set_up_in.add(os.getpid())
