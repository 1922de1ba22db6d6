"""Documents per second of explaining, by each method, beside scoring.

    python benchmarks/explaining.py training/full/model-best corpus/tweets/test.spacy

Methods alternate in one process. The error of integrated gradients is printed too: the prediction
less base and contributions, in the target's standard deviations. Leaving out one word after the
other takes as many passes as there are words: it is timed on the first few documents alone.
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import spacy
from rounds import alternate, write
from spacy.tokens import DocBin

from spacy_bertreg.pipeline.text_regressor import TextRegressor

METHODS = ("gradient_x_input", "token_vectors", "integrated_gradients", "occlusion")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline with a text_regressor on a transformer")
    parser.add_argument("data", type=Path, help="a .spacy file of texts")
    parser.add_argument("--max-docs", type=int, default=500)
    parser.add_argument("--occlusion-docs", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.gpu_id >= 0:
        spacy.require_gpu(args.gpu_id)

    nlp = spacy.load(args.pipeline)
    component = next(part for _, part in nlp.pipeline if isinstance(part, TextRegressor))
    texts = [doc.text for doc in DocBin().from_disk(args.data).get_docs(nlp.vocab)]
    texts = [text for text in texts if text.strip()][: args.max_docs]
    docs = list(nlp.pipe(texts))
    n = {method: len(docs) for method in ("scoring", *METHODS)}
    n["occlusion"] = min(args.occlusion_docs, len(docs))
    is_cls = component.model.get_ref("document_vectors").get_ref("pool").attrs["pooling"] == "cls"
    explained = {}

    def explain(method: str) -> None:
        explained[method] = component.explain(docs[: n[method]], method=method)

    sides = {
        method: lambda method=method: explain(method)
        for method in args.methods
        if not (is_cls and method == "token_vectors")
    }
    seconds = alternate({"scoring": lambda: list(nlp.pipe(texts)), **sides}, args.rounds)
    found = {side: n[side] / statistics.median(own) for side, own in seconds.items()}
    for side, rate in found.items():
        print(f"{side:22} {rate:10.2f} documents/s on {n[side]} documents")
    result = {"documents_per_second": found, "documents": {side: n[side] for side in found}}
    if "integrated_gradients" in explained:
        unit = component.parts().unit
        errors = np.abs([e.error / unit for e in explained["integrated_gradients"]])
        largest, mean = errors.max(), errors.mean()
        print(f"error of integrated gradients: largest {largest:.4f}, mean {mean:.4f}")
        result["largest_error"] = float(errors.max())
    write(args.output, result)


if __name__ == "__main__":
    main()
