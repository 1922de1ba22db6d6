"""Times alternatives in turns, and says on what machine."""

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    *("spacy-bertreg", "spacy", "spacy-transformers", "thinc", "transformers", "torch"),
    *("openvino", "onnxruntime"),
)


def alternate(sides: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """sides (Mapping[str, Callable]): What to time, by name. rounds (int): How often each.
    RETURNS (dict[str, list[float]]): The seconds of each round; the sides take turns, so that what
        else the machine does falls on all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            start = time.perf_counter()
            side()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def rates(seconds: Mapping[str, list[float]], n: int) -> dict[str, float]:
    """seconds (Mapping[str, list[float]]): Of each side's rounds. n (int): Documents in a round.
    RETURNS (dict[str, float]): Documents per second, by the median."""
    return {name: n / statistics.median(own) for name, own in seconds.items()}


def print_rates(title: str, found: Mapping[str, float], ours: str) -> None:
    """title (str): Of the table. found (Mapping[str, float]): Documents per second of each side.
    ours (str): The side that the others are compared with."""
    print(f"\n{title:44} {'docs/s':>9} {ours + ' : this':>24}")
    for name, rate in found.items():
        print(f"{name:44} {rate:>9,.1f} {found[ours] / rate:>24.2f}")


def environment() -> dict[str, Any]:
    """RETURNS (dict[str, Any]): Processor or GPU, threads, and versions."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def cpu_name() -> str:
    """RETURNS (str): The processor, and its widest vector instructions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(path: Path | None, result: Mapping[str, Any]) -> None:
    """path (Path | None): JSON file to write, if any. result (Mapping): What was found."""
    if path is not None:
        whole = {**result, "environment": environment()}
        path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
