"""Where texts are scored: in this process, or in several."""

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
from .predictor import Predictor, PredictorSettings, Scores

Scored = tuple[Chunk, Scores]

_predictor: Predictor | None = None


def score_here(predictor: Predictor, chunks: Iterable[Chunk]) -> Iterator[Scored]:
    """predictor (Predictor): The loaded pipeline. chunks (Iterable[Chunk]): What to score.
    YIELDS (tuple[Chunk, Scores]): Each chunk with its scores."""
    for chunk in chunks:
        yield chunk, predictor(chunk.texts, chunk.covariates)


def score_in_processes(
    settings: PredictorSettings, chunks: Iterable[Chunk], n_process: int
) -> Iterator[Scored]:
    """settings (PredictorSettings): What each process loads. n_process (int): How many; they share
        the cores.
    chunks (Iterable[Chunk]): What to score.
    YIELDS (tuple[Chunk, Scores]): Each chunk with its scores, in order."""
    threads = max((os.cpu_count() or 1) // n_process, 1)
    # Not forked: torch's threads would not survive it.
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Chunk, Future[Scores]]] = deque()
    with ProcessPoolExecutor(
        n_process, context, _start, (replace(settings, threads=threads),)
    ) as pool:
        try:
            for chunk in chunks:
                waiting.append((chunk, pool.submit(_score, chunk.texts, chunk.covariates)))
                # One more for each process, so that none waits for this one to read or write.
                if len(waiting) >= 2 * n_process:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BrokenProcessPool as error:
            raise OSError(
                f"One of {n_process} processes was killed, perhaps for want of memory. What has "
                "been scored is kept; give the same command again."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start(settings: PredictorSettings) -> None:
    global _predictor
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _predictor = Predictor.load(settings)


def _score(texts: Sequence[str], covariates: Sequence[Mapping[str, float | None]]) -> Scores:
    if _predictor is None:
        raise RuntimeError("The process has no pipeline.")
    return _predictor(texts, covariates)


def _end_with_parent() -> None:
    # A parent that was killed can't tell, and the pool would wait for it for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
