"""Read what `compare` writes, and what training leaves beside a pipeline."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# Keys that entries of each list in comparison.json must have. Others may be missing: a dash.
REQUIRED = {
    "models": ("name", "kind", "runs"),
    "scores": ("model", "target", "n", "r2"),
    "runs": ("model", "run", "target"),
    "differences": ("model", "baseline", "target"),
    "verdicts": ("target", "sentence"),
    "warnings": (),
}
# The same for lists that only some comparisons have.
OPTIONAL = {"folds": ("model", "target", "repeat", "fold", "r2")}
DOCUMENT_COLUMNS = ["target", "id", "group", "length", "gold"]


@dataclass(frozen=True)
class Results:
    """What `compare` wrote.

    comparison (dict): comparison.json.
    documents (DataFrame): For each target and document `target`, `id`, `group`, `length` and
        `gold`.
    predictions (DataFrame): The same rows: for each model the mean of its runs' predictions.
    """

    comparison: dict[str, Any]
    documents: pd.DataFrame
    predictions: pd.DataFrame

    @property
    def targets(self) -> list[str]:
        """The targets, in the order of the comparison."""
        return list(dict.fromkeys(row["target"] for row in self.comparison["scores"]))

    def rows(self, table: str, target: str) -> list[dict[str, Any]]:
        """Get a target's rows of a table: "scores", "runs", "differences", "coverage", "folds"."""
        return [row for row in self.comparison.get(table, ()) if row["target"] == target]

    def models(self) -> list[str]:
        """List all models but the baselines."""
        return [m["name"] for m in self.comparison["models"] if m["kind"] != "baseline"]

    def of_target(self, target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Get a target's documents, and the predictions of the models, without the baselines, that
        have any."""
        rows = self.documents["target"] == target
        predictions = self.predictions.loc[rows, self.models()]
        return self.documents[rows], predictions.dropna(axis="columns", how="all")


def read_results(folder: Path) -> Results:
    """Read what `compare` wrote.

    folder (Path): Where it wrote to.
    RETURNS (Results): What it wrote.
    RAISES (FileNotFoundError, ValueError): A file is missing or not as `compare` writes it.
    """
    comparison = _read_comparison(folder / "comparison.json")
    path = folder / "predictions.csv"
    _require_file(path)
    columns = {model["name"]: _columns(model) for model in comparison["models"]}
    table = _read_csv(
        path,
        [*DOCUMENT_COLUMNS, *(name for names in columns.values() for name in names)],
        " Expected it from the same run of `compare` as comparison.json.",
    )
    documents = table[DOCUMENT_COLUMNS].copy()
    for column in ("length", "gold"):
        documents[column] = _numbers(table[column], path)
    means = {
        model: pd.DataFrame({name: _numbers(table[name], path) for name in names}).mean(axis=1)
        for model, names in columns.items()
    }
    return Results(comparison, documents, pd.DataFrame(means, index=table.index))


def read_curves(comparison: dict[str, Any]) -> list[tuple[str, pd.DataFrame]]:
    """Read the logs of training that spacy.ConsoleLogger.v3 wrote beside the pipelines.

    comparison (dict): comparison.json.
    RETURNS (list[tuple[str, DataFrame]]): For each run with a log, the model, and `step` and `r2`
        on the dev set.
    """
    curves = []
    for model in comparison["models"]:
        for run in model["runs"]:
            path = Path(run["path"]).parent / "log.jsonl" if run.get("path") else None
            if model["kind"] != "pipeline" or path is None or not path.is_file():
                continue
            points = []
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    # The logger writes metrics times 100.
                    points.append((entry["step"], entry["scores"]["reg_r2"] / 100))
                except (ValueError, KeyError, TypeError):
                    # Another logger's line, or the last of a run that was cut off.
                    continue
            if points:
                curves.append((model["name"], pd.DataFrame(points, columns=["step", "r2"])))
    return curves


def read_sizes(folder: Path) -> pd.DataFrame | None:
    """Read scores of models that learned from part of the training documents.

    folder (Path): Where sizes.csv may be.
    RETURNS (DataFrame | None): `model`, `n_documents`, `seed` and `r2`; None if there is no file.
    RAISES (ValueError): A column is missing, or holds anything but numbers.
    """
    path = folder / "sizes.csv"
    if not path.is_file():
        return None
    table = _read_csv(path, ["model", "n_documents", "seed", "r2"])
    for column in ("n_documents", "r2"):
        table[column] = _numbers(table[column], path)
    table = table[table["n_documents"] > 0].dropna(subset=["r2"])
    return table if len(table) else None


def _read_comparison(path: Path) -> dict[str, Any]:
    _require_file(path)
    try:
        # NaN is not JSON, but Python writes and reads it: undefined.
        text = path.read_text(encoding="utf-8")
        comparison = json.loads(text, parse_constant=lambda _: None)
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    for name, kind in (("test", str), ("interval", dict)):
        if not isinstance(comparison, dict) or not isinstance(comparison.get(name), kind):
            raise ValueError(f"{path} is not what `compare` writes: it has no {name!r}.")
    for name, keys in (REQUIRED | OPTIONAL).items():
        rows = comparison.get(name, [] if name in OPTIONAL else None)
        if not isinstance(rows, list):
            raise ValueError(f"{path} is not what `compare` writes: it has no list {name!r}.")
        for i, row in enumerate(rows):
            missing = [key for key in keys if not isinstance(row, dict) or key not in row]
            if missing:
                raise ValueError(f"{path}: entry {i} of {name!r} has no {', '.join(missing)}.")
    return comparison


def _read_csv(path: Path, columns: Iterable[str], expected: str = "") -> pd.DataFrame:
    try:
        # As text: an id may look like a number, or be called "NA".
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from error
    for column in columns:
        if column not in table.columns:
            found = ", ".join(table.columns)
            raise ValueError(f"{path} has no column {column!r}. It has: {found}.{expected}")
    return table


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected {path}. Run `python -m spacy bertreg compare ... --output {path.parent}` "
            "first."
        )


def _columns(model: dict[str, Any]) -> list[str]:
    runs = model["runs"]
    return [f"{model['name']}:{r['run']}" for r in runs] if len(runs) > 1 else [model["name"]]


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    try:
        numbers = pd.to_numeric(column.where(column != ""))
    except ValueError as error:
        raise ValueError(f"{path}, column {column.name!r}: {error}. Expected numbers.") from error
    return numbers.astype(float).replace([np.inf, -np.inf], np.nan)
