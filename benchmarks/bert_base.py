"""Make a pipeline of bert-base's shape with random weights, and texts of so many word pieces: for
speed on a GPU, where MiniLM is too small to keep it busy.

    python benchmarks/bert_base.py bert-base-128 --pieces 128
    python benchmarks/inference.py bert-base-128/pipeline bert-base-128/corpus/test.spacy \
        --whole --gpu-id 0
    python benchmarks/training.py configs/bert.cfg bert-base-128/corpus \
        --transformer bert-base-128/transformer --whole --gpu-id 0

The same with --pieces 512.
"""

import argparse
from pathlib import Path

import numpy as np
import spacy
import torch
from spacy.tokens import DocBin
from spacy.training import Example
from transformers import BertConfig, BertModel, BertTokenizerFast

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
N_VOCABULARY = 30522


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="folder for transformer, pipeline and corpus")
    parser.add_argument("--pieces", type=int, default=128, help="of each text, special ones too")
    parser.add_argument("--docs", type=int, default=1000, help="in each of train and test")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    args = parser.parse_args()
    words = [f"w{number}" for number in range(N_VOCABULARY - len(SPECIAL_TOKENS))]
    make_transformer(args.output / "transformer", words, args.layers, args.width)

    random = np.random.default_rng(0)
    nlp = spacy.blank("en")
    for name in ("train", "test"):
        bin_ = DocBin()
        for _ in range(args.docs):
            doc = nlp.make_doc(" ".join(random.choice(words, args.pieces - 2)))
            doc.cats["value"] = random.normal()
            bin_.add(doc)
        (args.output / "corpus").mkdir(exist_ok=True)
        bin_.to_disk(args.output / "corpus" / f"{name}.spacy")
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in bin_.get_docs(nlp.vocab)]
    architecture = "spacy-bertreg.TransformerModel.v1"
    model = {"@architectures": architecture, "name": str(args.output / "transformer")}
    nlp.add_pipe("transformer", config={"model": model, "max_batch_items": 1000000})
    nlp.add_pipe("text_regressor")
    nlp.initialize(lambda: examples)
    nlp.batch_size = 1024
    nlp.to_disk(args.output / "pipeline")


def make_transformer(folder: Path, words: list[str], layers: int, width: int) -> None:
    """folder (Path): To write to. words (list[str]): Each a word piece. layers, width (int): The
    shape; heads have width 64."""
    folder.mkdir(parents=True)
    vocabulary = "\n".join([*SPECIAL_TOKENS, *words]) + "\n"
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
    )
    BertModel(config).save_pretrained(folder)


if __name__ == "__main__":
    main()
