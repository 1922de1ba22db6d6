"""Documents per second of scoring, against what else one could do with the same weights.

    python benchmarks/inference.py training/full/model-best corpus/tweets/test.spacy

"spacy-bertreg" is `nlp.pipe` of the pipeline as it is, in torch and, where that is installed, in
OpenVINO; the others have its transformer and head: `transformers.pipeline("text-classification")`
with batches of 32 in the given order, a loop in torch over batches of 32 sorted by length, and the
same pipeline on the stock TransformerModel.v3 of spacy-transformers. Sides alternate in one
process. All predictions are compared.

Long documents are read in several windows by the pipeline, but cut at 512 word pieces by Hugging
Face's. With --whole, all sides read each document as one window, cut at 512, so that predictions
are the same; the pipeline with its windows, which reads all words, is timed too.

"of the peak" is the share of the rate at which this machine multiplies large matrices, measured in
the same run, that went into word pieces: what is missing went to padding, to activation functions,
to tokenizing and everything else.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import spacy
import torch
from arithmetic import measure_peaks, operations, print_shares
from rounds import alternate, print_rates, rates, write
from spacy.language import Language
from spacy.tokens import DocBin
from transformers import BertConfig, PreTrainedModel, pipeline
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging

from spacy_bertreg.evaluation.metrics import METRICS
from spacy_bertreg.layers.backends import is_installed

OURS = "spacy-bertreg"
WINDOWS = f"{OURS}, float32, all words in windows"
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline with a text_regressor of one target")
    parser.add_argument("data", type=Path, help="a .spacy file of texts")
    parser.add_argument("--max-docs", type=int, default=1000)
    parser.add_argument("--whole", action="store_true", help="one window a document, cut at 512")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gpu-id", type=int, default=-1)
    parser.add_argument("--int8", help="what `bertreg quantize` has made of the pipeline")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.gpu_id >= 0:
        spacy.require_gpu(args.gpu_id)

    # Hugging Face's pipeline says in an error that it does not know our class for the same weights.
    logging.set_verbosity(logging.CRITICAL)
    nlp = load(args.pipeline, "float32", args.whole)
    docs = list(DocBin().from_disk(args.data).get_docs(nlp.vocab))[: args.max_docs]
    texts = [doc.text for doc in docs]
    model = SameModel(nlp)
    sides: dict[str, Callable[[], list[float]]] = {
        f"{OURS}, float32": lambda: scores(nlp, texts),
        f"{OURS}, auto": through(load(args.pipeline, "auto", args.whole), texts),
        f"{OURS}, bfloat16": through(load(args.pipeline, "bfloat16", args.whole), texts),
        **openvino_sides(args, texts),
        "transformers.pipeline, float32": hugging_face(model, nlp, texts),
        "transformers.pipeline, bfloat16": hugging_face(model, nlp, texts, bfloat16=True),
        "torch sorted by length, float32": lambda: sorted_loop(model, nlp, texts),
        "torch sorted by length, bfloat16": lambda: sorted_loop(model, nlp, texts, bfloat16=True),
        "stock TransformerModel.v3, float32": through(stock(nlp), texts),
    }
    predicted = {name: np.array(side()) for name, side in sides.items()}
    if args.whole:
        sides[WINDOWS] = through(load(args.pipeline, "float32"), texts)
    expected = predicted["torch sorted by length, float32"]
    std = nlp.get_pipe("text_regressor").scale.std[0]
    differences = {
        name: float(np.quantile(np.abs(own - expected) / std, 0.999))
        for name, own in predicted.items()
    }
    target = nlp.get_pipe("text_regressor").targets[0]
    gold = np.array([doc.cats.get(target, np.nan) for doc in docs])
    known = ~np.isnan(gold)
    r2 = {name: METRICS["r2"](gold[known], own[known]) for name, own in predicted.items()}
    found = rates(alternate(sides, args.rounds), len(texts))
    for ours in (f"{OURS}, float32", f"{OURS}, auto"):
        print_rates(f"{args.data}, {len(texts):,} documents", found, ours)
    print("\nDifference of predictions from torch's in float32, 99.9th percentile, in standard")
    print(f"deviations of the target; and R² of the {known.sum()} documents with a value:")
    for name, difference in differences.items():
        print(f"{name:44} {difference:9.2g} {r2[name] if known.any() else np.nan:9.4f}")
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    flops = operations(model.config, tokenizer, texts) / len(texts)
    peaks = measure_peaks(model.device)
    read_once = {name: rate for name, rate in found.items() if name != WINDOWS}
    shares = print_shares(read_once, flops, peaks)
    ratios = {f"{a} : {b}": found[a] / found[b] for a in found if a.startswith(OURS) for b in found}
    write(
        args.output,
        {
            "data": str(args.data),
            "documents": len(texts),
            "rounds": args.rounds,
            "documents_per_second": found,
            "ratios": ratios,
            "differences": differences,
            "r2": r2,
            "operations_per_document": flops,
            "peak_operations_per_second": peaks,
            "shares_of_peak": shares,
        },
    )


def openvino_sides(args: Any, texts: list[str]) -> dict[str, Callable[[], list[float]]]:
    """RETURNS (dict[str, Callable]): Score the texts with OpenVINO, on a CPU where it is there."""
    if args.gpu_id >= 0 or not is_installed():
        return {}
    paths = {"float32": args.pipeline, "bfloat16": args.pipeline, "int8": args.int8}
    return {
        f"{OURS}, openvino, {precision}": through(
            load(path, precision, args.whole, "openvino"), texts
        )
        for precision, path in paths.items()
        if path is not None
    }


def load(path: str, precision: str, whole: bool = False, backend: str = "torch") -> Language:
    """RETURNS (Language): The pipeline with this precision; if `whole`, one window a document."""
    config: dict[str, Any] = {
        "components.transformer.model.precision": precision,
        "components.transformer.model.backend": backend,
    }
    if whole:
        spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
        config["components.transformer.model.get_spans"] = spans
    return spacy.load(path, config=config)


def scores(nlp: Language, texts: list[str]) -> list[float]:
    """RETURNS (list[float]): The predictions of the first target."""
    return [doc._.score for doc in nlp.pipe(texts)]


def through(nlp: Language, texts: list[str]) -> Callable[[], list[float]]:
    """RETURNS (Callable): Scores the texts with the pipeline."""
    return lambda: scores(nlp, texts)


class SameModel(PreTrainedModel):
    """The pipeline's transformer and head as Hugging Face's classes have them."""

    config_class = BertConfig

    def __init__(self, nlp: Language) -> None:
        """nlp (Language): The trained pipeline."""
        transformer = nlp.get_pipe("transformer").model.transformer
        super().__init__(transformer.config)
        component = nlp.get_pipe("text_regressor")
        if len(component.targets) > 1:
            raise SystemExit(f"Expected a pipeline with one target, not {component.targets}.")
        readout = component.model.get_ref("head")
        self.bert = transformer
        self.head = torch.nn.Linear(readout.get_dim("nI"), 1)
        ops = readout.ops
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(ops.to_numpy(readout.get_param("W"))))
            self.head.bias.copy_(torch.from_numpy(ops.to_numpy(readout.get_param("b"))))
        self.scale = component.scale
        self.to(transformer.device).eval()

    def forward(self, **inputs: Any) -> SequenceClassifierOutput:
        """RETURNS (SequenceClassifierOutput): From the mean of the word pieces' vectors, without
        those of special tokens."""
        special = inputs.pop("special_tokens_mask")
        hidden = self.bert(**inputs).last_hidden_state
        weights = (inputs["attention_mask"] * (1 - special)).to(hidden.dtype)
        mean = (weights[:, None] @ hidden)[:, 0] / weights.sum(1, keepdim=True).clamp(min=1e-9)
        return SequenceClassifierOutput(logits=self.head(mean))

    def in_unit(self, outputs: np.ndarray) -> list[float]:
        """RETURNS (list[float]): The predictions in the target's unit."""
        return self.scale.unscale(outputs.reshape(-1, 1).astype(float))[:, 0].tolist()


def hugging_face(
    model: SameModel, nlp: Language, texts: list[str], *, bfloat16: bool = False
) -> Callable[[], list[float]]:
    """RETURNS (Callable): Scores the texts with Hugging Face's pipeline."""
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    classify = pipeline(
        "text-classification",
        model=model,
        tokenizer=tokenizer,
        function_to_apply="none",
        batch_size=BATCH,
        device=model.device,
    )
    settings = {"return_special_tokens_mask": True, "truncation": True, "max_length": 512}

    def side() -> list[float]:
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            rows = classify(texts, **settings)
        return model.in_unit(np.array([row["score"] for row in rows]))

    return side


@torch.no_grad()
def sorted_loop(
    model: SameModel, nlp: Language, texts: list[str], *, bfloat16: bool = False
) -> list[float]:
    """RETURNS (list[float]): Predictions of a loop that sorts the texts by length."""
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    data = tokenizer(texts, return_special_tokens_mask=True, truncation=True, max_length=512)
    order = sorted(range(len(texts)), key=lambda i: len(data["input_ids"][i]))
    outputs = np.zeros(len(texts))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        batch = tokenizer.pad(
            {name: [column[row] for row in rows] for name, column in data.items()},
            return_tensors="pt",
        ).to(model.device)
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=bfloat16):
            outputs[rows] = model(**batch).logits[:, 0].float().cpu().numpy()
    return model.in_unit(outputs)


def stock(nlp: Language) -> Language:
    """RETURNS (Language): The pipeline on the stock transformer model, with the same weights."""
    config = nlp.config.copy()
    ours = config["components"]["transformer"]["model"]
    config["components"]["transformer"]["model"] = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": ours["name"],
        "get_spans": ours["get_spans"]
        or {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96},
    }
    other = spacy.blank(nlp.lang)
    transformer = config["components"]["transformer"]
    other.add_pipe("transformer", config={"model": transformer["model"]})
    regressor = dict(config["components"]["text_regressor"])
    other.add_pipe(regressor.pop("factory"), config=regressor)
    model, trained = (n.get_pipe("transformer").model for n in (other, nlp))
    model.layers[0].shims[0].from_bytes(trained.layers[0].shims[0].to_bytes())
    model.attrs["has_transformer"] = True
    model.set_dim("nO", trained.get_dim("nO"))
    other.get_pipe("text_regressor").from_bytes(nlp.get_pipe("text_regressor").to_bytes())
    other._link_components()
    other.batch_size = nlp.batch_size
    return other


if __name__ == "__main__":
    main()
