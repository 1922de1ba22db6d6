"""Draw R² of a plain list, a distilled one and its teacher by number of rated texts.

    python scripts/plot_distil.py report/300 report/735 report/2940 --output report

Each folder is one that `compare --share plain distilled bert --output` wrote, and is called by the
number of rated texts. Writes distil.csv, .png and .svg, and prints the table.
"""

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("agg")
import matplotlib.pyplot as plt

from spacy_bertreg.cli.terminal import make_printing_safe

MODELS = {"bert": "BERT", "distilled": "list learned from ratings and BERT", "plain": "list"}
COLOURS = {"bert": "#009e73", "distilled": "#d55e00", "plain": "#0072b2"}
ENDS = ("", "_low", "_high")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", type=Path, nargs="+", help="folders that compare wrote")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    args = parser.parse_args()
    make_printing_safe()
    table = pd.DataFrame([read(folder) for folder in args.reports])
    args.output.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.output / "distil.csv", index=False)
    figure = draw(table)
    for ending in ("png", "svg"):
        figure.savefig(args.output / f"distil.{ending}", dpi=150)
    print(to_markdown(table))


def read(folder: Path) -> dict[str, float]:
    """Read a comparison.

    RETURNS (dict): `rated`; R² of each model, the distilled list's `gain` over the plain one, the
        BERT's `lead` over it, and the `share` of that which survives, each with `_low` and `_high`.
    """
    path = folder / "comparison.json"
    if not path.is_file() or not folder.name.isdigit():
        raise SystemExit(
            f"{path} is not there, or its folder is not called by a number of rated texts. "
            "Expected a folder that `compare --output` wrote."
        )
    data = json.loads(path.read_text(encoding="utf-8"))
    row: dict[str, float] = {"rated": int(folder.name)}
    scores = {score["model"]: score for score in data["scores"]}
    for model in reversed(MODELS):
        row |= {f"{model}{end}": scores[model][f"r2{end}"] for end in ENDS}
    (share,) = data["shares"]
    return row | {
        f"{n}{end}": share[f"{n}{end}"] for n in ("gain", "lead", "share") for end in ENDS
    }


def draw(table: pd.DataFrame) -> plt.Figure:
    """Draw R² with intervals, a line a model."""
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for place, (model, title) in enumerate(MODELS.items()):
        low, high = table[f"{model}_low"], table[f"{model}_high"]
        # Beside each other, so that no interval hides another.
        x = table["rated"] * 1.02 ** (place - 1)
        spread = [table[model] - low, high - table[model]]
        colour = COLOURS[model]
        axes.errorbar(x, table[model], spread, label=title, color=colour, marker="o", capsize=3)
    axes.set_xscale("log")
    axes.set_xticks(table["rated"], [f"{n:,}" for n in table["rated"]])
    axes.minorticks_off()
    axes.set_xlabel("rated texts")
    axes.set_ylabel("R² on the test set")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure


def to_markdown(table: pd.DataFrame) -> str:
    """Write the table as the docs have it."""
    titles = {"plain": "list", "distilled": "distilled list", "bert": "BERT", "gain": "gain"}
    lines = [
        "| Rated texts | " + " | ".join([*titles.values(), "share of BERT's lead"]) + " |",
        "| ---: |" + " ---: |" * (len(titles) + 1),
    ]
    for row in table.to_dict("records"):
        cells = [format_cell(row, name, "+.3f" if name == "gain" else ".3f") for name in titles]
        cells.append(format_cell(row, "share", ".0%"))
        lines.append(f"| {row['rated']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def format_cell(row: dict[str, float], name: str, template: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ENDS)
    return "–" if pd.isna(value) else f"{value:{template}} [{low:{template}}, {high:{template}}]"


if __name__ == "__main__":
    main()
