"""Draw some of the rated texts, and put the texts of all others, without ratings, in a table.

    python scripts/draw_rated.py ../../corpus/tweets corpus/735 735 --others ../../assets/ratings

Writes train.spacy with so many documents of the corpus' train.spacy, dev.spacy with the same share
of its dev.spacy, and unrated.csv: the texts of the rest of train.spacy, and those of other tables.
Smaller draws are parts of larger ones. Nothing of the test set is drawn.
"""

import argparse
from pathlib import Path

import pandas as pd
import spacy
from spacy.tokens import Doc, DocBin

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import check_files, write_whole
from spacy_bertreg.data.splits import order_by_group


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder of train.spacy and dev.spacy")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("rated", type=int, help="training documents to draw")
    parser.add_argument(
        "--others", type=Path, help="folder of CSV files with a column text; not that of the corpus"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    args = parser.parse_args()
    make_printing_safe()
    train, dev = (read(args.corpus / f"{name}.spacy") for name in ("train", "dev"))
    if not 0 < args.rated <= len(train):
        parser.error(f"rated is {args.rated}. Expected 1 to {len(train)}.")
    others = sorted(args.others.glob("*.csv")) if args.others else []
    others = [path for path in others if path.stem != args.corpus.name]
    paths = [args.output / name for name in ("train.spacy", "dev.spacy", "unrated.csv")]
    try:
        check_files(paths, [args.corpus / "train.spacy", args.corpus / "dev.spacy", *others])
    except ValueError as error:
        parser.error(str(error))

    order = order_by_group(train, args.seed)
    # Documents that choose the best epoch are rated, too.
    n_dev = max(round(len(dev) * args.rated / len(train)), 2)
    chosen_dev = order_by_group(dev, args.seed)[:n_dev]
    texts = [train[i].text for i in order[args.rated :]]
    for path in others:
        texts += pd.read_csv(path)["text"].tolist()
    contents = (
        to_bytes([train[i] for i in order[: args.rated]]),
        to_bytes([dev[i] for i in chosen_dev]),
        pd.DataFrame({"text": texts}).to_csv(index=False).encode(),
    )
    write_whole(dict(zip(paths, contents, strict=True)))
    print(
        f"{args.output}: {args.rated:,} rated to train on, {n_dev:,} rated to choose the epoch, "
        f"{len(texts):,} unrated"
    )


def read(path: Path) -> list[Doc]:
    return list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))


def to_bytes(docs: list[Doc]) -> bytes:
    return DocBin(docs=docs, store_user_data=True).to_bytes()


if __name__ == "__main__":
    main()
