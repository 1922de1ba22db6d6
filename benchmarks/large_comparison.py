"""Memory and time of `compare` on many documents.

    python benchmarks/large_comparison.py --documents 1000,100000,1000000

Three models, as the out-of-fold predictions of a cross-validation, and 2,000 draws of the
bootstrap; with `--texts`, as tables of predictions for a test set of short texts, one .spacy file,
which is read, too. Each comparison is a process of its own.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from long_document import peak_mb
from rounds import write

MODELS = {"small": 1.0, "medium": 0.7, "large": 0.5}
WORDS = ["shelling", "kills", "ten", "near", "the", "border", "as", "talks", "go", "on"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", default="1000,100000,1000000", help="between commas")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--texts", action="store_true", help="a .spacy file and tables")
    parser.add_argument("--once", nargs="+", help="compare in this process")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.once:
        print(json.dumps(measure(args.once, args.resamples)))
        return
    rows = []
    for n in map(int, args.documents.split(",")):
        with tempfile.TemporaryDirectory() as name:
            # In another process: what this one holds would count as the peak of those it starts.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                make = write_texts if args.texts else write_folds
                sources = pool.apply(make, (Path(name), n))
            command = [sys.executable, __file__, "--resamples", str(args.resamples)]
            done = subprocess.run(
                [*command, "--once", *sources], check=True, stdout=subprocess.PIPE, text=True
            )
        row = {"documents": n, **json.loads(done.stdout.splitlines()[-1])}
        rows.append(row)
        print(row, flush=True)
    write(args.output, {"resamples": args.resamples, "texts": args.texts, "rows": rows})


def measure(sources: list[str], resamples: int) -> dict[str, float]:
    """RETURNS (dict[str, float]): Peak memory in MB, before and after, seconds, and seconds of the
    processor."""
    from spacy_bertreg.comparison.compare import compare
    from spacy_bertreg.comparison.files import write_comparison

    loaded = peak_mb()
    start, processor = time.perf_counter(), time.process_time()
    comparison = compare(sources[0], sources[1:], n_resamples=resamples)
    with tempfile.TemporaryDirectory() as folder:
        write_comparison(comparison, folder)
    return {
        "loaded_mb": round(loaded),
        "peak_mb": round(peak_mb()),
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - processor, 1),
    }


def draw(n: int) -> pd.DataFrame:
    """RETURNS (DataFrame): `id`, `gold`, and the models' predictions."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"d{i}" for i in range(n)], "gold": rng.normal(size=n)})
    for name, noise in MODELS.items():
        table[name] = table["gold"] + noise * rng.normal(size=n)
    return table


def write_folds(folder: Path, n: int) -> list[str]:
    """RETURNS (list[str]): Where a cross-validation of five folds was written."""
    fold = np.arange(n) % 5
    table = draw(n).assign(target="y", group="", repeat=0, fold=fold)
    table = table[["target", "id", "group", "repeat", "fold", "gold", *MODELS]]
    table.to_csv(folder / "predictions.csv", index=False)
    sizes = [(number, int((fold == number).sum())) for number in range(5)]
    scores = [
        {"model": model, "target": "y", "repeat": 0, "fold": number, "n_train": n - n_test}
        for model in MODELS
        for number, n_test in sizes
    ]
    content = {"settings": {"by": "target"}, "scores": scores}
    (folder / "crossval.json").write_text(json.dumps(content))
    return [str(folder)]


def write_texts(folder: Path, n: int) -> list[str]:
    """RETURNS (list[str]): A test set with a training set beside it, and tables of predictions."""
    import spacy
    from spacy.tokens import Doc, DocBin
    from srsly.msgpack import Packer

    vocab, table = spacy.blank("en").vocab, draw(n)
    # DocBin packs user_data, too, but looks through all installed packages for each document.
    docs, packer = DocBin(), Packer(use_bin_type=True)
    for place, (name, gold) in enumerate(zip(table["id"], table["gold"], strict=True)):
        doc = Doc(vocab, words=WORDS[: 3 + place % 8])
        doc.cats["y"] = gold
        docs.add(doc)
        docs.user_data.append(packer.pack({"id": name, "group": name}))
        if place == 999:
            docs.to_disk(folder / "train.spacy")
    docs.store_user_data = True
    docs.to_disk(folder / "test.spacy")
    for model in MODELS:
        own = table[["id", "gold", model]].set_axis(["id", "target", "prediction"], axis=1)
        own.to_csv(folder / f"{model}.csv", index=False)
    return [str(folder / name) for name in ("test.spacy", *(f"{m}.csv" for m in MODELS))]


if __name__ == "__main__":
    main()
