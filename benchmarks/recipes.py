"""Which settings of the training are good on many data sets: R² on the dev set, by recipe.

    python benchmarks/recipes.py runs.jsonl corpus/tweets corpus/empathy \
        --transformer assets/minilm --recipes "0.1.0;5 x 0.0001" --seeds 0,1,2
    python benchmarks/recipes.py runs.jsonl corpus/tweets corpus/empathy \
        --transformer assets/minilm --screen first

A corpus is a folder with train.spacy, dev.spacy and test.spacy; docs/recipes.md has the commands
that make those of its tables. Each training is a line of runs.jsonl: what is there is not trained
again, so a run that was ended goes on, and tables can be printed anew.

--recipes trains the named recipes, once a seed, and prints by how much each differs from the first
one, in the mean over the corpora. --screen says what each of eight knobs buys, "first" from the
recipe of version 0.1.0 and "second" from "5 x 0.0001". It trains 16 recipes, a fractional factorial
design of resolution IV (Box, Hunter & Hunter 2005, ch. 6): each knob is turned in half of them,
together with each other knob equally often, so that all 16 trainings of a corpus tell about every
knob, whatever two knobs do together. With --half, 8 recipes tell about all knobs but the first, as
far as two knobs do nothing together.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spacy
from scipy.linalg import hadamard
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_bertreg.training.jobs import train_in_process

OPTIMIZER, TRANSFORMER = "training.optimizer", "components.transformer.model"
POOLING = "components.text_regressor.model.tok2vec.pooling"
NORMALIZE = "components.text_regressor.model.tok2vec.normalize"
HEAD = "initialize.components.text_regressor.head"
# The recipe of version 0.1.0, written out: the defaults have changed since.
FIRST: dict[str, Any] = {
    "epochs": 3,
    f"{OPTIMIZER}.encoder_rate": 0.0001,
    f"{OPTIMIZER}.head_rate": 0.01,
    f"{OPTIMIZER}.layer_decay": 1.0,
    f"{OPTIMIZER}.weight_decay": 0.01,
    f"{TRANSFORMER}.freeze": "none",
    f"{TRANSFORMER}.dropout": True,
    "training.dropout": 0.1,
    "training.batcher.size": 16,
    POOLING: "mean",
    NORMALIZE: False,
    HEAD: "auto",
}
# More steps than the first recipe's, and lower rates for lower blocks.
STEPS: dict[str, Any] = {"training.batcher.size": 8, f"{OPTIMIZER}.layer_decay": 0.85}
FIVE = FIRST | STEPS | {"epochs": 5}
BFLOAT16 = {f"{TRANSFORMER}.precision": "bfloat16"}
NO_DROPOUT = {f"{TRANSFORMER}.dropout": False}
# What --screen turns, and from which recipe.
FIRST_KNOBS: dict[str, dict[str, Any]] = {
    "only directions count": {NORMALIZE: True},
    "epochs 3 → 5": {"epochs": 5},
    "encoder_rate 0.0001 → 0.0002": {f"{OPTIMIZER}.encoder_rate": 0.0002},
    "head from ridge, at 0.001": {HEAD: "ridge", f"{OPTIMIZER}.head_rate": 0.001},
    "layer_decay 1 → 0.85": {f"{OPTIMIZER}.layer_decay": 0.85},
    "embeddings frozen": {f"{TRANSFORMER}.freeze": "embeddings"},
    "all dropout 0.1 → 0": NO_DROPOUT | {"training.dropout": 0.0},
    "batches of 16 → 8": {"training.batcher.size": 8},
}
SECOND_KNOBS: dict[str, dict[str, Any]] = {
    "float32 → bfloat16": BFLOAT16,
    "epochs 5 → 8": {"epochs": 8},
    "encoder_rate 0.0001 → 0.0002": {f"{OPTIMIZER}.encoder_rate": 0.0002},
    "head_rate 0.01 → 0.003": {f"{OPTIMIZER}.head_rate": 0.003},
    "layer_decay 0.85 → 0.7": {f"{OPTIMIZER}.layer_decay": 0.7},
    "embeddings frozen": {f"{TRANSFORMER}.freeze": "embeddings"},
    "weight_decay 0.01 → 0.1": {f"{OPTIMIZER}.weight_decay": 0.1},
    "pooling mean → cls": {POOLING: "cls"},
}
SCREENS = {"first": (FIRST, FIRST_KNOBS), "second": (FIVE, SECOND_KNOBS)}
FROZEN = {f"{TRANSFORMER}.freeze": "all"}
RECIPES: dict[str, dict[str, Any]] = {
    "0.1.0": FIRST,
    "3 x 0.0001": FIRST | STEPS,
    "3 x 0.00015": FIRST | STEPS | {f"{OPTIMIZER}.encoder_rate": 0.00015},
    "3 x 0.0002": FIRST | STEPS | {f"{OPTIMIZER}.encoder_rate": 0.0002},
    "5 x 0.0001": FIVE,
    "5 x 0.0001, bfloat16": FIVE | BFLOAT16,
    "no dropout": FIVE | NO_DROPOUT,
    "no dropout, bfloat16": FIVE | NO_DROPOUT | BFLOAT16,
    "no dropout, 0.92, bfloat16": FIVE | NO_DROPOUT | BFLOAT16 | {f"{OPTIMIZER}.layer_decay": 0.92},
    "15 x 0.0001": FIVE | {"epochs": 15},
    "5 x 0.0002": FIVE | {f"{OPTIMIZER}.encoder_rate": 0.0002},
    "normalized": FIRST | {NORMALIZE: True},
    "frozen": FIRST | FROZEN,
    "frozen, normalized": FIRST | FROZEN | {NORMALIZE: True},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, help="JSONL file to read and to write")
    parser.add_argument("corpora", type=Path, nargs="+", help="folders with train, dev and test")
    parser.add_argument("--transformer", required=True, help="folder or Hugging Face name")
    parser.add_argument("--config", type=Path, default=Path("configs/bert.cfg"))
    parser.add_argument(
        "--recipes", default="", help="names between semicolons, the first to compare with"
    )
    parser.add_argument("--screen", choices=list(SCREENS))
    parser.add_argument("--half", action="store_true", help="half of the screen")
    parser.add_argument("--seeds", default="0", help="numbers between commas")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()

    if args.screen:
        recipes = dict(screening(args.screen, args.half))
    else:
        names = args.recipes.split(";")
        if unknown := [name for name in names if name not in RECIPES]:
            parser.error(f"--recipes has {unknown}. Expected names among {list(RECIPES)}.")
        recipes = {name: RECIPES[name] for name in names}
    known = read_runs(args.runs)
    wanted = [
        {"corpus": corpus.name, "recipe": recipe, "seed": int(seed)}
        for seed in args.seeds.split(",")
        for recipe in recipes
        for corpus in args.corpora
    ]
    folders = {corpus.name: corpus for corpus in args.corpora}
    for number, key in enumerate(wanted, start=1):
        if tuple(key.values()) in known:
            continue
        run = key | train(args, folders[key["corpus"]], recipes[key["recipe"]], key["seed"])
        with args.runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
        known[tuple(key.values())] = run
        print(f"{number}/{len(wanted)}", json.dumps(run), flush=True)
    table = pd.DataFrame([known[tuple(key.values())] for key in wanted])
    print_effects(table, args.screen) if args.screen else print_recipes(table, list(recipes))


def screening(screen: str, is_half: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make the recipes of the design: a Hadamard matrix and, unless `is_half`, its fold-over. Their
    names say which knobs are turned, as "first 01010101"."""
    start, knobs = SCREENS[screen]
    half = hadamard(len(knobs)) < 0
    for row in half if is_half else np.concatenate([half, ~half]):
        turned = [knob for knob, is_turned in zip(knobs.values(), row, strict=True) if is_turned]
        settings = start | {name: value for knob in turned for name, value in knob.items()}
        yield f"{screen} " + "".join(str(int(is_turned)) for is_turned in row), settings


def read_runs(path: Path) -> dict[tuple, dict[str, Any]]:
    """Read earlier trainings, by corpus, recipe and seed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    runs = [json.loads(line) for line in lines]
    return {(run["corpus"], run["recipe"], run["seed"]): run for run in runs}


def train(
    args: argparse.Namespace, corpus: Path, recipe: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Train once, and return seconds and the R² of the epoch that is best on dev, on both sets: in
    the mean over the targets."""
    overrides = dict(recipe)
    epochs = overrides.pop("epochs")
    overrides |= {f"paths.{part}": str(corpus / f"{part}.spacy") for part in ("train", "dev")}
    overrides |= {"paths.transformer": args.transformer}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train_in_process(
            args.config,
            Path(folder),
            seed=seed,
            epochs=epochs,
            overrides=overrides,
            gpu_id=args.gpu_id,
        )
        seconds = time.perf_counter() - start
        nlp = spacy.load(Path(folder) / "model-best")
        n_train = len(DocBin().from_disk(corpus / "train.spacy"))
        found: dict[str, Any] = {"seconds": round(seconds, 1), "n_train": n_train}
        for part in ("dev", "test"):
            docs = DocBin().from_disk(corpus / f"{part}.spacy").get_docs(nlp.vocab)
            examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
            found[part] = nlp.evaluate(examples)["reg_r2"]
    return found


def print_effects(table: pd.DataFrame, screen: str) -> None:
    """Print what each knob buys, on each corpus and in the mean over them."""
    turned = np.array([[mark == "1" for mark in recipe.split()[1]] for recipe in table["recipe"]])
    rows = []
    for number, knob in enumerate(SCREENS[screen][1]):
        if not turned[:, number].any():
            continue  # the first one, in half of the design
        by_corpus = table.groupby(["corpus", turned[:, number]])["dev"].mean().unstack()
        effect = by_corpus[True] - by_corpus[False]
        rows.append({"knob": knob, "mean": effect.mean(), "se": effect.sem(), **effect})
    print(f"\nDev R² with a knob turned, less that without: {len(table)} trainings")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:+.3f}".format))


def print_recipes(table: pd.DataFrame, names: list[str]) -> None:
    """Print each recipe's R² by corpus, and its difference to the first recipe's."""
    first = names[0]
    for part in ("dev", "test"):
        means = table.pivot_table(part, "corpus", "recipe", sort=False)[names]
        spread = table.groupby(["corpus", "recipe"])[part].std().groupby("recipe").mean()
        print(f"\n{part} R², mean over seeds")
        print(
            pd.concat([means, means.mean().to_frame("mean").T]).to_string(
                float_format="{:.3f}".format
            )
        )
        for name in names[1:]:
            gain = means[name] - means[first]
            print(
                f"{name} less {first}: {gain.mean():+.3f} (se {gain.sem():.3f}), from "
                f"{gain.min():+.3f} ({gain.idxmin()}) to {gain.max():+.3f} ({gain.idxmax()})"
            )
        if table["seed"].nunique() > 1:
            print("standard deviation over seeds:", spread[names].round(3).to_dict())
    seconds = table.groupby("recipe")["seconds"].sum()
    print(
        "seconds:", (seconds[names] / seconds[first]).round(2).to_dict(), f"of {seconds[first]:.0f}"
    )


if __name__ == "__main__":
    main()
