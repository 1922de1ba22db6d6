"""Memory while many documents are scored, and what it takes to start.

    python benchmarks/memory.py training/full/model-best corpus/tweets

Peak memory of a process after 1,000, 10,000 and 100,000 documents through `nlp.pipe`, which are the
corpus's texts over and over, and what it holds at that moment, since the peak may be that of
loading. Then seconds of `import spacy_bertreg`, of `spacy.load`, and of `python -m spacy --help`
with and without what this package adds to it: whole processes in turns, medians. Not on
Windows.
"""

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from long_document import peak_mb
from rounds import write

# The command line, in a Python that does not see some packages.
HELP = """
import importlib.metadata as metadata, runpy, sys
every = metadata.distributions
def without():
    return [one for one in every() if one.metadata["Name"] not in {hidden!r}]
metadata.distributions = without
sys.argv = ["spacy", "--help"]
runpy.run_module("spacy", run_name="__main__")
"""
STARTS = {
    "import spacy": "import spacy",
    "import spacy_bertreg": "import spacy_bertreg",
    "spacy --help, with spacy-bertreg": HELP.format(hidden=()),
    "spacy --help, without": HELP.format(hidden=("spacy-bertreg",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("corpus", type=Path, help="folder of .spacy files")
    parser.add_argument("--documents", default="1000,10000,100000", help="between commas")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--once", action="store_true", help="measure memory in this process")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.once:
        numbers = [int(number) for number in args.documents.split(",")]
        settings = {"precision": args.precision, "backend": args.backend}
        print(json.dumps(measure(args.pipeline, args.corpus, numbers, settings)))
        return

    load = f"import spacy; spacy.load({args.pipeline!r})"
    found = start_seconds({**STARTS, "import spacy; spacy.load(...)": load}, args.rounds)
    print(f"{'':36} {'seconds':>8}")
    for name, seconds in found.items():
        print(f"{name:36} {seconds:>8.3f}")
    command = [sys.executable, *sys.argv, "--once"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    memory = json.loads(done.stdout.splitlines()[-1])
    print(
        f"\n{'documents':>10} {'peak, MB':>10} {'held, MB':>10} {'docs/s':>8}"
        f"   loaded: {memory['loaded_mb']:.0f} MB"
    )
    for row in memory["rows"]:
        print(
            f"{row['documents']:>10,} {row['peak_mb']:>10.1f} {row['held_mb']:>10.1f} "
            f"{row['rate']:>8.1f}"
        )
    write(args.output, {"pipeline": args.pipeline, "seconds": found, "memory": memory})


def start_seconds(commands: dict[str, str], rounds: int) -> dict[str, float]:
    """commands (dict[str, str]): Python code by name. rounds (int): How often to run each.
    RETURNS (dict[str, float]): Median seconds of a whole process."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, code in commands.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in seconds.items()}


def measure(
    pipeline: str, corpus: Path, numbers: list[int], settings: dict[str, str]
) -> dict[str, Any]:
    """settings (dict[str, str]): Of the transformer's model.
    RETURNS (dict[str, Any]): Peak memory in MB once the pipeline is loaded, and for each number
    of documents, counted from the start, beside what is held then."""
    import spacy
    from spacy.tokens import DocBin

    config = {f"components.transformer.model.{name}": value for name, value in settings.items()}
    nlp = spacy.load(pipeline, config=config)
    loaded = peak_mb()
    bins = [DocBin().from_disk(path) for path in sorted(corpus.glob("*.spacy"))]
    texts = [doc.text for bin_ in bins for doc in bin_.get_docs(spacy.blank("en").vocab)]
    order = random.Random(0)  # noqa: S311
    stream = (order.choice(texts) for _ in itertools.count())
    rows, so_far = [], 0
    start = time.perf_counter()
    for number in numbers:
        for _ in nlp.pipe(itertools.islice(stream, number - so_far)):
            pass
        so_far = number
        rate = number / (time.perf_counter() - start)
        held = psutil.Process().memory_info().rss / 2**20
        rows.append({"documents": number, "peak_mb": peak_mb(), "held_mb": held, "rate": rate})
    return {"loaded_mb": loaded, **settings, "rows": rows}


if __name__ == "__main__":
    main()
