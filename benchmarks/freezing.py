"""Documents per second of training with a frozen transformer, against what else one could do.

    python benchmarks/freezing.py corpus/tweets/train.spacy assets/minilm

Head only, over several epochs: this project, the same with the reuse of outputs switched off, and
a plain torch loop over the same Hugging Face model with frozen parameters. One epoch each of the
top two blocks and of everything, by this project. All in one process, sides alternating.
"""

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch
from transformers import AutoModel, AutoTokenizer

from spacy_bertreg.training.optimizer import AdamW_v1

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="a .spacy file with one target")
    parser.add_argument("transformer", help="folder or Hugging Face name")
    parser.add_argument("--docs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()

    texts, gold = read(args.corpus, args.docs)
    shared = (texts, gold, args.transformer)
    sides: dict[str, tuple[int, Callable[[int], float]]] = {
        "head only, reuse": (args.epochs, lambda n: train_spacy(*shared, n, "all")),
        "head only, no reuse": (args.epochs, lambda n: train_spacy(*shared, n, "all", reuse_mb=0)),
        "head only, torch loop": (args.epochs, lambda n: train_torch(*shared, n)),
        "top 2 blocks": (1, lambda n: train_spacy(*shared, n, -2)),
        "everything": (1, lambda n: train_spacy(*shared, n, "none")),
    }
    rates: dict[str, list[float]] = {side: [] for side in sides}
    losses: dict[str, float] = {}
    for _ in range(args.rounds):
        for side, (epochs, run) in sides.items():
            start = time.perf_counter()
            losses[side] = run(epochs)
            rates[side].append(epochs * len(texts) / (time.perf_counter() - start))
    report(rates, losses, args)


def read(corpus: Path, n: int) -> tuple[list[str], np.ndarray]:
    nlp = spacy.blank("en")
    docs = list(spacy.tokens.DocBin().from_disk(corpus).get_docs(nlp.vocab))[:n]
    values = np.array([next(iter(doc.cats.values())) for doc in docs])
    return [doc.text for doc in docs], (values - values.mean()) / values.std()


def train_spacy(
    texts: list[str],
    gold: np.ndarray,
    transformer: str,
    epochs: int,
    freeze: str | int,
    reuse_mb: int = 1024,
) -> float:
    """Train as `spacy train` does, loading included. RETURNS (float): Loss of the last epoch."""
    fix_random_seed(0)
    nlp = spacy.blank("en")
    if isinstance(freeze, int):
        layers = AutoModel.from_pretrained(transformer).config.num_hidden_layers
        freeze += layers
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": transformer}
    nlp.add_pipe("transformer", config={"model": {**model, "freeze": freeze, "reuse_mb": reuse_mb}})
    nlp.add_pipe("text_regressor")
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"y": value}})
        for text, value in zip(texts, gold.tolist(), strict=True)
    ]
    # Steps are what is timed here: a solved head would take none.
    nlp.config["initialize"]["components"]["text_regressor"] = {"head": "random"}
    nlp.initialize(lambda: examples)
    steps = epochs * len(examples) // BATCH
    optimizer = AdamW_v1(1e-4, 0.01, total_steps=steps, warmup_steps=steps // 10)
    losses: dict[str, float] = {}
    for _ in range(epochs):
        random.shuffle(examples)
        losses = {}
        for batch in minibatch(examples, BATCH):
            nlp.update(batch, sgd=False, losses=losses)
            for _, component in nlp.pipeline:
                component.finish_update(optimizer)
            optimizer.step_schedules()
    return losses["text_regressor"] * BATCH / len(examples)


def train_torch(texts: list[str], gold: np.ndarray, transformer: str, epochs: int) -> float:
    """The loop that a user would write. RETURNS (float): Loss of the last epoch."""
    torch.manual_seed(0)
    random.seed(0)
    tokenizer = AutoTokenizer.from_pretrained(transformer)
    encoder = AutoModel.from_pretrained(transformer).eval().requires_grad_(False)
    head = torch.nn.Linear(encoder.config.hidden_size, 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    steps = epochs * len(texts) // BATCH
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(s / (0.1 * steps), (steps - s) / (0.9 * steps))
    )
    rows = list(range(len(texts)))
    total = 0.0
    for _ in range(epochs):
        random.shuffle(rows)
        total = 0.0
        for batch in minibatch(rows, BATCH):
            inputs = tokenizer(
                [texts[row] for row in batch], padding=True, truncation=True, return_tensors="pt"
            )
            hidden = encoder(**inputs).last_hidden_state
            mask = inputs["attention_mask"][:, :, None].float()
            vectors = (hidden * mask).sum(1) / mask.sum(1)
            target = torch.tensor(gold[batch], dtype=torch.float32)
            loss = ((head(vectors)[:, 0] - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
    return total / len(texts)


def report(
    rates: dict[str, list[float]], losses: dict[str, float], args: argparse.Namespace
) -> None:
    medians = {side: statistics.median(values) for side, values in rates.items()}
    pairs = [
        ("head only, reuse", "head only, torch loop"),
        ("head only, reuse", "head only, no reuse"),
        ("top 2 blocks", "everything"),
    ]
    ratios = {f"{a} / {b}": medians[a] / medians[b] for a, b in pairs}
    print(f"{'side':24}{'docs/s':>10}{'loss':>8}   each round")
    for side, median in medians.items():
        each = ", ".join(f"{rate:.1f}" for rate in rates[side])
        print(f"{side:24}{median:10.1f}{losses[side]:8.3f}   {each}")
    for pair, ratio in ratios.items():
        print(f"{pair}: {ratio:.2f}")
    if args.output:
        packages = ("spacy", "spacy-transformers", "thinc", "torch", "transformers")
        result = {
            "documents_per_second": rates,
            "medians": medians,
            "ratios": ratios,
            "last_epoch_loss": losses,
            "settings": {"docs": args.docs, "epochs": args.epochs, "batch": BATCH},
            "versions": {package: version(package) for package in packages},
            "machine": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
        }
        args.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
