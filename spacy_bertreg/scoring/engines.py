"""Predicting for chunks, in this process or in several."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait

from .chunks import Chunk
from .fold_predictor import AnyPredictor, load_predictor
from .predictor import PredictedRows, PredictorSettings

PredictedChunk = tuple[Chunk, PredictedRows]

_predictor: AnyPredictor | None = None


def predict_serially(predictor: AnyPredictor, chunks: Iterable[Chunk]) -> Iterator[PredictedChunk]:
    """Predict for one chunk after the other, in this process."""
    for chunk in chunks:
        yield chunk, predictor(chunk.texts, chunk.covariates)


def predict_in_processes(
    settings: PredictorSettings, chunks: Iterable[Chunk], n_process: int
) -> Iterator[PredictedChunk]:
    """Predict in several processes, which share the cores.

    settings (PredictorSettings): What each process loads.
    chunks (Iterable[Chunk]): For what to predict.
    n_process (int): Number of processes.
    YIELDS (tuple[Chunk, PredictedRows]): Each chunk with its predictions, in order.
    RAISES (OSError): A process was killed.
    """
    threads = max((os.cpu_count() or 1) // n_process, 1)
    # Not forked: torch's threads would not survive it.
    context = multiprocessing.get_context("spawn")
    pending: deque[tuple[Chunk, Future[PredictedRows]]] = deque()
    with ProcessPoolExecutor(
        n_process, context, _load_predictor, (replace(settings, threads=threads),)
    ) as pool:
        try:
            for chunk in chunks:
                pending.append((chunk, pool.submit(_predict, chunk.texts, chunk.covariates)))
                # One more for each process, so that none waits for this one to read or write.
                if len(pending) >= 2 * n_process:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        except BrokenProcessPool as error:
            raise OSError(
                f"One of {n_process} processes was killed, perhaps for lack of memory. What has "
                "been scored is kept; give the same command again."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _load_predictor(settings: PredictorSettings) -> None:
    global _predictor
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _predictor = load_predictor(settings)


def _predict(
    texts: Sequence[str], covariates: Sequence[Mapping[str, float | None]]
) -> PredictedRows:
    if _predictor is None:
        raise RuntimeError("The process has no pipeline.")
    return _predictor(texts, covariates)


def _exit_with_parent() -> None:
    # A parent that was killed can't shut the pool down, and this process would wait for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
