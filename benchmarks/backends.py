"""What each way to run the transformer costs and gains: torch, OpenVINO, ONNX Runtime and
torch.compile, below the same pipeline.

    pip install 'spacy-bertreg[openvino]' onnx onnxruntime
    python benchmarks/backends.py training/full/model-best corpus/tweets/test.spacy

Each side is a process of its own, that loads the pipeline, reads its first text and then all texts:
seconds to the first text count from the start of Python, and memory is what the process holds after
the last text, and its peak. Sides take turns, and figures are medians. The other runtimes are put
where OpenVINO is, so that tokenizing, parts sorted by length and pooling are the same for all. A
side whose packages are missing is left out, and so is int8 without --int8. "Installed" is what the
packages take on the disk that a side needs beside the package's own.

"torch sorted by length, float32" and "transformers.pipeline, float32" are those of inference.py.
"""

import argparse
import json
import logging as python_logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from long_document import peak_mb
from rounds import cpu_name, write
from spacy.language import Language

# The packages that each runtime takes beside ours, and the precisions to measure.
PACKAGES = {
    "torch": (),
    "openvino": ("openvino", "openvino-telemetry"),
    "onnxruntime": ("onnxruntime", "onnx", "flatbuffers"),
    "torch.compile": (),
}
INT8 = "openvino, int8"
SIDES = [
    "torch, float32",
    "torch, bfloat16",
    "openvino, float32",
    "openvino, bfloat16",
    INT8,
    "onnxruntime, float32",
    "onnxruntime, int8 without calibration",
    "torch.compile, float32",
    "torch.compile, bfloat16",
    "torch sorted by length, float32",
    "transformers.pipeline, float32",
]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
EXPECTED, SORTED, HUGGING_FACE = SIDES[0], *SIDES[-2:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline with a text_regressor of one target")
    parser.add_argument("data", type=Path, help="a .spacy file of texts")
    parser.add_argument("--max-docs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each side")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--int8", help="what `bertreg quantize` has made of the pipeline")
    parser.add_argument("--sides", help="some sides, between semicolons")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.side is not None:
        path = args.int8 if args.side == INT8 else args.pipeline
        print(json.dumps(measure(args.side, path, args.data, args.max_docs, args.threads)))
        return
    sides = [
        side
        for side in (args.sides.split(";") if args.sides else SIDES)
        if all(size_mb(name) is not None for name in packages_of(side))
        and (side != INT8 or args.int8 is not None)
    ]
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for _ in range(args.rounds):
        for side, own in runs.items():
            command = [sys.executable, *sys.argv, "--side", side]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            own.append(json.loads(done.stdout.splitlines()[-1]))
    found = {side: summarize(side, own) for side, own in runs.items()}
    print_table(found)
    differences = compare(runs)
    for side, difference in differences.items():
        print(f"{side:40} differs by {difference:.2g} standard deviations of the predictions")
    result = {"documents": args.max_docs, "threads": args.threads, "sides": found}
    write(args.output, {**result, "differences": differences})


def packages_of(side: str) -> tuple[str, ...]:
    """RETURNS (tuple[str, ...]): The packages that a side takes beside ours."""
    return PACKAGES.get(side.partition(",")[0], ())


def size_mb(name: str) -> float | None:
    """RETURNS (float | None): What a package takes on the disk; None if it is not installed."""
    try:
        files = distribution(name).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 2**20


def summarize(side: str, runs: list[dict[str, Any]]) -> dict[str, float]:
    """RETURNS (dict[str, float]): Medians of a side's processes, and the size of its packages."""
    names = ("first_text_s", "cpu_to_first_text_s", "documents_per_second", "held_mb", "peak_mb")
    names = (*names, "documents_per_cpu_second")
    medians = {name: statistics.median(run[name] for run in runs) for name in names}
    return {"installed_mb": sum(size_mb(name) or 0 for name in packages_of(side)), **medians}


def print_table(found: dict[str, dict[str, float]]) -> None:
    """Print a row for each side, with how many times faster it is than the baselines."""
    print(cpu_name())
    print(
        f"{'':40} {'installed':>9} {'1st text':>8} {'held':>6} {'peak':>6} {'docs/s':>8} "
        f"{'a CPU s':>8} {'to torch':>8} {'to HF':>6}"
    )
    for side, row in found.items():
        ratios = [
            row["documents_per_second"] / found[base]["documents_per_second"]
            if base in found
            else np.nan
            for base in (SORTED, HUGGING_FACE)
        ]
        print(
            f"{side:40} {row['installed_mb']:>6.0f} MB {row['first_text_s']:>6.1f} s "
            f"{row['held_mb']:>6.0f} {row['peak_mb']:>6.0f} {row['documents_per_second']:>8.1f} "
            f"{row['documents_per_cpu_second']:>8.1f} {ratios[0]:>8.2f} {ratios[1]:>6.2f}"
        )


def compare(runs: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """RETURNS (dict[str, float]): The largest difference of each side's predictions from those of
    our pipeline in torch and float32, in their standard deviations."""
    if EXPECTED not in runs:
        return {}
    expected = np.array(runs[EXPECTED][0]["predictions"])
    return {
        side: float(np.abs(np.array(own[0]["predictions"]) - expected).max() / expected.std())
        for side, own in runs.items()
    }


def measure(side: str, pipeline: str, data: Path, max_docs: int, threads: int) -> dict[str, Any]:
    """RETURNS (dict[str, Any]): Of this process: seconds to the first text, documents per second
    and per second of processor time, memory, and predictions."""
    from inference import SameModel, hugging_face, load, sorted_loop
    from spacy.tokens import DocBin
    from transformers.utils import logging

    # Hugging Face's pipeline says in an error that it does not know our class for the same weights,
    # and tracing warns of transformers' code.
    logging.set_verbosity(logging.CRITICAL)
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    runtime, _, how = side.partition(", ")
    nlp = load(pipeline, how if runtime in ("torch", "openvino") else "float32")
    docs = DocBin().from_disk(data).get_docs(nlp.vocab)
    texts = [doc.text for doc in docs][:max_docs]
    with tempfile.TemporaryDirectory() as folder:
        if side in (SORTED, HUGGING_FACE):
            model = SameModel(nlp)
            score: Callable[[list[str]], list[float]] = (
                (lambda some: sorted_loop(model, nlp, some))
                if side == SORTED
                else (lambda some: hugging_face(model, nlp, some)())
            )
        else:
            put_in_place(nlp, runtime, how, Path(folder))
            score = lambda some: [doc._.score for doc in nlp.pipe(some)]  # noqa: E731
        score(texts[:1])
    process = psutil.Process()
    first_text, cpu_first = time.time() - process.create_time(), time.process_time()
    # Once before it is timed: kernels are made for each shape when it first occurs.
    score(texts)
    start, cpu_start = time.perf_counter(), time.process_time()
    predictions = score(texts)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "first_text_s": first_text,
        "cpu_to_first_text_s": cpu_first,
        "documents_per_second": len(texts) / seconds,
        "documents_per_cpu_second": len(texts) / cpu,
        "held_mb": process.memory_info().rss / 2**20,
        "peak_mb": peak_mb(),
        "predictions": predictions,
    }


def put_in_place(nlp: Language, runtime: str, how: str, folder: Path) -> None:
    """Let the pipeline's transformer run in another runtime."""
    shim: Any = nlp.get_pipe("transformer").model.layers[0].shims[0]
    shim.backend = "torch" if runtime == "torch" else "openvino"
    if runtime in ("torch", "openvino"):
        return
    make = in_onnxruntime if runtime == "onnxruntime" else in_torch_compile
    encode = make(shim._model, how, folder)
    shim.openvino.prepare = lambda *args, **kwargs: partial(map, encode)


def in_torch_compile(transformer: Any, how: str, folder: Path) -> Callable:
    """RETURNS (Callable): Computes the last hidden state by torch.compile."""
    compiled = torch.compile(transformer.eval(), dynamic=True)

    def encode(arrays: dict[str, np.ndarray]) -> torch.Tensor:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=how == "bfloat16"):
            return compiled(**tensors).last_hidden_state.float()

    return encode


def in_onnxruntime(transformer: Any, how: str, folder: Path) -> Callable:
    """RETURNS (Callable): Computes the last hidden state by ONNX Runtime."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            named = dict(zip(INPUTS, inputs, strict=True))
            return self.transformer(**named).last_hidden_state

    # quantize_dynamic recommends other steps by a warning of Python's root logger.
    python_logging.disable(python_logging.WARNING)
    ones = torch.ones(2, 8, dtype=torch.long)
    path = folder / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(
            Positional().eval(),
            (ones, ones, 0 * ones),
            path,
            input_names=list(INPUTS),
            output_names=["hidden"],
            dynamic_axes={name: {0: "windows", 1: "pieces"} for name in (*INPUTS, "hidden")},
            dynamo=False,
        )
    if how.startswith("int8"):
        quantize_dynamic(path, folder / "int8.onnx", weight_type=QuantType.QInt8)
        path = folder / "int8.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda arrays: torch.from_numpy(session.run(None, dict(arrays))[0])


if __name__ == "__main__":
    main()
