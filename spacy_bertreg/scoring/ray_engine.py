"""Predicting on Ray Data, for tables that take more than one machine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from .engines import PredictedChunk
from .fold_predictor import load_predictor
from .predictor import PredictedRows, PredictorSettings
from .source import Source, SourceSettings

try:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask
except ImportError as error:
    raise ImportError("engine = 'ray' takes Ray: pip install 'spacy-bertreg[ray]'") from error

# What Ray hands from the reader to the workers: a chunk a row.
INPUT = pa.schema(
    [
        ("number", pa.int64()),
        ("texts", pa.large_list(pa.large_string())),
        ("covariates", pa.large_list(pa.list_(pa.float64()))),
    ]
)
# What it hands from the workers to this process.
OUTPUT = pa.schema(
    [
        ("number", pa.int64()),
        ("rows", pa.large_list(pa.list_(pa.float64()))),
        ("failed", pa.list_(pa.int64())),
        ("reasons", pa.list_(pa.string())),
    ]
)


def predict_on_ray(
    settings: PredictorSettings, source: Source, start: int, n_workers: int
) -> Iterator[PredictedChunk]:
    """Predict on a cluster.

    settings (PredictorSettings): What each worker loads, once; with a GPU, each takes one.
    source (Source): The table. Its file, the pipeline's and the code's must be there on all
        machines.
    start (int): Number of the first chunk.
    n_workers (int): Number of workers.
    YIELDS (tuple[Chunk, PredictedRows]): Each chunk with its predictions, in order.
    """
    # Workers may run in another folder than this process.
    source_settings = replace(source.settings, path=str(source.path.absolute()))
    if Path(settings.pipeline).is_dir():
        settings = replace(settings, pipeline=str(Path(settings.pipeline).absolute()))
    if settings.code is not None:
        settings = replace(settings, code=str(Path(settings.code).absolute()))
    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    # Each chunk is a block of its own, and a worker's task.
    context.target_max_block_size = 1
    context.enable_progress_bars = False
    needs: dict[str, float] = {"num_gpus": 1} if settings.gpu_id >= 0 else {"num_cpus": 1}
    # The reader asks for no core: with one for each worker, none may be left.
    chunks = ray.data.read_datasource(
        ChunkReader(source_settings, start), override_num_blocks=1, num_cpus=0
    )
    predicted = chunks.map_batches(
        Worker,
        fn_constructor_args=(settings, source.settings.covariates),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=n_workers),
        **needs,
    )
    results = predicted.iter_batches(batch_size=None, batch_format="pyarrow")
    rows = (row for table in results for row in table.to_pylist())
    # Ray hands on texts and numbers alone. The other columns are read here.
    for chunk, row in zip(source.chunks(start), rows, strict=True):
        if row["number"] != chunk.number:
            raise RuntimeError(f"Ray gave chunk {row['number']} in place of {chunk.number}.")
        failed = dict(zip(row["failed"], row["reasons"], strict=True))
        yield chunk, PredictedRows(row["rows"], failed)


class ChunkReader(Datasource):
    """Reads a table in chunks, on one of the machines.

    settings (SourceSettings): What to read.
    start (int): Number of the first chunk.
    """

    def __init__(self, settings: SourceSettings, start: int) -> None:
        super().__init__()
        self._settings = settings
        self._start = start

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: the size is not known."""
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[ReadTask]:
        """Return one task: a table is read from its beginning to its end."""
        metadata = BlockMetadata(None, None, None, None)
        return [ReadTask(partial(_read_chunks, self._settings, self._start), metadata)]


def _read_chunks(settings: SourceSettings, start: int) -> Iterable[pa.Table]:
    for chunk in Source(settings).chunks(start):
        covariates = [[row[name] for name in settings.covariates] for row in chunk.covariates]
        row = {"number": chunk.number, "texts": chunk.texts, "covariates": covariates}
        yield pa.Table.from_pylist([row], INPUT)


class Worker:
    """Loads a pipeline once, and predicts for chunks with it.

    settings (PredictorSettings): What to load.
    covariates (tuple[str, ...]): Names of the covariates.
    """

    def __init__(self, settings: PredictorSettings, covariates: tuple[str, ...]) -> None:
        if settings.gpu_id >= 0:
            # The one that Ray has given this worker.
            settings = replace(settings, gpu_id=0)
        self._predict: Callable = load_predictor(settings)
        self._covariates = covariates

    def __call__(self, table: pa.Table) -> pa.Table:
        """Turn chunks, as `INPUT` has them, into their predictions, as `OUTPUT` has them."""
        found = []
        for row in table.to_pylist():
            covariates = [dict(zip(self._covariates, c, strict=True)) for c in row["covariates"]]
            predicted: PredictedRows = self._predict(row["texts"], covariates)
            failed, reasons = list(predicted.failed), list(predicted.failed.values())
            rows = predicted.rows
            found.append(
                {"number": row["number"], "rows": rows, "failed": failed, "reasons": reasons}
            )
        return pa.Table.from_pylist(found, OUTPUT)
