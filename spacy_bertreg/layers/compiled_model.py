"""A transformer that OpenVINO has compiled: it computes, and outlives forks of its process."""

import ctypes
import os
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[np.int64]]

# Held while a model is compiled, and while a process forks.
compiling = threading.RLock()


class CompiledModel:
    """A compiled transformer, and its requests. They are used again, since each takes memory of its
    own; threads may share a pipeline.

    model (CompiledModel): OpenVINO's.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.n_streams = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.requests: list[Any] = []
        self.idle: deque[Any] = deque()
        _all.add(self)

    def infer(self, inputs: Iterable[Inputs]) -> Iterator[torch.Tensor]:
        """Compute one output for each input, in order. Several are computed at the same time, since
        cores that work on one input wait for each other between its steps.

        inputs (Iterable[Inputs]): Inputs by name, each of shape (windows, word pieces).
        YIELDS (Tensor): Last hidden states, shape (windows, word pieces, width).
        """
        process = os.getpid()
        # With the inputs, whose memory is read while a request runs.
        running: deque[tuple[Any, Inputs]] = deque()
        try:
            for arrays in inputs:
                # One more than streams, which is ready when another ends.
                if len(running) > self.n_streams:
                    yield self._finish(running.popleft()[0])
                running.append((self._start(arrays), arrays))
            while running:
                yield self._finish(running.popleft()[0])
        finally:
            # In a fork, nothing runs that could end.
            if os.getpid() == process:
                for request, _ in running:
                    request.wait()

    def _start(self, arrays: Inputs) -> Any:
        try:
            request = self.idle.pop()
        except IndexError:
            request = self.model.create_infer_request()
            self.requests.append(request)
        request.start_async(list(arrays.values()), share_inputs=True)
        return request

    def _finish(self, request: Any) -> torch.Tensor:
        request.wait()
        # A copy: the request writes its next output to the same memory.
        output = torch.tensor(request.get_output_tensor(0).data)
        self.idle.append(request)
        return output


_all: weakref.WeakSet[CompiledModel] = weakref.WeakSet()
# For each fork that is about to happen, what must outlive it.
_forked: list[list[CompiledModel]] = []


def _before_fork() -> None:
    compiling.acquire()
    _forked.append(list(_all))


def _after_fork_in_parent() -> None:
    _forked.pop()
    compiling.release()


def _after_fork_in_child() -> None:
    """Never take apart what the parent has compiled, used or not: that would wait for threads that
    are not here. Nor when Python ends, so that a reference must remain that Python does not know.
    """
    for compiled in _forked.pop():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(compiled))
    compiling.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
