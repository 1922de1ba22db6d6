"""Put texts that are not cross-validated into a table, without ratings.

    python scripts/unrated_texts.py corpus/tweets/train.spacy unrated.csv ../../assets/ratings

Takes the column text of each table, and of each .csv in a folder. Texts that are among the
documents, have no words or come twice are left out. Of more than --most, so many are drawn.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.docbin import iterate_docs
from spacy_bertreg.data.files import check_files, write_whole
from spacy_bertreg.data.unlabelled import read_unlabelled
from spacy_bertreg.pipeline.teacher import normalize


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=Path, help=".spacy file that is cross-validated")
    parser.add_argument("output", type=Path, help="CSV file to write")
    parser.add_argument("tables", type=Path, nargs="+", help="tables, or folders of CSV files")
    parser.add_argument("--most", type=int, default=20_000, help="of how many to draw so many")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    args = parser.parse_args()
    make_printing_safe()
    if args.most < 1:
        parser.error(f"--most is {args.most}. Expected 1 or more.")
    tables = [
        file
        for path in args.tables
        for file in (sorted(path.glob("*.csv")) if path.is_dir() else [path])
    ]
    try:
        check_files([args.output], [args.documents, *tables])
        found = {normalize(doc.text) for doc in iterate_docs(args.documents)} | {""}
        texts = []
        for table in tables:
            for row in read_unlabelled(table, "text", []):
                if (words := normalize(row.text)) not in found:
                    found.add(words)
                    texts.append(row.text)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if not texts:
        parser.error(f"{args.tables[0]} has no text that is not in {args.documents}.")
    chosen = np.random.default_rng(args.seed).permutation(len(texts))[: args.most]
    table = pd.DataFrame({"text": [texts[place] for place in sorted(chosen)]})
    write_whole({args.output: table.to_csv(index=False).encode("utf-8")})
    print(f"{args.output}: {len(table):,} of {len(texts):,} unrated texts")


if __name__ == "__main__":
    main()
