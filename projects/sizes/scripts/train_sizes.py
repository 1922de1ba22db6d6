"""Train models again on ever smaller parts of the training set, and score them on the test set.

    python scripts/train_sizes.py ../../corpus/tweets report/sizes.csv \\
        ../../training/dictionary ../../training/full --trained-in ../.. --seeds 0,1

Settings are those of the trained models. Parts are nested and drawn by group. Steps of training
shrink with the part, but not below a third: with few documents three epochs would be too few.
"""

import argparse
import io
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import spacy
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import check_files, write_whole
from spacy_bertreg.data.splits import SPLITS

# Each part is this share of the one before.
FACTOR = 0.5
FEWEST_STEPS = 1 / 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder of train, dev and test.spacy")
    parser.add_argument("table", type=Path, help="CSV file to write")
    parser.add_argument("models", type=Path, nargs="+", help="folders with seed-N/model-best")
    parser.add_argument(
        "--trained-in",
        type=Path,
        default=".",
        help="folder in which the models were trained: paths in their configs begin there",
    )
    parser.add_argument("--seeds", required=True, help="whole numbers, between commas")
    parser.add_argument("--parts", type=int, default=4, help="how often to halve the training set")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()
    make_printing_safe()
    pipelines = [m / f"seed-{s}" / "model-best" for m in args.models for s in args.seeds.split(",")]
    try:
        check_files([args.table], [args.corpus / f"{n}.spacy" for n in SPLITS] + pipelines)
    except ValueError as error:
        parser.error(str(error))

    vocab = spacy.blank("xx").vocab
    docs = list(DocBin().from_disk(args.corpus / "train.spacy").get_docs(vocab))
    rows = []
    for seed in map(int, args.seeds.split(",")):
        order = order_by_group(docs, seed)
        for part in range(args.parts, -1, -1):
            chosen = [docs[i] for i in order[: round(len(docs) * FACTOR**part)]]
            for model in args.models:
                pipeline = model / f"seed-{seed}" / "model-best"
                with tempfile.TemporaryDirectory() as folder:
                    if part:
                        pipeline = train_like(pipeline, chosen, seed, part, Path(folder), args)
                    nlp = spacy.load(pipeline)
                r2 = nlp.evaluate(list(Corpus(args.corpus / "test.spacy")(nlp)))["reg_r2"]
                rows.append(
                    {"model": model.name, "n_documents": len(chosen), "seed": seed, "r2": r2}
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    write_whole({args.table: table.to_csv(index=False).encode("utf-8")})
    means = table.pivot_table(index="n_documents", columns="model", values="r2")
    print(means[[model.name for model in args.models]].round(3).to_string())


def order_by_group(docs: list[Doc], seed: int) -> list[int]:
    """Draw a random order of the documents that keeps groups together."""
    groups = [str(doc.user_data.get("group", place)) for place, doc in enumerate(docs)]
    codes, unique = pd.factorize(np.array(groups, dtype=object))
    places = np.random.default_rng(seed).permutation(len(unique))
    return list(np.argsort(places[codes], kind="stable"))


def train_like(
    model: Path, docs: list[Doc], seed: int, part: int, folder: Path, args: argparse.Namespace
) -> Path:
    """Train a pipeline with the settings of another on fewer documents.

    model (Path): The other pipeline.
    docs (list[Doc]): What to train on.
    seed (int): The seed.
    part (int): How often the training set was halved.
    folder (Path): Where to train, an absolute path.
    args (Namespace): As `main` reads them.
    RETURNS (Path): The trained pipeline.
    """
    DocBin(docs=docs, store_user_data=True).to_disk(folder / "train.spacy")
    config = model.absolute() / "config.cfg"
    training = spacy.util.load_config(config, interpolate=True)["training"]
    steps = max(round(training["max_steps"] * max(FACTOR**part, FEWEST_STEPS)), 1)
    settings = {
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(args.corpus.absolute() / "dev.spacy"),
        "system.seed": seed,
        "training.max_steps": steps,
        "training.eval_frequency": min(training["eval_frequency"], steps),
        "training.logger.output_file": str(folder / "log.jsonl"),
    }
    with chdir(args.trained_in), redirect_stdout(io.StringIO()):
        train(config, folder, use_gpu=args.gpu_id, overrides=settings)
    return folder / "model-best"


if __name__ == "__main__":
    main()
