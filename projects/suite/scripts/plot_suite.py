"""Put R² of all models on all sets into one table and one figure.

    python scripts/plot_suite.py report --raters ../../assets/raters

Each folder in report that `compare` wrote from a cross-validation is a set, and is called by its
name. Writes suite.csv, suite.md, suite.png and suite.svg there, and prints the table. The ceiling
is the R² that the expected rating of each text would reach: what is missing to 1 is chance of who
rated it.

With --add-to, a suite.csv of an earlier run comes first, and report adds the sets and models that
it lacks: the whole takes longer than a night. results.csv has the figures of the docs.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("agg")
import matplotlib.pyplot as plt

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.data.files import write_whole

# In the order of project.yml; others come behind.
SETS = {
    "tweets": "tweets",
    "amazon": "Amazon",
    "nyt": "editorials",
    "movies": "films",
    "manifestos": "manifestos",
    "empathic": "reactions",
    "conflict": "conflict",
}
# Their tables of raters, as fetch.py writes them.
RATERS = {
    "tweets": "tweets",
    "amazon": "amazonReviewSnippets",
    "nyt": "nytEditorialSnippets",
    "movies": "movieReviewSnippets",
}
# In the order of the table; others come behind.
COLOURS = {
    "dictionary": "#56b4e9",
    "dictionary-best": "#0072b2",
    "distilled": "#999999",
    "frozen": "#d55e00",
    "lora": "#cc79a7",
    "full": "#009e73",
}
OTHER_COLOURS = ("#e69f00", "#f0e442")
MARKERS = "osD^vPX"
DICTIONARIES = ("dictionary-best", "dictionary")
# Baselines that `compare` adds.
TRIVIAL = ("training mean", "line on log length")
ENDS = ("", "_low", "_high")
KEYS = ["set", "target", "model"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", type=Path, help="folder with a folder that compare wrote a set")
    parser.add_argument(
        "--raters", type=Path, help="folder of tables of all ratings, for the ceiling"
    )
    parser.add_argument("--add-to", type=Path, help="suite.csv of an earlier run, which is kept")
    args = parser.parse_args()
    make_printing_safe()
    folders = sorted(path.parent for path in args.reports.glob("*/comparison.json"))
    if not folders:
        parser.error(f"{args.reports} has no folder that compare wrote. Run a set first.")
    ceilings = read_ceilings(args.raters) if args.raters else {}
    tables = [read_set(folder, ceilings) for folder in folders]
    if args.add_to:
        try:
            tables.insert(0, read_earlier(args.add_to))
        except (OSError, ValueError) as error:
            parser.error(f"{args.add_to} can't be read as a suite.csv: {error}")
    table = in_order(pd.concat(tables, ignore_index=True).drop_duplicates(KEYS))
    text = f"{to_markdown(table)}\n\n{summarize(table)}\n"
    write_whole(
        {
            args.reports / "suite.csv": table.to_csv(index=False).encode("utf-8"),
            args.reports / "suite.md": text.encode("utf-8"),
        }
    )
    figure = draw(table)
    for ending in ("png", "svg"):
        figure.savefig(args.reports / f"suite.{ending}", dpi=150)
    print(text, end="")


def read_earlier(path: Path) -> pd.DataFrame:
    """Read what an earlier run wrote as suite.csv.

    path (Path): The file.
    RETURNS (DataFrame): Rows as of `read_set`.
    RAISES (OSError, ValueError): It can't be read, lacks a column, or has words for numbers.
    """
    table = pd.read_csv(path)
    numbers = [f"r2{end}" for end in ENDS]
    if missing := sorted({*KEYS, "documents", "ceiling", *numbers} - set(table)):
        raise ValueError(f"there is no column {missing[0]!r}")
    for name in ("documents", *numbers):
        found = pd.to_numeric(table[name], errors="coerce")
        if found.isna().any():
            row = int(found.isna().idxmax())
            raise ValueError(
                f"row {row + 1}, column {name!r}: {str(table.loc[row, name])!r} is no number"
            )
    return table


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows by set and model, as the docs have them; targets stay in their order."""
    known = {"set": SETS, "target": (), "model": COLOURS}

    def place(column: pd.Series) -> pd.Series:
        values = dict.fromkeys([*known[str(column.name)], *column])
        return column.map({value: place for place, value in enumerate(values)})

    return table.sort_values(KEYS, key=place, ignore_index=True)


def read_set(folder: Path, ceilings: dict[str, float]) -> pd.DataFrame:
    """Read one set's comparison.

    folder (Path): What `compare` wrote.
    ceilings (dict[str, float]): By the sets' names, see `read_ceilings`.
    RETURNS (DataFrame): A row for each target and model: `set`, `target`, `documents`, `groups`,
        `model`, `r2`; `ceiling`, NaN where it is not known; for the model "full" `best_dictionary`,
        the dictionary with the higher R², and `lead`, the difference in R² to it. R² and lead have
        `_low` and `_high` beside them, the bootstrap's interval, and the lead `_folds`,
        `_folds_low`, `_folds_high`, the mean over folds and its interval.
    """
    data = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    scores = [score for score in data["scores"] if score["model"] not in TRIVIAL]
    r2 = {(score["target"], score["model"]): score["r2"] for score in scores}
    rows = []
    for score in scores:
        row: dict[str, Any] = {
            "set": folder.name,
            "target": score["target"],
            "documents": score["n"],
            "groups": score["n_groups"],
            "model": score["model"],
            **{f"r2{end}": score[f"r2{end}"] for end in ENDS},
            "ceiling": ceilings.get(folder.name, np.nan),
        }
        found = [name for name in DICTIONARIES if (score["target"], name) in r2]
        if score["model"] == "full" and found:
            best = max(found, key=lambda name: r2[score["target"], name])
            row |= {"best_dictionary": best, **read_lead(data, score["target"], best)}
        rows.append(row)
    return pd.DataFrame(rows)


def read_lead(data: dict[str, Any], target: str, dictionary: str) -> dict[str, float]:
    """Read by how much "full" is ahead of a dictionary."""
    for row in data["differences"]:
        if row["target"] == target and {row["model"], row["baseline"]} == {"full", dictionary}:
            sign, ends = (1, ENDS) if row["model"] == "full" else (-1, ("", "_high", "_low"))
            return {
                f"lead{part}{end}": sign * row[f"{name}{other}"]
                for part, name in (("", "r2_difference"), ("_folds", "r2_folds"))
                for end, other in zip(ENDS, ends, strict=True)
            }
    raise SystemExit(f"The comparison has no difference between full and {dictionary}.")


def read_ceilings(folder: Path) -> dict[str, float]:
    """Compute the highest R² that can be expected: that of the expected rating of each text.

    folder (Path): What fetch.py wrote of all ratings of each text.
    RETURNS (dict[str, float]): By set, 1 - mean squared standard error / variance of the means.
    RAISES (SystemExit): A table is missing.
    """
    ceilings = {}
    for name, file in RATERS.items():
        path = folder / f"{file}.csv"
        if not path.is_file():
            raise SystemExit(f"{path} does not exist. Expected it from fetch.")
        table = pd.read_csv(path)
        noise = (table["variance"] / table["n"]).mean()
        ceilings[name] = float(1 - noise / table["mean"].var(ddof=0))
    return ceilings


def summarize(table: pd.DataFrame) -> str:
    """Say in how many sets which order holds."""
    r2 = table.set_index(["set", "target", "model"])["r2"].unstack("model")
    lines = []
    for order in (
        ("full", "dictionary-best"),
        ("full", "dictionary"),
        ("full", "frozen"),
        ("full", "lora"),
        ("lora", "frozen"),
        ("dictionary", "frozen"),
        ("distilled", "dictionary"),
        ("full", "dictionary", "frozen"),
        ("full", "dictionary-best", "frozen"),
    ):
        if set(order) <= set(r2):
            known = r2[list(order)].dropna()
            holds = np.logical_and.reduce([known[a] > known[b] for a, b in pairwise(order)])
            lines.append(f"{' > '.join(order)}: {int(holds.sum())} of {len(known)}")
    leads = table[table["model"] == "full"]
    if "lead_low" in leads:
        n = int(leads["lead"].notna().sum())
        ahead = f"{int((leads['lead_low'] > 0).sum())} of {n}"
        behind = f"{int((leads['lead_high'] < 0).sum())} of {n}"
        lines.append(f"full ahead of the best dictionary by more than chance: {ahead}")
        lines.append(f"full behind it by more than chance: {behind}")
    return "Targets in which R² has this order:\n\n" + "\n".join(f"- {line}" for line in lines)


def to_markdown(table: pd.DataFrame) -> str:
    """Write the table as the docs have it."""
    models = list(dict.fromkeys(table["model"]))
    has_ceiling = table["ceiling"].notna().any()
    titles = ["set", "documents", *models, "full vs. best dictionary"]
    titles += ["ceiling"] if has_ceiling else []
    lines = [f"| {' | '.join(titles)} |", f"| --- |{' ---: |' * (len(titles) - 1)}"]
    for (name, target), rows in table.groupby(["set", "target"], sort=False):
        by_model = {row["model"]: row for row in rows.to_dict("records")}
        first = rows.iloc[0]
        cells = [name_row(name, target, rows), f"{first['documents']:,}"]
        cells += [format_cell(by_model.get(model), "r2", ".3f") for model in models]
        cells.append(format_cell(by_model.get("full"), "lead", "+.3f"))
        if has_ceiling:
            cells.append("–" if pd.isna(first["ceiling"]) else f"{first['ceiling']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def name_row(name: Any, target: Any, rows: pd.DataFrame) -> str:
    title = SETS.get(str(name), str(name))
    return title if target in ("rating", "log_deaths") else f"{title}, {target}"


def format_cell(row: dict[Any, Any] | None, name: str, template: str) -> str:
    if row is None or pd.isna(row.get(name, np.nan)):
        return "–"
    value, low, high = (row[f"{name}{end}"] for end in ENDS)
    return f"{value:{template}} [{low:{template}}, {high:{template}}]"


def draw(table: pd.DataFrame) -> plt.Figure:
    """Draw R² with intervals, a row a target and a colour a model, and the ceilings."""
    models = list(dict.fromkeys(table["model"]))
    others = iter(OTHER_COLOURS)
    keys = list(dict.fromkeys(zip(table["set"], table["target"], strict=True)))
    height = 1 + 0.09 * len(keys) * (len(models) + 1)
    figure, axes = plt.subplots(figsize=(7, height), layout="constrained")
    labels = []
    for place, (name, target) in enumerate(keys):
        rows = table[(table["set"] == name) & (table["target"] == target)]
        labels.append(name_row(name, target, rows))
        ceiling = rows["ceiling"].iloc[0]
        if not pd.isna(ceiling):
            axes.plot([ceiling] * 2, [place - 0.4, place + 0.4], color="black", linestyle=":")
    for number, model in enumerate(models):
        rows = table[table["model"] == model]
        order = [keys.index(key) for key in zip(rows["set"], rows["target"], strict=True)]
        # Beside each other, so that no interval hides another.
        y = np.array(order) + 0.7 * ((number + 0.5) / len(models) - 0.5)
        spread = [rows["r2"] - rows["r2_low"], rows["r2_high"] - rows["r2"]]
        colour = COLOURS.get(model) or next(others, "#000000")
        marker = MARKERS[number % len(MARKERS)]
        axes.errorbar(
            rows["r2"],
            y,
            xerr=spread,
            label=model,
            color=colour,
            marker=marker,
            linestyle="",
            capsize=2,
            markersize=4.5,
        )
    if table["ceiling"].notna().any():
        axes.plot([], [], color="black", linestyle=":", label="ceiling by rating noise")
    axes.set_yticks(range(len(keys)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("R² over all documents, each predicted by models that have not seen it")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    main()
