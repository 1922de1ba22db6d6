"""Documents per second of `bertreg score` against `nlp.pipe`, and of two processes against one.

    python benchmarks/scale.py training/full/model-best corpus/tweets

Each side is a whole process that scores a few and then many documents, the corpus's texts over and
over; the difference of the times is free of what starting takes. Sides alternate; medians.
"one thread" has OMP_NUM_THREADS=1, as each of two processes on two cores has.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import spacy
from rounds import print_rates, write
from spacy.tokens import DocBin

PIPE = """
import sys
import pandas as pd
import spacy
nlp = spacy.load(sys.argv[1])
if sys.argv[3]:
    nlp.get_pipe("transformer").model.layers[0].shims[0].precision = sys.argv[3]
for doc in nlp.pipe(pd.read_csv(sys.argv[2])["text"].tolist()):
    doc._.score
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("corpus", type=Path, help="folder of .spacy files")
    parser.add_argument("--few", type=int, default=2048)
    parser.add_argument("--many", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="", help="float32, bfloat16 or auto")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    bins = [DocBin().from_disk(path) for path in sorted(args.corpus.glob("*.spacy"))]
    texts = [doc.text for own in bins for doc in own.get_docs(spacy.blank("en").vocab)]
    order = random.Random(0)  # noqa: S311
    precision = ["--precision", args.precision] if args.precision else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in (args.few, args.many):
            table = pd.DataFrame({"text": [order.choice(texts) for _ in range(n)]})
            table.to_csv(folder / f"{n}.csv", index=False)

        def pipe(n: int) -> list[str]:
            return ["-c", PIPE, args.pipeline, str(folder / f"{n}.csv"), args.precision]

        def score(n: int, n_process: int = 1) -> list[str]:
            command = ["-m", "spacy", "bertreg", "score", args.pipeline, str(folder / f"{n}.csv")]
            options = ["--overwrite", "--n-process", str(n_process), *precision]
            return [*command, str(folder / "out.csv"), *options]

        sides = {
            "nlp.pipe": (pipe, {}),
            "bertreg score": (score, {}),
            "bertreg score, one thread": (score, {"OMP_NUM_THREADS": "1"}),
            "bertreg score, two processes": (lambda n: score(n, 2), {}),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(args.rounds):
            for side, (command, environment) in sides.items():
                few, many = (
                    timed(command(n), {**os.environ, **environment}) for n in (args.few, args.many)
                )
                seconds[side].append(many - few)
    n = args.many - args.few
    found = {side: n / statistics.median(own) for side, own in seconds.items()}
    title = f"{args.corpus}, {n:,} documents"
    for ours in ("bertreg score", "bertreg score, two processes"):
        print_rates(title, found, ours)
    write(args.output, {"documents": n, "documents_per_second": found, "seconds": seconds})


def timed(command: list[str], environment: dict[str, str]) -> float:
    """RETURNS (float): Seconds that a Python process took."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
