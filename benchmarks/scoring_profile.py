"""Where the time of scoring goes, in milliseconds, and what is out of reach.

    python benchmarks/scoring_profile.py training/full/model-best corpus/tweets/test.spacy \\
        --backend openvino --precision bfloat16

Each step of `nlp.pipe` is timed by itself, in turns with the whole, on the same texts. Products are
computed by all threads, in OpenVINO several parts at a time; all other steps take one thread, and
in OpenVINO, pooling goes on beside products.

"Of the peak" is the share of the rate at which this machine multiplies large matrices: of the
whole, of the products if nothing else took time, and of the whole if all that one thread does went
on beside the products, so that no core ever waited. A processor multiplies faster where it does
nothing else for a while, so there are two peaks: in turns with the steps, and by itself.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
import torch
from arithmetic import large_products, measure_peaks, operations
from rounds import alternate, write
from spacy.tokens import DocBin

from spacy_bertreg.layers.outputs import compute_pooled
from spacy_bertreg.layers.window_encoder import cut_into_parts, read
from spacy_bertreg.layers.windows import pieces_limit, tokenize

WHOLE, PRODUCTS = "the whole, by nlp.pipe", "products, and copies of their outputs"
PEAK = "products of large matrices"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline with a text_regressor on a transformer")
    parser.add_argument("data", type=Path, help="a .spacy file of texts")
    parser.add_argument("--max-docs", type=int, default=1000)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()

    settings = {"backend": args.backend, "precision": args.precision}
    config = {f"components.transformer.model.{name}": value for name, value in settings.items()}
    nlp = spacy.load(args.pipeline, config=config)
    docs = list(DocBin().from_disk(args.data).get_docs(nlp.vocab))[: args.max_docs]
    texts = [doc.text for doc in docs]
    dtype = torch.float32 if args.precision == "float32" else torch.bfloat16
    multiply, n_operations = large_products(dtype, torch.device("cpu"))
    sides = {**make_steps(nlp, texts), PEAK: multiply}
    seconds = {n: statistics.median(own) for n, own in alternate(sides, args.rounds).items()}
    peaks = {
        "in turns": n_operations / seconds.pop(PEAK),
        "by itself": measure_peaks(torch.device("cpu"))[str(dtype).removeprefix("torch.")],
    }
    steps = apart(seconds)
    model: Any = nlp.get_pipe("transformer").model
    flops = operations(model.transformer.config, model.tokenizer, texts)
    threads, whole, products = torch.get_num_threads(), seconds[WHOLE], steps[PRODUCTS]
    best = {
        "the whole": whole,
        "if products took all of the time": products,
        f"if the rest went on beside them, on {threads} cores": products
        + (whole - products) / threads,
    }
    shares = {
        name: {at: flops / own / peak for at, peak in peaks.items()} for name, own in best.items()
    }
    print(f"\n{args.data}, {len(texts):,} documents, {args.backend}, {args.precision}")
    for name, value in {**steps, WHOLE: whole}.items():
        print(f"{name:52} {value * 1000:8.0f} ms {value / whole:8.0%}")
    print(f"{'of the peak':52} {'in turns':>11} {'by itself':>9}")
    for name, row in shares.items():
        print(f"{name:52} {row['in turns']:11.0%} {row['by itself']:9.0%}")
    print(f"{'the peak, GFLOP/s':52} {peaks['in turns'] / 1e9:11,.0f}", end="")
    print(f" {peaks['by itself'] / 1e9:9,.0f}")
    found = {"seconds": seconds, "steps": steps, "shares": shares, "peaks": peaks}
    write(args.output, {**settings, "documents": len(texts), **found})


def make_steps(nlp: Any, texts: list[str]) -> dict[str, Callable[[], Any]]:
    """nlp (Language): The pipeline. texts (list[str]): What it scores.
    RETURNS (dict[str, Callable]): The whole, and its steps; the later ones contain others, which
        `apart` takes off."""
    model: Any = nlp.get_pipe("transformer").model
    docs = list(map(nlp.make_doc, texts))
    spans = model.attrs["get_spans"](docs)
    windows = tokenize(model, spans)
    flat = [window for own in windows for window in own]
    limit = pieces_limit(model) or max(map(len, flat))
    steps = {
        WHOLE: lambda: [doc._.score for doc in nlp.pipe(texts)],
        "words, by spaCy's tokenizer": lambda: list(map(nlp.make_doc, texts)),
        "word pieces": lambda: tokenize(model, model.attrs["get_spans"](docs)),
        "cutting parts of about the same length": lambda: cut_into_parts(flat, "cpu", limit, True),
        PRODUCTS: lambda: read(model, flat, lambda numbers, hidden: None),
        "pooling that products have to wait for": lambda: compute_pooled(model, windows),
    }
    for step in steps.values():
        step()
    return steps


def apart(seconds: dict[str, float]) -> dict[str, float]:
    """seconds (dict[str, float]): What `make_steps` names, timed.
    RETURNS (dict[str, float]): The steps without what others contain, and what is left."""
    whole, words, pieces, cut, products, pooled = seconds.values()
    names = [name for name in seconds if name != WHOLE]
    own = [words, pieces, cut, products - cut, pooled - products]
    return {
        **dict(zip(names, own, strict=True)),
        "the rest: regressor, annotations, spaCy": whole - words - pieces - pooled,
    }


if __name__ == "__main__":
    main()
