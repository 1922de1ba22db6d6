"""See whether intervals from a tenth of coded sentences hold the positions that all codes give.

    python benchmarks/manifesto_means.py manifestos-uk.csv.gz

Codes a random tenth of the sentences of 18 UK manifestos (crowd-coded by Benoit, Conway,
Lauderdale, Laver & Mikhaylov 2016), learns a dictionary from them, predicts the rest, and estimates
the mean of each manifesto and the change over time; and that for several tenths.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import spacy
from spacy.language import Language
from spacy.training import Example

from spacy_bertreg import estimate
from spacy_bertreg.cli.terminal import make_printing_safe

ESTIMATORS = ("naive", "gold", "dsl", "ppi++")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, help="manifestos-uk.csv.gz")
    parser.add_argument("--target", default="economic", help="economic or social")
    parser.add_argument("--tenths", type=int, default=20, help="how many random tenths")
    parser.add_argument("--folds", type=int, default=10)
    args = parser.parse_args()
    make_printing_safe()
    warnings.simplefilter("ignore")  # what is wrong with naive is what this shows
    table = pd.read_csv(args.table, dtype={"text": str}).dropna(subset=[args.target])
    table = table.reset_index(drop=True)
    means = table.groupby("manifesto")[args.target].mean()
    slopes = pd.Series(
        {party: np.polyfit(part["year"], part[args.target], 1)[0] * 10
         for party, part in table.groupby("party")}
    )  # fmt: skip
    manifestos, trends, accuracy = [], [], []
    start = time.monotonic()
    for seed in range(args.tenths):
        frame = predict_tenth(table, args.target, args.folds, seed)
        known = frame[args.target].notna()
        errors = table[args.target] - frame[f"{args.target}_predicted"]
        accuracy.append(1 - errors[known].var() / table.loc[known, args.target].var())
        settings = {"predicted": args.target, "estimators": ESTIMATORS, "unseen": True}
        found = estimate(f"{args.target} ~ 1", frame, by="manifesto", **settings)
        manifestos.append(found.assign(truth=found["group"].map(means), seed=seed))
        found = estimate(f"{args.target} ~ I(year / 10)", frame, by="party", **settings)
        found = found[found["term"] != "Intercept"]
        trends.append(found.assign(truth=found["group"].map(slopes), seed=seed))
        print(f"{seed + 1} of {args.tenths}: {time.monotonic() - start:.0f} s", flush=True)
    print(f"\n{len(table):,} sentences, {int(known.sum())} coded; out-of-fold R²: "
          f"{np.mean(accuracy):.3f}")  # fmt: skip
    print(f"\nMean of each of {len(means)} manifestos\n{summarize(pd.concat(manifestos))}")
    print(f"\nChange in ten years of each of 3 parties\n{summarize(pd.concat(trends))}")


def predict_tenth(table: pd.DataFrame, target: str, n_folds: int, seed: int) -> pd.DataFrame:
    """Draw a tenth as coded, and predict it out of fold, and the rest from all of it.

    RETURNS (DataFrame): With `target` only where coded, and `{target}_predicted`.
    """
    rng = np.random.default_rng(seed)
    coded = rng.permutation(len(table))[: len(table) // 10]
    predicted = np.full(len(table), np.nan)
    folds = np.array_split(coded, n_folds)
    for fold in folds:
        nlp = train(table.iloc[np.setdiff1d(coded, fold)], target)
        predicted[fold] = predict(nlp, table["text"].iloc[fold])
    rest = np.setdiff1d(np.arange(len(table)), coded)
    predicted[rest] = predict(train(table.iloc[coded], target), table["text"].iloc[rest])
    gold = table[target].where(table.index.isin(coded))
    return table.assign(**{target: gold, f"{target}_predicted": predicted})


def train(rows: pd.DataFrame, target: str) -> Language:
    """Learn a dictionary from coded sentences."""
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {target: value}})
        for text, value in zip(rows["text"], rows[target], strict=True)
    ]
    component.initialize(lambda: examples, nlp=nlp, learn="elastic_net")  # type: ignore[attr-defined]
    return nlp


def predict(nlp: Language, texts: pd.Series) -> list[float]:
    """Predict sentences."""
    return [next(iter(doc.cats.values())) for doc in nlp.pipe(texts)]


def summarize(rows: pd.DataFrame) -> str:
    """Write what the intervals hold, and how wide they are."""
    rows = rows.assign(
        held=rows["truth"].between(rows["low"], rows["high"]),
        width=rows["high"] - rows["low"],
        error=(rows["estimate"] - rows["truth"]).abs(),
    )
    table = rows.groupby("estimator", sort=False).agg(
        intervals=("held", "size"), held=("held", "mean"), mean_width=("width", "mean"),
        mean_error=("error", "mean"), n_coded=("n_coded", "mean"),
        effective_n=("effective_n", "mean"),
    )  # fmt: skip
    return table.round(3).to_string()


if __name__ == "__main__":
    main()
