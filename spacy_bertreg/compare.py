"""Pipelines compared on the same test set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

import pandas as pd
import spacy
from spacy.training import Corpus
from wasabi import MarkdownRenderer

from .files import write_whole
from .metrics import METRICS

TITLES = {
    "r2": "R²",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "pearson": "Pearson",
    "spearman": "Spearman",
}


@dataclass(frozen=True)
class Comparison:
    """Scores of models, and how they differ.

    scores (DataFrame): For each model and target: `model`, `target`, `n`, and the metrics `r2`,
        `mse`, `rmse`, `mae`, `pearson`, `spearman`.
    differences (DataFrame): For each target and pair of models, `model` and `baseline`:
        `r2_change` and `mse_change`, the difference from the baseline as a share of the
        baseline's value, as Wang 2024 states them. NaN in R² where the baseline's is not positive.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame

    def formatted(self) -> list[pd.DataFrame]:
        """RETURNS (list[DataFrame]): Both tables as texts, with titles, for people."""
        scores = pd.DataFrame(
            {
                "Model": self.scores["model"],
                "Target": self.scores["target"],
                "n": self.scores["n"].astype(str),
                **{TITLES[m]: self.scores[m].map(lambda v: _number(v, "{:.3f}")) for m in METRICS},
            }
        )
        differences = pd.DataFrame(
            {
                "Comparison": self.differences["model"] + " vs. " + self.differences["baseline"],
                "Target": self.differences["target"],
                "R²": self.differences["r2_change"].map(lambda v: _number(v, "{:+.1%}")),
                "MSE": self.differences["mse_change"].map(lambda v: _number(v, "{:+.1%}")),
            }
        )
        return [scores, differences] if len(differences) else [scores]


def compare(test: str | Path, pipelines: Sequence[str]) -> Comparison:
    """Score trained pipelines on one test set.

    test (str | Path): A .spacy file with observed targets.
    pipelines (Sequence[str]): Folders or packages, or NAME=FOLDER. Without NAME, a folder
        .../NAME/model-best is called NAME.
    RETURNS (Comparison): The scores in the order given, and the differences of each from those
        before it.
    RAISES (ValueError): Two pipelines of one name, a folder without a pipeline, a pipeline
        without a regressor, or a test set without values for its targets.
    """
    test = Path(test)
    if not test.is_file():
        raise FileNotFoundError(f"Test set {test} does not exist. Expected a .spacy file.")
    rows = []
    names = [_name_and_path(pipeline)[0] for pipeline in pipelines]
    if len(set(names)) < len(names):
        raise ValueError(f"Models need different names, not {', '.join(names)}. Use NAME=FOLDER.")
    for pipeline in pipelines:
        name, path = _name_and_path(pipeline)
        rows += _score(name, path, test)
    scores = pd.DataFrame(rows).sort_values("target", kind="stable", ignore_index=True)
    return Comparison(scores, _differences(scores))


def write_comparison(comparison: Comparison, folder: str | Path) -> list[Path]:
    """Write comparison.csv and differences.csv with full precision, and comparison.md.

    comparison (Comparison): What `compare` gave.
    folder (str | Path): Where to; made if missing.
    RETURNS (list[Path]): The files.
    """
    folder = Path(folder)
    markdown = MarkdownRenderer()
    for table in comparison.formatted():
        aligns: list[Literal["r", "c", "l"]] = ["r"] * table.shape[1]
        aligns[0] = "l"
        markdown.add(markdown.table(table.values.tolist(), list(table.columns), aligns=aligns))
    contents = {
        "comparison.csv": comparison.scores.to_csv(index=False),
        "differences.csv": comparison.differences.to_csv(index=False),
        "comparison.md": markdown.text + "\n",
    }
    files = {folder / name: content.encode("utf-8") for name, content in contents.items()}
    write_whole(files)
    return list(files)


def _name_and_path(pipeline: str) -> tuple[str, str]:
    if "=" in pipeline:
        name, _, folder = pipeline.partition("=")
        return name, folder
    path = Path(pipeline)
    is_checkpoint = path.name in ("model-best", "model-last") and path.parent.name
    return (path.parent.name if is_checkpoint else path.name), pipeline


def _score(name: str, path: str, test: Path) -> list[dict]:
    nlp = spacy.load(path)
    per_target = nlp.evaluate(list(Corpus(test)(nlp))).get("reg_per_target")
    if not per_target:
        raise ValueError(f"The pipeline {path} has no regressor. It has: {nlp.pipe_names}.")
    for target, scores in per_target.items():
        if not scores["n"]:
            raise ValueError(f"{test} has no values for {target!r}, which {path} predicts.")
    return [{"model": name, "target": target, **s} for target, s in per_target.items()]


def _differences(scores: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for target, models in scores.groupby("target", sort=False):
        for (_, baseline), (_, model) in combinations(models.iterrows(), 2):
            rows.append(
                {
                    "model": model["model"],
                    "baseline": baseline["model"],
                    "target": target,
                    "r2_change": _relative(model["r2"], baseline["r2"]),
                    "mse_change": _relative(model["mse"], baseline["mse"]),
                }
            )
    columns = ["model", "baseline", "target", "r2_change", "mse_change"]
    return pd.DataFrame(rows, columns=columns)


def _relative(value: float | None, baseline: float | None) -> float:
    if value is None or baseline is None or not baseline > 0:
        return math.nan
    return (value - baseline) / baseline


def _number(value: float | None, template: str) -> str:
    return "–" if value is None or pd.isna(value) else template.format(value)
