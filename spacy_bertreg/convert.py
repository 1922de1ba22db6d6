"""From a table of texts and numbers to spaCy's training format."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import spacy
from spacy.tokens import DocBin

from .files import write_whole

SPLITS = ("train", "dev", "test")
UNKNOWN = {"", "na", "nan", "n/a", "null", "none"}


def convert(
    path: str | Path,
    output: str | Path,
    *,
    targets: Sequence[str],
    text: str = "text",
    id_column: str | None = None,
    group: str | None = None,
    shares: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    lang: str = "en",
) -> pd.DataFrame:
    """Write train.spacy, dev.spacy and test.spacy. Documents hold the targets in `doc.cats`, and
    `id` and `group` in `doc.user_data`.

    path (str | Path): Table with a header, UTF-8: .csv, .tsv, .jsonl or .parquet.
    output (str | Path): Folder to write to.
    targets (Sequence[str]): Columns with numbers. An empty cell is unknown.
    text (str): Column with the texts.
    id_column (str | None): Column that names a document; None for the number of the row.
    group (str | None): Column whose values must not be in two splits, such as the author. None
        to keep only equal texts together.
    shares (Sequence[float]): Shares of train, dev and test; 0 leaves a file out.
    seed (int): Seed of the split.
    lang (str): Language of the texts, for spaCy's tokenizer.
    RETURNS (DataFrame): For each split and target: documents, known values, their mean, standard
        deviation, least and greatest.
    RAISES (ValueError): Wrong input; the message names file, column and row. Nothing is written.
    """
    path, output = Path(path), Path(output)
    if not targets:
        raise ValueError("No target column is named. Expected at least one, as --target rating.")
    table = read_table(path)
    for column in [text, *targets, id_column, group]:
        if column is not None and column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}. It has: {', '.join(table.columns)}."
            )
    texts = _texts(table[text], path)
    values = pd.DataFrame({target: _numbers(table[target], path) for target in targets})
    ids = [str(i) for i in (table.index + 1 if id_column is None else table[id_column])]
    groups = texts if group is None else table[group].astype(str).tolist()
    split = split_by_group(groups, shares, seed)

    nlp = _blank(lang)
    files: dict[Path, bytes] = {}
    for name in SPLITS:
        rows = np.flatnonzero(split == name)
        if not len(rows):
            continue
        bin_ = DocBin(store_user_data=True)
        for row in rows:
            doc = nlp.make_doc(texts[row])
            known = {t: float(values[t][row]) for t in targets if not math.isnan(values[t][row])}
            doc.cats.update(known)
            doc.user_data["id"] = ids[row]
            doc.user_data["group"] = groups[row]
            bin_.add(doc)
        files[output / f"{name}.spacy"] = bin_.to_bytes()
    write_whole(files)
    return _summary(values, split)


def read_table(path: Path) -> pd.DataFrame:
    """path (Path): A .csv, .tsv, .jsonl or .parquet file. RETURNS (DataFrame): Its rows.
    RAISES (ValueError, FileNotFoundError, ImportError): It can't be read as what its name says.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a table of texts and numbers.")
    ending = path.suffix.lower()
    try:
        if ending in (".csv", ".tsv"):
            separator = "," if ending == ".csv" else "\t"
            # As text: what is a number, and what is missing, is for the columns to say.
            table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
        elif ending == ".jsonl":
            table = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
        elif ending == ".parquet":
            table = pd.read_parquet(path)
        else:
            raise ValueError(
                f"its name ends in {ending!r}; expected .csv, .tsv, .jsonl or .parquet"
            )
    except ImportError as error:
        raise ImportError(
            f"Reading {path} takes pyarrow: pip install 'spacy-bertreg[parquet]'"
        ) from error
    except ValueError as error:
        raise ValueError(f"Can't read {path}: {error}.") from error
    if ending in (".csv", ".tsv") and not isinstance(table.index, pd.RangeIndex):
        # pandas takes what is too much in every row for names of the rows, and shifts the columns.
        raise ValueError(f"Can't read {path}: its rows have more fields than its header.")
    if table.empty:
        raise ValueError(f"{path} has no rows below its header.")
    return table


def split_by_group(groups: Sequence[str], shares: Sequence[float], seed: int) -> np.ndarray:
    """Draw train, dev and test at random, keeping groups whole.

    groups (Sequence[str]): The group of each document.
    shares (Sequence[float]): Wished shares of documents; met as closely as the groups allow.
    seed (int): Seed of the draw.
    RETURNS (ndarray): "train", "dev" or "test" for each document.
    RAISES (ValueError): Shares that are negative or don't sum to 1, or a split without documents.
    """
    if len(shares) != 3 or min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ValueError(f"The shares of the splits are {tuple(shares)}. Expected 3 that sum to 1.")
    codes, unique = pd.factorize(np.asarray(groups, dtype=object))
    order = np.random.default_rng(seed).permutation(len(unique))
    sizes = np.bincount(codes)[order]
    # A group goes where the middle of its documents falls.
    middles = (np.cumsum(sizes) - sizes / 2) / len(codes)
    chosen = np.searchsorted(np.cumsum(shares)[:2], middles, side="right")
    split_of_group = np.empty(len(unique), dtype=int)
    split_of_group[order] = chosen
    split = np.array(SPLITS)[split_of_group[codes]]
    for name, share in zip(SPLITS, shares, strict=True):
        if share > 0 and name not in split:
            raise ValueError(
                f"The split {name!r} (share {share:g}) would be empty: {len(codes)} documents in "
                f"{len(unique)} groups are too few."
            )
    return split


def _texts(column: pd.Series, path: Path) -> list[str]:
    for row, value in enumerate(column, start=1):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(
                f"{path}, row {row}, column {column.name!r}: found {value!r}. Expected a text."
            )
    return column.tolist()


def _numbers(column: pd.Series, path: Path) -> list[float]:
    numbers = []
    for row, value in enumerate(column, start=1):
        try:
            unknown = value is None or str(value).strip().lower() in UNKNOWN
            number = math.nan if unknown else float(value)
        except (TypeError, ValueError):
            number = math.inf
        if math.isinf(number):
            raise ValueError(
                f"{path}, row {row}, column {column.name!r}: found {value!r}. Expected a finite "
                "number, or nothing where it is unknown."
            )
        numbers.append(number)
    return numbers


def _blank(lang: str) -> spacy.Language:
    try:
        return spacy.blank(lang)
    except ImportError as error:
        raise ValueError(
            f"spaCy has no language {lang!r}. Expected a code as en, de or xx."
        ) from error


def _summary(values: pd.DataFrame, split: np.ndarray) -> pd.DataFrame:
    rows = []
    for name in SPLITS:
        for target in values.columns:
            chosen = values.loc[split == name, target]
            if len(chosen):
                stats = [chosen.mean(), chosen.std(ddof=0), chosen.min(), chosen.max()]
                rows.append(
                    [name, target, len(chosen), chosen.count(), *(f"{s:.3f}" for s in stats)]
                )
    columns = ["split", "target", "documents", "known", "mean", "std", "min", "max"]
    return pd.DataFrame(rows, columns=columns)
