"""From a table of texts and numbers to spaCy's training format."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spacy
from spacy.tokens import Doc, DocBin

from .annotations import TARGETS
from .covariates import COVARIATES, LOG_LENGTH
from .files import check_files, check_folder, write_whole
from .splits import (
    SPLITS,
    count_shared,
    first_ids,
    split_by_column,
    split_by_date,
    split_by_group,
)
from .tables.columns import (
    CONTROL,
    check_columns,
    check_unique,
    control_warning,
    parse_numbers,
    parse_weights,
    require_dates,
    require_names,
    require_texts,
)
from .tables.decimals import detect_decimal
from .tables.kinds import TableOptions
from .tables.read import read_table, with_labels
from .weights import WEIGHT

SHARES = (0.7, 0.1, 0.2)
WORD_PERCENTILES = (0, 25, 50, 75, 100)
TARGET_PERCENTILES = (5, 25, 50, 75, 95)
BARS = np.array(list("▁▂▃▄▅▆▇█"))


def convert(
    path: str | Path,
    output: str | Path,
    *,
    targets: Sequence[str],
    text: str = "text",
    id_column: str | None = None,
    group: str | None = None,
    time: str | None = None,
    covariates: Sequence[str] = (),
    weight: str | None = None,
    label: str | None = None,
    drop_empty: bool = False,
    max_docs: int | None = None,
    shares: Sequence[float] | None = None,
    dev_from: str | None = None,
    test_from: str | None = None,
    split_column: str | None = None,
    seed: int = 0,
    lang: str = "en",
    encoding: str = "utf-8",
    separator: str | None = None,
    quoting: str = "auto",
    decimal: str | None = None,
    sheet: str | None = None,
) -> pd.DataFrame:
    """Write a table of texts and numbers as train.spacy, dev.spacy and test.spacy.

    Documents hold the targets in `doc.cats`, and `id`, `group`, `time`, `covariates` (a dict) and
    `weight` in `doc.user_data`.

    path (str | Path): Table with a header: .csv, .tsv, .jsonl, each also with .gz, or .parquet,
        .xlsx, .dta or .sav.
    output (str | Path): Folder to write to.
    targets (Sequence[str]): Columns with numbers. An empty cell is unknown.
    text (str): Column with the texts.
    id_column (str | None): Column with a different name for each document; None for row numbers.
    group (str | None): Column with the group of each document, such as its author. A random split
        keeps groups whole; other splits only store them. None to group equal texts, under the id
        of the first.
    time (str | None): Column with ISO dates (with or without a time of day), months or years.
    covariates (Sequence[str]): Columns with numbers for the regressors' `covariates`. An empty cell
        is unknown.
    weight (str | None): Column with numbers of 0 or more: how much a document counts in training.
    label (str | None): Column with the class of each document, for spaCy's `textcat`. Classes are
        then written to `doc.cats`, and targets to `doc.user_data["targets"]`.
    drop_empty (bool): Whether to leave out rows without a text, which are an error otherwise.
    max_docs (int | None): Number of documents to draw at random; None for all.
    shares (Sequence[float] | None): Shares of train, dev and test, drawn at random; 0 leaves a
        file out. None for 0.7, 0.1 and 0.2, unless another way to split is given.
    dev_from (str | None): First date of dev, to split by `time`; earlier documents are in train.
    test_from (str | None): First date of test.
    split_column (str | None): Column that says train, dev or test, to split by it.
    seed (int): Seed of the random split and of `max_docs`.
    lang (str): Language of the texts, for spaCy's tokenizer.
    encoding (str), separator (str | None), quoting (str), decimal (str | None), sheet (str | None):
        How the table is written, see `TableOptions`.
    RETURNS (DataFrame): A row for each split and target: numbers of documents and of known values;
        mean, standard deviation, minimum and maximum; percentiles of the target (`p50`) and of the
        words per document (`words_p50`); and a histogram in ten bins, the same for all splits. Its
        `attrs["shared_groups"]` is the number of groups that are in more than one split,
        `attrs["notes"]` says what was detected in the table, and `attrs["warnings"]` what may be
        wrong with it.
    RAISES (ValueError, FileNotFoundError, ImportError): Wrong input, or a package is missing; the
        message names file, column and row. Nothing is written.
    """
    path, output = Path(path), Path(output)
    check_folder(output)
    check_files([output / f"{name}.spacy" for name in SPLITS], [path])
    if not targets:
        raise ValueError("No target column is named. Expected some, such as --target rating.")
    if LOG_LENGTH in covariates:
        raise ValueError(
            f"--covariate {LOG_LENGTH} is computed from the document, and needs no column. Expected"
            " it in the config only, or another name for the column."
        )
    _check_split_options(shares, dev_from, test_from, split_column, time)
    table = read_table(path, TableOptions(encoding, separator, quoting, decimal, sheet))
    check_columns(
        table,
        [text, *targets, id_column, group, time, *covariates, weight, label, split_column],
        path,
    )
    column = with_labels(table, text)
    is_kept = np.ones(len(table), dtype=bool)
    if drop_empty:
        is_kept = ~(column.isna() | (column.astype(str).str.strip() == "")).to_numpy()
        column = column.where(is_kept, "left out")
    texts = require_texts(column, path)
    values = pd.DataFrame({name: parse_numbers(table[name], path, decimal) for name in targets})
    labels = None if label is None else require_names(with_labels(table, label), path, "a label")
    ids = [str(row) for row in range(1, len(table) + 1)]
    if id_column is not None:
        ids = require_names(with_labels(table, id_column), path, "an id")
        check_unique(ids, table[id_column], path)
    groups = first_ids(texts, ids)
    if group is not None:
        groups = require_names(with_labels(table, group), path, "a group")
    dates = None if time is None else require_dates(table[time], path)
    user_data: dict[str, Sequence[Any]] = {"id": ids, "group": groups}
    if time is not None:
        user_data["time"] = [str(value).strip() for value in table[time]]
    if covariates:
        columns = [parse_numbers(table[name], path, decimal) for name in covariates]
        # None and not NaN, as in JSON.
        user_data[COVARIATES] = [
            {name: None if math.isnan(x) else x for name, x in zip(covariates, row, strict=True)}
            for row in zip(*columns, strict=True)
        ]
    if weight is not None:
        user_data[WEIGHT] = parse_weights(table[weight], path, decimal)
    rows = _sample(np.flatnonzero(is_kept), max_docs, seed)
    # It stays empty for rows that are left out.
    split = np.full(len(table), "", dtype=object)
    if split_column is not None:
        split[rows] = split_by_column(with_labels(table, split_column), path)[rows]
    elif dates is not None and dev_from is not None and test_from is not None:
        split[rows] = split_by_date(dates.iloc[rows], dev_from, test_from)
    else:
        chosen = [groups[row] for row in rows]
        split[rows] = split_by_group(chosen, SHARES if shares is None else shares, seed)

    tokenizer = _get_tokenizer(lang)
    known = [
        {t: y for t, y in row.items() if not math.isnan(y)} for row in values.to_dict("records")
    ]
    classes = list(dict.fromkeys(labels or ()))
    n_words = np.zeros(len(texts), dtype=int)
    files: dict[Path, bytes] = {}
    for part in SPLITS:
        docs = DocBin(store_user_data=True)
        for row in map(int, np.flatnonzero(split == part)):
            doc = tokenizer(texts[row])
            if labels is None:
                doc.cats = known[row]
            else:
                doc.user_data[TARGETS] = known[row]
                doc.cats = {name: float(name == labels[row]) for name in classes}
            doc.user_data.update({key: column[row] for key, column in user_data.items()})
            n_words[row] = sum(any(map(str.isalnum, token.text)) for token in doc)
            docs.add(doc)
        if len(docs):
            files[output / f"{part}.spacy"] = docs.to_bytes()
    write_whole(files)
    summary = _summarize(values, n_words, split)
    numeric = [name for name in (*targets, *covariates, weight) if name is not None]
    n_controls = sum(CONTROL.search(texts[row]) is not None for row in rows)
    summary.attrs = {
        "shared_groups": count_shared([groups[row] for row in rows], split[rows]),
        "notes": [*table.attrs.get("notes", []), *_number_notes(table, numeric, decimal)],
        "warnings": [control_warning(n_controls)] if n_controls else [],
    }
    return summary


def _sample(rows: np.ndarray, max_docs: int | None, seed: int) -> np.ndarray:
    if max_docs is None or max_docs >= len(rows):
        return rows
    if max_docs < 1:
        raise ValueError(f"max_docs is {max_docs}. Expected 1 or more.")
    return np.sort(np.random.default_rng(seed).choice(rows, max_docs, replace=False))


def _check_split_options(
    shares: Sequence[float] | None,
    dev_from: str | None,
    test_from: str | None,
    split_column: str | None,
    time: str | None,
) -> None:
    by_date = dev_from is not None or test_from is not None
    ways = {
        "--split": shares is not None,
        "--dev-from and --test-from": by_date,
        "--split-column": split_column is not None,
    }
    asked = [way for way, given in ways.items() if given]
    if len(asked) > 1:
        raise ValueError(f"More than one way to split is given: {'; '.join(asked)}. Expected one.")
    if by_date and (dev_from is None or test_from is None or time is None):
        raise ValueError(
            f"For a split by date, --time is {time}, --dev-from {dev_from} and --test-from "
            f"{test_from}. Expected all three."
        )


def _get_tokenizer(lang: str) -> Callable[[str], Doc]:
    try:
        spacy.util.get_lang_class(lang)
    except ImportError as error:
        raise ValueError(
            f"spaCy has no language {lang!r}. Expected a code such as en, de or xx."
        ) from error
    try:
        return spacy.blank(lang).tokenizer
    except ImportError as error:
        raise ImportError(f"The language {lang!r} needs another package: {error}") from error


def _number_notes(table: pd.DataFrame, columns: Sequence[str], decimal: str | None) -> list[str]:
    """Say how numbers were read if no decimal sign was given, and which numbers have labels."""
    notes = []
    what = {",": "a decimal comma", ".": "a decimal point, and thousands grouped by commas"}
    for name in dict.fromkeys(columns):
        sign = detect_decimal(table[name])[0] if decimal is None else None
        if sign is not None:
            notes.append(f"The numbers of {name!r} have {what[sign]}")
        if labels := table.attrs.get("labels", {}).get(name):
            found = ", ".join(f"{str(n).removesuffix('.0')} = {text}" for n, text in labels.items())
            # A label may say that its number stands for a missing answer.
            notes.append(f"Some numbers of {name!r} have labels, and are read as numbers: {found}")
    return notes


def _summarize(values: pd.DataFrame, n_words: np.ndarray, split: np.ndarray) -> pd.DataFrame:
    """Describe documents and targets of each split, see `convert`."""
    rows = []
    for name in [name for name in SPLITS if name in split]:
        inside = split == name
        lengths = np.percentile(n_words[inside], WORD_PERCENTILES).round().astype(int)
        for target in values.columns:
            chosen = values.loc[inside, target]
            stats = {
                "mean": chosen.mean(),
                "std": chosen.std(ddof=0),
                "min": chosen.min(),
                "max": chosen.max(),
                **{f"p{p}": chosen.quantile(p / 100) for p in TARGET_PERCENTILES},
            }
            rows.append(
                {
                    "split": name,
                    "target": target,
                    "documents": len(chosen),
                    **{f"words_p{p}": n for p, n in zip(WORD_PERCENTILES, lengths, strict=True)},
                    "known": chosen.count(),
                    **{stat: f"{value:.3f}" for stat, value in stats.items()},
                    "histogram": _histogram(chosen.dropna(), values[target]),
                }
            )
    return pd.DataFrame(rows)


def _histogram(chosen: pd.Series, values: pd.Series) -> str:
    """Draw a histogram of chosen values, in ten bins over the range of all values."""
    if chosen.empty:
        return ""
    counts, _ = np.histogram(chosen, bins=10, range=(values.min(), values.max()))
    # Rounded up, so that only an empty bin has the lowest bar.
    return "".join(BARS[np.ceil(counts / counts.max() * (len(BARS) - 1)).astype(int)])
