"""Documents per second of training, against Hugging Face's Trainer, and the test R² of both.

    python benchmarks/training.py configs/bert.cfg corpus/tweets --transformer assets/minilm

Ours is spaCy's training loop with the config as it is. `transformers.Trainer` has its defaults and
a BertForSequenceClassification with one output, on targets as they are; batches of 16, the same
number of epochs, texts cut at 512 word pieces, a rate of 5e-5 that falls linearly. Sides alternate
in one process, each round with a model that is read anew, which is not timed; tokenizing is. An
untimed round comes first.

    --rounds 5 --max-docs 320     one epoch over some documents; head alone: five epochs
    --seeds 0,1,2                 then three epochs over all of them, for R² on the test set
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from accelerate.state import AcceleratorState
from arithmetic import measure_peaks, operations, print_shares
from rounds import print_rates, rates, write
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train_while_improving
from spacy.util import fix_random_seed, load_config, registry
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from spacy_bertreg.evaluation.metrics import METRICS

BATCH = 16
Rows = list[tuple[str, float]]
# Trains with a seed, and gives the seconds and what predicts.
Side = Callable[[Rows, int, int], tuple[float, Callable[[list[str]], np.ndarray]]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("corpus", type=Path, help="folder with train.spacy and test.spacy")
    parser.add_argument("--transformer", required=True, help="folder or Hugging Face name")
    parser.add_argument("--max-docs", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", default="", help="for R², as 0,1,2; none by default")
    parser.add_argument("--epochs", type=int, default=3, help="for R²")
    parser.add_argument(
        "--scored", default="", help="for R², sides between semicolons; all by default"
    )
    parser.add_argument("--whole", action="store_true", help="one window a document, cut at 512")
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.gpu_id >= 0:
        spacy.require_gpu(args.gpu_id)

    ours = partial(train_ours, args.config, args.corpus, args.transformer, whole=args.whole)
    theirs = partial(train_theirs, args.transformer, args.gpu_id < 0)
    full: dict[str, Side] = {
        "spacy-bertreg, float32": ours,
        "Trainer, float32": theirs,
        "Trainer, float32, group_by_length": partial(theirs, group_by_length=True),
        "spacy-bertreg, bfloat16": partial(ours, precision="bfloat16"),
        "Trainer, bf16": partial(theirs, bf16=True),
        "Trainer, bf16, group_by_length": partial(theirs, bf16=True, group_by_length=True),
    }
    head: dict[str, Side] = {
        "spacy-bertreg, head alone": partial(ours, freeze="all"),
        "Trainer, head alone": partial(theirs, frozen=True),
    }
    tokenizer = AutoTokenizer.from_pretrained(args.transformer)
    shape = AutoConfig.from_pretrained(args.transformer)
    peaks = measure_peaks(torch.device("cuda" if args.gpu_id >= 0 else "cpu"))
    train, test = (read(args.corpus / f"{name}.spacy") for name in ("train", "test"))
    some = random.Random(0).sample(train, min(args.max_docs, len(train)))  # noqa: S311
    result: dict[str, Any] = {"corpus": str(args.corpus), "rounds": args.rounds}
    for title, sides, epochs in (("1 epoch", full, 1), ("head alone, 5 epochs", head, 5)):
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(-1 if args.rounds else 0, args.rounds):
            for name, side in sides.items():
                taken, _ = side(some[: 4 * BATCH] if number < 0 else some, epochs, max(number, 0))
                if number >= 0:
                    seconds[name].append(taken)
        if not args.rounds:
            continue
        found = rates(seconds, len(some) * epochs)
        for name in sides:
            if name.startswith("spacy-bertreg"):
                print_rates(f"{args.corpus}, {len(some)} documents, {title}", found, name)
        ratios = {f"{a} : {b}": found[a] / found[b] for a in found for b in found if a != b}
        result[title] = {"documents_per_second": found, "ratios": ratios}
        if sides is full:
            # Backward, there are a product for the input and one for the weights to each forward.
            flops = 3 * operations(shape, tokenizer, [text for text, _ in some]) / len(some)
            result[title]["shares_of_peak"] = print_shares(found, flops, peaks)
    if args.seeds:
        texts, gold = [text for text, _ in test], np.array([value for _, value in test])
        result["r2"] = {}
        print(f"\nR² on {len(test)} test documents, {args.epochs} epochs, seeds {args.seeds}")
        scored = [name.strip() for name in args.scored.split(";")] if args.scored else full | head
        for name in scored:
            side = (full | head)[name]
            predict = [side(train, args.epochs, int(s))[1] for s in args.seeds.split(",")]
            own = [METRICS["r2"](gold, one(texts)) for one in predict]
            result["r2"][name] = own
            print(f"{name:44} {np.mean(own):.4f}  ({', '.join(f'{r2:.4f}' for r2 in own)})")
    write(args.output, result)


def read(path: Path) -> Rows:
    """RETURNS (list[tuple[str, float]]): Texts and their first target."""
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return [(doc.text, next(iter(doc.cats.values()))) for doc in docs]


def train_ours(
    path: Path,
    corpus: Path,
    transformer: str,
    rows: Rows,
    epochs: int,
    seed: int,
    *,
    freeze: str = "none",
    precision: str = "float32",
    whole: bool = False,
) -> tuple[float, Callable[[list[str]], np.ndarray]]:
    """RETURNS (tuple): Seconds of tokenizing and training, and what predicts."""
    steps = epochs * -(-len(rows) // BATCH)
    overrides = {
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "train.spacy"),
        "paths.transformer": transformer,
        "system.seed": seed,
        "training.max_steps": steps,
        "training.optimizer.warmup_steps": steps // 10,
        "components.transformer.model.freeze": freeze,
        "components.transformer.model.precision": precision,
        # Steps are what is timed here: a solved head would take none.
        "initialize.components.text_regressor.head": "random",
    }
    config = load_config(path, overrides=overrides, interpolate=False)
    if whole:
        spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
        config["components"]["transformer"]["model"]["get_spans"] = spans
    nlp = init_nlp(config)
    settings = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    fix_random_seed(seed)
    target = nlp.get_pipe("text_regressor").targets[0]
    start = time.perf_counter()
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {target: value}}) for text, value in rows
    ]

    def batches() -> Iterator[tuple[int, list[Example]]]:
        for epoch in range(epochs):
            random.shuffle(examples)
            for first in range(0, len(examples), BATCH):
                yield epoch, examples[first : first + BATCH]

    steps_done = train_while_improving(
        nlp,
        settings["optimizer"],
        batches(),
        evaluate=lambda: (0.0, {}),
        dropout=settings["dropout"],
        eval_frequency=10**9,
        accumulate_gradient=1,
        patience=0,
        max_steps=0,
        exclude=[],
        annotating_components=[],
        before_update=None,
    )
    for _ in steps_done:
        pass
    return time.perf_counter() - start, partial(predict_ours, nlp)


def predict_ours(nlp: Language, texts: list[str]) -> np.ndarray:
    """RETURNS (ndarray): The predictions."""
    return np.array([doc._.score for doc in nlp.pipe(texts)])


def train_theirs(
    transformer: str,
    use_cpu: bool,
    rows: Rows,
    epochs: int,
    seed: int,
    *,
    frozen: bool = False,
    **settings: Any,
) -> tuple[float, Callable[[list[str]], np.ndarray]]:
    """RETURNS (tuple): Seconds of tokenizing and training, and what predicts."""
    torch.manual_seed(seed)
    # Shared by all Trainers of a process: after one with bf16, all would compute so.
    AcceleratorState._reset_state(reset_partial_state=True)
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    tokenizer = AutoTokenizer.from_pretrained(transformer)
    model = AutoModelForSequenceClassification.from_pretrained(
        transformer, num_labels=1, problem_type="regression"
    )
    if frozen:
        for parameter in model.base_model.parameters():
            parameter.requires_grad_(False)
    arguments = TrainingArguments(
        output_dir="unused",
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=32,
        num_train_epochs=epochs,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=use_cpu,
        seed=seed,
        **settings,
    )

    def tokenized(texts: list[str], values: list[float]) -> list[dict[str, Any]]:
        data = tokenizer(texts, truncation=True, max_length=512)
        columns = zip(*data.values(), values, strict=True)
        return [dict(zip([*data, "labels"], row, strict=True)) for row in columns]

    start = time.perf_counter()
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=tokenized([text for text, _ in rows], [value for _, value in rows]),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    seconds = time.perf_counter() - start

    def predict(texts: list[str]) -> np.ndarray:
        return trainer.predict(tokenized(texts, [0.0] * len(texts))).predictions[:, 0]

    return seconds, predict


if __name__ == "__main__":
    main()
