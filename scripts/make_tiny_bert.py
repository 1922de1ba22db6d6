"""Make a tiny BERT with random weights and the words of a table of texts, without a download."""

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from spacy_bertreg.cli.terminal import make_printing_safe

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="CSV file with a column text")
    parser.add_argument("output", type=Path, help="folder for the model")
    args = parser.parse_args()
    make_printing_safe()
    make_tiny_bert(pd.read_csv(args.table)["text"], args.output)
    print(f"Made a tiny BERT in {args.output}")


def make_tiny_bert(texts: Iterable[str], output: Path, *, seed: int = 0) -> None:
    """Save a BERT of two layers and width 64, with a tokenizer that knows the texts' words.

    texts (Iterable[str]): Where the words come from; each that occurs twice is a word piece.
    output (Path): Folder to write, as Hugging Face lays it out.
    seed (int): Seed of the random weights.
    """
    counts = Counter(word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower()))
    characters = sorted({character for word in counts for character in word})
    words = [word for word, count in counts.most_common() if count > 1 and len(word) > 1]
    pieces = [*SPECIAL_TOKENS, *characters, *(f"##{c}" for c in characters), *words]
    output.mkdir(parents=True, exist_ok=True)
    vocab = output / "vocab.txt"
    vocab.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    BertTokenizerFast(str(vocab)).save_pretrained(output)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=256,
    )
    torch.manual_seed(seed)
    BertModel(config).save_pretrained(output)


if __name__ == "__main__":
    main()
