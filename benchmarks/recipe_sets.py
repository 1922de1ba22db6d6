"""Make the sets of docs/recipes.md: corpora of nine targets, each with train, dev and test.

    python benchmarks/recipe_sets.py corpus/sets --manifestos manifestos-uk.csv.gz \
        --empathic empathic-reactions.csv.gz --ged ged251-csv.zip

Ratings come from `spacy project run fetch`. projects/suite/project.yml says where the three files
are from and which columns they have; a set whose file is not given is left out.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

SPLIT = ["--split", "0.5", "0.15", "0.35", "--seed", "0"]
RATINGS = {
    "tweets": "tweets",
    "amazon": "amazonReviewSnippets",
    "nyt": "nytEditorialSnippets",
    "movies": "movieReviewSnippets",
}
GED_DOCUMENTS = Path(__file__).parents[1] / "projects" / "conflict" / "scripts" / "ged_documents.py"
DATES = ["--dev-from", "2018-03-01", "--test-from", "2018-09-01"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="folder for a folder of each set")
    parser.add_argument("--ratings", type=Path, default=Path("assets/ratings"))
    parser.add_argument("--manifestos", type=Path)
    parser.add_argument("--empathic", type=Path)
    parser.add_argument("--ged", type=Path, help="UCDP's events; for the tables, those of Syria")
    parser.add_argument("--max-docs", type=int, default=1200, help="documents in a set, at most")
    args = parser.parse_args()
    for path in (args.ratings, args.manifestos, args.empathic, args.ged):
        if path and not path.exists():
            parser.error(f"{path} is missing. Expected a file, or for --ratings a folder.")
    # Longer texts: fewer of them
    fewer = min(args.max_docs, 800)
    with tempfile.TemporaryDirectory() as folder:
        for name, file in RATINGS.items():
            table = args.ratings / f"{file}.csv"
            options = ["--target", "rating", "--group", "group", *SPLIT]
            convert(table, args.output / name, args.max_docs, options)
        for target, table in manifesto_tables(args.manifestos, Path(folder)):
            options = ["--target", target, "--group", "manifesto", *SPLIT]
            convert(table, args.output / target, args.max_docs, options)
        if args.empathic:
            options = ["--target", "empathy", "--target", "distress", "--group", "article", *SPLIT]
            convert(args.empathic, args.output / "empathic", fewer, options)
        for split in ("months", "time") if args.ged else ():
            table = Path(folder) / f"{split}.csv"
            sample = ["--max-docs", str(fewer), "--split", split, *DATES]
            run(str(GED_DOCUMENTS), str(args.ged), str(table), *sample)
            options = ["--target", "log_deaths", "--group", "month", "--time", "date"]
            options += ["--split-column", "split"]
            convert(table, args.output / f"conflict-{split}", fewer, options)


def manifesto_tables(path: Path | None, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the sentences on each policy: each sentence was coded on one of the two."""
    for target in ("economic", "social") if path else ():
        sentences = pd.read_csv(path)
        if target not in sentences:
            raise SystemExit(f"{path} has no column {target!r}. It has {list(sentences)}.")
        table = folder / f"{target}.csv"
        sentences[sentences[target].notna()].to_csv(table, index=False)
        yield target, table


def convert(table: Path, output: Path, max_docs: int, options: list[str]) -> None:
    columns = ["--text", "text", "--id", "id", "--max-docs", str(max_docs)]
    run("-m", "spacy", "bertreg", "convert", str(table), str(output), *columns, *options)


def run(*command: str) -> None:
    """Run a command of Python. Where it fails, it has said why, and this program ends."""
    if code := subprocess.run([sys.executable, *command]).returncode:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
