"""Seconds and memory that learning a list takes, by the number of documents.

    python benchmarks/learning_lists.py

Texts are drawn from a vocabulary whose frequencies follow Zipf's law, as those of languages do, so
that the number of different words grows with the texts. A part of the words have weights, and the
target is their sum by the root of the text's length, and noise. Each size and method is a process
of its own, which learns a list from a .spacy file of documents by `nlp.initialize`, as training
does, with ridge as the readout. Seconds and memory, the process's peak, are those of
`nlp.initialize`, reading included. R² is that of 2,000 other documents; the noise leaves 0.5 to
explain.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from rounds import cpu_name, write
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

# Different words that there are; a text can hold any of them.
VOCABULARY = 200_000
# Zipf's law as Mandelbrot put it: frequencies go with 1 / (rank + this).
SHIFT = 2.7
SHARE_WITH_WEIGHT = 0.1
N_TEST = 2000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[25_000, 50_000, 100_000])
    parser.add_argument("--words", type=int, default=50, help="words in a document")
    parser.add_argument("--methods", nargs="+", default=["elastic_net", "sensitivity"])
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(learn(args.methods[0], args.documents[0], args.words)))
        return
    print(f"{cpu_name()}, {len(os.sched_getaffinity(0))} cores; {args.words} words a document")
    print(f"{'method':12} {'documents':>10} {'terms':>6} {'R²':>6}", end=" ")
    print(f"{'seconds':>8} {'of both cores':>14} {'peak GB':>8}")
    results = []
    for method in args.methods:
        for n in args.documents:
            command = [__file__, "--one", "--methods", method, "--documents", str(n)]
            found = subprocess.run(
                [sys.executable, *command, "--words", str(args.words)],
                check=True,
                stdout=subprocess.PIPE,
            )
            row = json.loads(found.stdout)
            results.append(row)
            print(f"{method:12} {n:>10,} {row['terms']:>6,} {row['r2']:>6.3f}", end=" ")
            print(f"{row['seconds']:>8.1f} {row['cpu_seconds']:>14.1f} {row['peak_gb']:>8.2f}")
    write(args.output, {"results": results})


def learn(method: str, n_documents: int, n_words: int) -> dict[str, Any]:
    """RETURNS (dict): What a list of the method from so many documents takes and explains."""
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    with tempfile.TemporaryDirectory() as name:
        train, test = Path(name, "train.spacy"), Path(name, "test.spacy")
        # In another process: what this one holds would count as its peak.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(draw, (train, test, n_documents, n_words))
        start, cpu = time.perf_counter(), time.process_time()
        nlp.config["initialize"]["components"]["dictionary_regressor"] = {"learn": method}
        nlp.initialize(lambda: Corpus(train)(nlp))
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        # On Linux, in kilobytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        r2 = nlp.evaluate(Corpus(test)(nlp))["reg_r2"]
    return {
        "method": method,
        "documents": n_documents,
        "terms": len(nlp.get_pipe("dictionary_regressor").lexicon),  # type: ignore[attr-defined]
        "r2": r2,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_gb": peak,
    }


def draw(train: Path, test: Path, n_documents: int, n_words: int) -> None:
    """train, test (Path): .spacy files to write."""
    rng = np.random.default_rng(0)
    words = make_words(rng)
    frequency = 1 / (np.arange(VOCABULARY) + SHIFT)
    weights = rng.normal(size=VOCABULARY) * (rng.random(VOCABULARY) < SHARE_WITH_WEIGHT)
    n = n_documents + N_TEST
    drawn = np.searchsorted(np.cumsum(frequency / frequency.sum()), rng.random((n, n_words)))
    signal = weights[drawn].sum(axis=1)
    target = signal / signal.std() + rng.normal(size=n)
    vocab, docs = spacy.blank("en").vocab, DocBin()
    for place, (row, value) in enumerate(zip(drawn, target.tolist(), strict=True)):
        if place == n_documents:
            docs.to_disk(train)
            docs = DocBin()
        doc = Doc(vocab, words=[words[word] for word in row.tolist()])
        doc.cats["y"] = value
        docs.add(doc)
    docs.to_disk(test)


def make_words(rng: np.random.Generator) -> list[str]:
    """RETURNS (list[str]): Different words of one to five syllables, which share their stems."""
    syllables = np.array([c + v for c in "bcdfghklmnprstvw" for v in "aeiou"])
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        drawn = syllables[rng.integers(len(syllables), size=(VOCABULARY, 5))].tolist()
        lengths = rng.integers(1, 6, size=VOCABULARY).tolist()
        words |= dict.fromkeys("".join(d[:n]) for d, n in zip(drawn, lengths, strict=True))
    return list(words)[:VOCABULARY]


if __name__ == "__main__":
    main()
