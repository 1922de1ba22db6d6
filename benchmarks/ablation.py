"""What each optimisation buys alone: documents per second with one switched off at a time.

    python benchmarks/ablation.py training/full/model-best corpus/tweets

Scoring through `nlp.pipe`, and training as in benchmarks/training.py, with all optimisations in
float32 and then without one. Sides alternate in one process; medians.
"""

import argparse
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import spacy
from inference import load, scores
from rounds import alternate, print_rates, rates, write
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, Optimizer

from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.layers import freezable_shim, window_encoder, word_embeddings
from spacy_bertreg.layers.window_encoder import Part
from spacy_bertreg.training.optimizer import AdamW_v1

BATCH = 16
ALL = "all, float32"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline with a text_regressor")
    parser.add_argument("corpus", type=Path, help="folder with train.spacy and test.spacy")
    parser.add_argument("--max-docs", type=int, default=1000)
    parser.add_argument("--train-docs", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()

    nlp = load(args.pipeline, "float32")
    low = load(args.pipeline, "bfloat16")
    texts = [eg.text for eg in Corpus_v1(args.corpus / "test.spacy")(nlp)][: args.max_docs]
    scoring: dict[str, Callable[[], Any]] = {
        ALL: lambda: scores(nlp, texts),
        "without sorting across 1,024 documents (64)": lambda: score_in_batches(nlp, texts, 64),
        "without parts of about the same length": lambda: in_given_order(scores, nlp, texts),
        "with parts sorted and cut at 1,024": lambda: sorted_and_cut(scores, nlp, texts),
        "with all vectors kept (keep_trf_data)": lambda: score_whole(nlp, texts),
        "with bfloat16": lambda: scores(low, texts),
    }
    found = rates(alternate(scoring, args.rounds), len(texts))
    print_rates(f"scoring {len(texts):,} documents", found, ALL)

    examples = list(Corpus_v1(args.corpus / "train.spacy")(nlp))
    examples = random.Random(0).sample(examples, min(args.train_docs, len(examples)))  # noqa: S311
    fused, thinc = AdamW_v1(), Adam(0.00005)
    training: dict[str, Callable[[], Any]] = {
        ALL: lambda: train(nlp, examples, fused),
        "without short windows in one row": lambda: without_packing(train, nlp, examples, fused),
        "without that, nor parts of about the same length": lambda: without_packing(
            in_given_order, train, nlp, examples, fused
        ),
        "with parts sorted and cut at 1,024": lambda: without_packing(
            sorted_and_cut, train, nlp, examples, fused
        ),
        "without one gradient of the word embeddings": lambda: without_word_gradient(
            nlp, examples, fused
        ),
        "without torch's fused AdamW (thinc's Adam)": lambda: train(nlp, examples, thinc),
        "with the transformer's dropout": lambda: with_dropout(nlp, examples, fused),
        "with bfloat16": lambda: train(low, examples, fused),
        "with bfloat16, without plain attention": lambda: without_plain_attention(
            low, examples, fused
        ),
    }
    trained = rates(alternate(training, args.rounds), len(examples))
    print_rates(f"training, {len(examples)} documents", trained, ALL)
    write(args.output, {"rounds": args.rounds, "scoring": found, "training": trained})


def score_in_batches(nlp: Language, texts: list[str], size: int) -> None:
    for _ in nlp.pipe(texts, batch_size=size):
        pass


def score_whole(nlp: Language, texts: list[str]) -> list[Doc]:
    """RETURNS (list[Doc]): With all vectors, as they are with `keep_trf_data = true`."""
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    shim.is_read_by_token = True
    try:
        return list(nlp.pipe(texts))
    finally:
        shim.is_read_by_token = False


def in_given_order(side: Callable, *args: Any) -> None:
    """64 windows are read together, in the order in which they come."""

    def cut_into_parts(windows: Any, *_: Any, **__: Any) -> list[Part]:
        numbers = list(range(len(windows)))
        cut = [numbers[start : start + 64] for start in range(0, len(numbers), 64)]
        return [Part(own, max(len(windows[number]) for number in own)) for own in cut]

    with mock.patch.object(window_encoder, "cut_into_parts", cut_into_parts):
        side(*args)


def sorted_and_cut(side: Callable, *args: Any) -> None:
    """Windows are sorted by length, and a part ends where it would have 1,024 word pieces."""

    def cut_into_parts(windows: Any, device: str, limit: int, *_: Any, **__: Any) -> list[Part]:
        order = sorted(range(len(windows)), key=lambda number: -len(windows[number]))
        parts = []
        while order:
            longest = min(len(windows[order[0]]), limit)
            size = max(1, 1024 // longest)
            parts.append(Part(order[:size], longest))
            order = order[size:]
        return parts

    with mock.patch.object(window_encoder, "cut_into_parts", cut_into_parts):
        side(*args)


def without_packing(side: Callable, *args: Any) -> None:
    """Windows are read in parts of about the same length, each window in a row of its own."""
    with mock.patch.object(window_encoder, "can_pack", return_value=False):
        side(*args)


def without_word_gradient(*args: Any) -> None:
    """autograd makes the gradient of the word embeddings."""
    with mock.patch.object(word_embeddings, "_word_embedding", return_value=None):
        train(*args)


def with_dropout(nlp: Language, *args: Any) -> None:
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    with mock.patch.object(shim, "dropout", True):
        train(nlp, *args)


def without_plain_attention(*args: Any) -> None:
    """Torch's fused kernel computes attention."""
    with mock.patch.object(freezable_shim, "PlainAttention", nullcontext):
        train(*args)


def train(nlp: Language, examples: list[Example], optimizer: Optimizer) -> None:
    for start in range(0, len(examples), BATCH):
        nlp.update(examples[start : start + BATCH], sgd=False, drop=0.1)
        for _, component in nlp.pipeline:
            component.finish_update(optimizer)
        optimizer.step_schedules()


if __name__ == "__main__":
    spacy.util.fix_random_seed(0)
    main()
