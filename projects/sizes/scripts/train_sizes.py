"""Train models again on ever smaller parts of the training set, and score them on the test set.

    python scripts/train_sizes.py ../../corpus/tweets report/sizes.csv \\
        ../../training/dictionary ../../training/full --trained-in ../.. --seeds 0,1

Settings are those of the trained models. Parts are nested and drawn by group. Steps of training
shrink with the part, but not below a third: with few documents three epochs would be too few. A run
that was killed goes on.
"""

import argparse
from contextlib import chdir
from pathlib import Path

import pandas as pd
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import check_files, hash_file, hash_folder, write_whole
from spacy_bertreg.data.splits import SPLITS, order_by_group
from spacy_bertreg.training.jobs import Job
from spacy_bertreg.training.resume import clear, train_resumably

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
    parser.add_argument("--engine", default="local", help="local, or ray")
    args = parser.parse_args()
    make_printing_safe()
    pipelines = [m / f"seed-{s}" / "model-best" for m in args.models for s in args.seeds.split(",")]
    if len({model.name for model in args.models}) < len(args.models):
        parser.error("Two models have one name. Expected folders of different names.")
    try:
        check_files([args.table], [args.corpus / f"{n}.spacy" for n in SPLITS] + pipelines)
    except ValueError as error:
        parser.error(str(error))

    vocab = spacy.blank("xx").vocab
    docs = list(DocBin().from_disk(args.corpus / "train.spacy").get_docs(vocab))
    test = args.corpus.absolute() / "test.spacy"
    jobs, rows = [], []
    for seed in map(int, args.seeds.split(",")):
        order = order_by_group(docs, seed)
        for part in range(args.parts, -1, -1):
            chosen = [docs[i] for i in order[: round(len(docs) * FACTOR**part)]]
            for model in args.models:
                pipeline = (model / f"seed-{seed}" / "model-best").absolute()
                row = {"model": model.name, "n_documents": len(chosen), "seed": seed}
                if part:
                    jobs.append(make_job(pipeline, chosen, seed, part, args))
                    rows.append(row | {"job": jobs[-1].name})
                else:
                    rows.append(row | {"r2": score(pipeline, test)})
    folder = args.table.absolute().with_name(f"{args.table.name}.partial")
    settings = {
        **{f"the content of {n} (SHA-256)": hash_file(args.corpus / f"{n}.spacy") for n in SPLITS},
        **{f"{path} (SHA-256)": hash_folder(path) for path in pipelines},
        "parts": args.parts,
    }
    # Paths in the configs begin there.
    with chdir(args.trained_in):
        results = train_resumably(
            jobs,
            lambda job, pipeline: score(pipeline, test),
            folder,
            settings,
            gpu_id=args.gpu_id,
            engine=args.engine,
            on_progress=lambda line: print(line, flush=True),
        )
    table = pd.DataFrame(
        {"r2": results[row.pop("job")], **row} if "job" in row else row for row in rows
    )[["model", "n_documents", "seed", "r2"]]
    write_whole({args.table: table.to_csv(index=False).encode("utf-8")})
    clear(folder)
    means = table.pivot_table(index="n_documents", columns="model", values="r2")
    print(means[[model.name for model in args.models]].round(3).to_string())


def make_job(model: Path, docs: list[Doc], seed: int, part: int, args: argparse.Namespace) -> Job:
    """Plan a training with the settings of another on fewer documents.

    model (Path): The other pipeline.
    docs (list[Doc]): What to train on.
    seed (int): The seed.
    part (int): How often the training set was halved.
    args (Namespace): As `main` reads them.
    RETURNS (Job): The training.
    """
    training = spacy.util.load_config(model / "config.cfg", interpolate=True)["training"]
    steps = max(round(training["max_steps"] * max(FACTOR**part, FEWEST_STEPS)), 1)
    settings = {
        "paths.dev": str(args.corpus.absolute() / "dev.spacy"),
        "training.max_steps": steps,
        "training.eval_frequency": min(training["eval_frequency"], steps),
        # It names the log of the other.
        "training.logger.output_file": None,
    }
    return Job(
        f"{model.parent.parent.name}-seed-{seed}-part-{part}",
        model / "config.cfg",
        seed,
        settings,
        docs={"train": docs},
        title=f"{model.parent.parent.name}, seed {seed}, {len(docs):,} documents",
    )


def score(pipeline: Path, test: Path) -> float:
    """Compute R² on the test set."""
    nlp = spacy.load(pipeline)
    return nlp.evaluate(list(Corpus(test)(nlp)))["reg_r2"]


if __name__ == "__main__":
    main()
