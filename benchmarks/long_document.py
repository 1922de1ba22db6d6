"""Peak memory of a process that loads a pipeline and scores one document, by the document's length.

    python benchmarks/long_document.py training/full/model-best --words 100,100000

On Linux and macOS. Each length has a process of its own; "loaded" is its peak before it scores.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

WORDS = ["the", "market", "was", "quiet", "when", "three", "people", "were", "killed", "near"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline")
    parser.add_argument("--words", default="100,100000", help="numbers of words, between commas")
    parser.add_argument("--once", type=int, help="score a document of this length in this process")
    args = parser.parse_args()
    if args.once is not None:
        print(json.dumps(measure(args.pipeline, args.once)))
        return
    print(f"{'words':>10} {'loaded, MB':>11} {'scored, MB':>11} {'seconds':>8}")
    for n_words in map(int, args.words.split(",")):
        found = measure_apart(args.pipeline, n_words)
        print(
            f"{n_words:>10,} {found['loaded_mb']:>11.0f} {found['scored_mb']:>11.0f} "
            f"{found['seconds']:>8.1f}"
        )


def measure_apart(pipeline: str, n_words: int) -> dict[str, float]:
    """RETURNS (dict[str, float]): What `measure` gives in a process of its own."""
    command = [sys.executable, __file__, pipeline, "--once", str(n_words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(pipeline: str, n_words: int) -> dict[str, float]:
    """pipeline (str): Folder of the pipeline. n_words (int): Length of the document.
    RETURNS (dict[str, float]): Peak memory in MB once the pipeline is loaded and once the document
        is scored, and the seconds that scoring took."""
    import spacy

    nlp = spacy.load(pipeline)
    text = " ".join(np.random.default_rng(0).choice(WORDS, size=n_words))
    loaded, start = peak_mb(), time.perf_counter()
    doc = nlp(text)
    seconds = time.perf_counter() - start
    if not np.isfinite(doc._.score):
        raise ValueError(f"The prediction for {n_words} words is {doc._.score}.")
    return {"loaded_mb": loaded, "scored_mb": peak_mb(), "seconds": seconds}


def peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
