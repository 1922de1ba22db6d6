"""Draw how R² on the test set depends on what of the BERT learned, and write the figures as CSV."""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("agg")
import matplotlib.pyplot as plt

from spacy_bertreg.cli.terminal import make_printing_safe

# Not more of the same blocks, but other parameters.
APART = ("biases (BitFit)", "LoRA")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("metrics", type=Path, help="folder that train_freezing.py wrote")
    parser.add_argument("report", type=Path, help="folder for freezing.csv, .png and .svg")
    args = parser.parse_args()
    make_printing_safe()
    table = read(args.metrics)
    args.report.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.report / "freezing.csv", index=False)
    figure = draw(table)
    for ending in ("png", "svg"):
        figure.savefig(args.report / f"freezing.{ending}", dpi=150)
    means = table.groupby(["level", "trained"], sort=False)[["r2", "mse"]].agg(["mean", "std"])
    print(means.round(3).to_string())


def read(folder: Path) -> pd.DataFrame:
    """Read the scores that `train_freezing.py` wrote.

    RETURNS (DataFrame): `level`, `seed`, `trained` (number of parameters that learned), `r2` and
        `mse` of each run, from least to most that learned.
    """
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not runs:
        raise SystemExit(f"{folder} has no scores. Run train_freezing.py before.")
    rows = [[r["level"], r["seed"], r["trained"], r["reg_r2"], r["reg_mse"]] for r in runs]
    table = pd.DataFrame(rows, columns=["level", "seed", "trained", "r2", "mse"])
    return table.sort_values(["trained", "seed"], ignore_index=True)


def draw(table: pd.DataFrame) -> plt.Figure:
    """Draw R² against what learned: a point a run, and a line through the means of the levels by
    blocks."""
    figure, axes = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    groups = table.groupby(["trained", "level"], sort=True)["r2"]
    means = groups.agg(["mean", "min", "max"]).reset_index()
    is_apart = means["level"].isin(APART)
    # Evenly spaced: on a scale, however logarithmic, all but the first would lie on each other.
    for rows, color, style in (
        (means[~is_apart], "#0072b2", "-"),
        (means[is_apart], "#d55e00", ""),
    ):
        spread = [rows["mean"] - rows["min"], rows["max"] - rows["mean"]]
        axes.errorbar(rows.index, rows["mean"], spread, color=color, ls=style, capsize=4, lw=1.5)
        runs = table[table["level"].isin(rows["level"])]
        places = runs["level"].map({level: x for x, level in rows["level"].items()})
        axes.plot(places, runs["r2"], "o", color=color, alpha=0.5)
    names = means["level"].str.replace("all but ", "all but\n").str.replace(" (", "\n(")
    counts = means["trained"].map(lambda n: f"{n / 1e6:.1f} M" if n >= 1e5 else f"{n:,}")
    axes.set_xticks(means.index, names + "\n" + counts)
    axes.set_xlabel("what learned, and its number of parameters")
    axes.set_ylabel("R² on the test set")
    n_seeds = table["seed"].nunique()
    title = (
        f"What a BERT gains by learning ({n_seeds} seeds; dots: runs, line: means of whole blocks)"
    )
    axes.set_title(title, size=11)
    axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
