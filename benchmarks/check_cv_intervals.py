"""See what intervals from out-of-fold errors hold, beside split conformal ones and CV+.

    python benchmarks/check_cv_intervals.py --corpus projects/conflict/corpus/conflict \\
        --lexicon assets/vader_lexicon.txt

First on simulated data: ridge regressions on 100 documents, data drawn anew each time. CV+ takes
the predictions of all models of the folds for each new document (Barber et al. 2021, Annals of
Statistics 49:486-507), as `score` does with a folder of `crossval --keep-models`; `calibrate
--from` takes those of one model of all documents. `guaranteed` is what is held at least in the
long run, whatever the model. Then with documents in groups that differ, for documents of new groups
and for each known group. Then on the test documents of a corpus, which is split by time, with a
dictionary.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spacy
from spacy.language import Language
from spacy.training import Example

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.comparison.bootstrap import Bootstrap, interval
from spacy_bertreg.comparison.fold_calibration import age_weights
from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.targets.cv_plus import cv_plus_intervals
from spacy_bertreg.targets.gold import gold_values
from spacy_bertreg.targets.intervals import Calibration
from spacy_bertreg.targets.predictions import Predictions

K = 5
# Penalty and number of variables. With the last, least squares errs most where all 100 documents
# are in: the models of the folds, of 80 documents, tell nothing of that.
RIDGES = ((0.1, 40), (10.0, 40), (1e-6, 100))
HALF_LIVES = (None, 730.0, 365.0, 180.0)
BY_MONTH = "out of fold, by month"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, help="folder of train, dev and test.spacy")
    parser.add_argument("--lexicon", type=Path, help="the given list of terms")
    parser.add_argument("--readout", default="gradient_boosting")
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--data-sets", type=int, default=1000, help="simulated ones")
    args = parser.parse_args()
    make_printing_safe()
    print(simulate(args.data_sets, args.level).round(3).to_string(index=False))
    print(simulate_groups(args.data_sets, args.level).round(3).to_string(index=False))
    if args.corpus is not None:
        table = check_corpus(args.corpus, args.lexicon, args.readout, args.level)
        print(table.round(3).to_string(index=False))


def simulate(n_data: int, level: float, n: int = 100) -> pd.DataFrame:
    """RETURNS (DataFrame): For each kind of interval, penalty and number of variables, what is held
    and the mean width, over 200 new documents of each data set; and what is guaranteed."""
    rows = []
    for penalty, p in RIDGES:
        rng, held = np.random.default_rng(0), []
        beta = rng.normal(size=p) / np.sqrt(p)
        for _ in range(n_data):
            x, new = rng.normal(size=(n, p)), rng.normal(size=(200, p))
            y, y_new = x @ beta + rng.normal(size=n), new @ beta + rng.normal(size=200)
            for kind, (low, high) in ridge_intervals(x, y, new, penalty, level).items():
                inside = ((low <= y_new) & (y_new <= high)).mean()
                held.append((kind, inside, np.mean(high - low)))
        table = pd.DataFrame(held, columns=["intervals", "held", "width"])
        means = table.groupby("intervals", sort=False).mean().reset_index()
        bounds = means["intervals"].map({"split": level, "CV+": cv_plus_bound(n, level)})
        rows.append(means.assign(guaranteed=bounds, penalty=penalty, variables=p))
    return pd.concat(rows)


def cv_plus_bound(n: int, level: float) -> float:
    """RETURNS (float): What CV+ intervals of n documents in K folds hold at least."""
    missed = min(2 * (1 - 1 / K) / (n / K + 1), (1 - K / n) / (K + 1))
    return 1 - 2 * (1 - level) - missed


def simulate_groups(
    n_data: int, level: float, n_groups: int = 20, size: int = 200, spread: float = 1.0
) -> pd.DataFrame:
    """Calibrate on errors of documents in groups. Each group has a mean of its own, which models
    know of the groups that they were trained on, but for chance, and of no other.

    n_data (int), level (float): Data sets, and the level.
    n_groups (int), size (int): Groups, and documents in each.
    spread (float): Standard deviation of the groups' means; that of the documents around them is 1
        to 2, by group.
    RETURNS (DataFrame): For each way to calibrate, the mean width, and what is held of new
        documents: of new groups, of the known ones, and of that tenth of these where least is.
    """
    rng, rows = np.random.default_rng(0), []
    for _ in range(n_data):
        means = rng.normal(size=(2, n_groups, 1)) * spread
        scales = rng.uniform(1, 2, size=(2, n_groups, 1))
        # As models of other groups err.
        unseen = means[0] + scales[0] * rng.normal(size=(n_groups, size))
        # As models err that were trained on the group's other documents.
        seen = unseen - (unseen.sum(axis=1, keepdims=True) - unseen) / (size - 1)
        of_known, of_new = means + scales * rng.normal(size=(2, n_groups, 1000))
        of_known -= unseen.mean(axis=1, keepdims=True)
        one = unseen[np.arange(n_groups), rng.integers(size, size=n_groups)]
        ways = {
            "folds at random": width(seen.ravel(), level),
            "folds by group": width(unseen.ravel(), level),
            "one document a group": width(one, level),
            "each group by itself": np.array([[width(row, level)] for row in seen]),
        }
        for name, half in ways.items():
            held = (np.abs(of_known) <= half).mean(axis=1)
            row: dict[str, Any] = {"calibrated on": name, "width": 2 * np.mean(half)}
            # A new group has no width of its own.
            row["new groups"] = (np.abs(of_new) <= half).mean() if np.isscalar(half) else np.nan
            row |= {"known groups": held.mean(), "worst tenth": np.quantile(held, 0.1)}
            rows.append(row)
    return pd.DataFrame(rows).groupby("calibrated on", sort=False).mean().reset_index()


def width(errors: np.ndarray, level: float) -> float:
    """RETURNS (float): Half the width of intervals calibrated on errors."""
    zeros = np.zeros((len(errors), 1))
    predictions = Predictions(zeros, zeros)
    return Calibration.fit(predictions, errors[:, None], level, "plain", ["y"]).widths[0]


def ridge_intervals(
    x: np.ndarray, y: np.ndarray, new: np.ndarray, penalty: float, level: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """RETURNS (dict): By kind, the low and the high ends for the new documents."""

    def fit(rows: np.ndarray) -> np.ndarray:
        gram = x[rows].T @ x[rows] + penalty * np.eye(x.shape[1])
        return np.linalg.solve(gram, x[rows].T @ y[rows])

    n = len(y)
    fold = np.arange(n) % K
    models = np.array([fit(fold != number) for number in range(K)])
    errors = np.abs(y - (x * models[fold]).sum(axis=1))
    whole = new @ fit(np.ones(n, dtype=bool))
    half = fit(np.arange(n) < n // 2)
    split = width(np.abs(y - x @ half)[n // 2 :], level)
    of_all = width(errors, level)
    of_folds = [errors[fold == number] for number in range(K)]
    low, high = cv_plus_intervals(new @ models.T, of_folds, level).T
    return {
        "split": (new @ half - split, new @ half + split),
        "out of fold, one model": (whole - of_all, whole + of_all),
        "CV+": (low, high),
    }


def check_corpus(corpus: Path, lexicon: Path | None, readout: str, level: float) -> pd.DataFrame:
    """RETURNS (DataFrame): For each way to calibrate, what is held of the test set's values."""
    nlp = spacy.blank("en")
    train, dev, test = (
        list(Corpus_v1(corpus / f"{split}.spacy")(nlp)) for split in ("train", "dev", "test")
    )
    known = [*train, *dev]

    def fit(examples: list[Example]) -> Language:
        own = spacy.blank("en")
        component: Any = own.add_pipe("dictionary_regressor", config={"readout": readout})
        settings = {"lexicon": lexicon, "learn": "elastic_net", "context": "en"}
        component.initialize(lambda: examples, nlp=own, **settings)
        return own

    times = [eg.reference.user_data["time"] for eg in known]
    period = pd.qcut(pd.to_datetime(pd.Series(times)).rank(method="first"), K + 1, labels=False)
    months = pd.factorize(np.array([eg.reference.user_data["group"] for eg in known], dtype=object))
    shuffled = np.random.default_rng(0).permutation(len(months[1])) % K
    of_group = shuffled[months[0]]
    of_time = period.to_numpy() - 1
    ways: dict[str, tuple[np.ndarray, Callable[[int], np.ndarray]]] = {
        BY_MONTH: (of_group, lambda number: of_group != number),
        "out of fold, by time": (of_time, lambda number: of_time < number),
    }
    first, whole = fit(train), fit(known)
    rows = []
    of_dev = np.arange(len(known)) >= len(train)
    errors = {"split, dev": (np.r_[np.zeros(len(train)), residuals(first, dev)], of_dev, first)}
    groups = [str(eg.reference.user_data["group"]) for eg in test]
    for name, (fold, is_train) in ways.items():
        values, of_test = np.zeros(len(known)), []
        for number in range(K):
            model = fit([eg for eg, use in zip(known, is_train(number), strict=True) if use])
            place = np.flatnonzero(fold == number)
            values[place] = residuals(model, [known[i] for i in place])
            of_test.append(residuals(model, test))
        errors[name] = (values, fold >= 0, whole)
        if name == BY_MONTH:
            # Intervals for the observed value less the prediction: they have to hold 0.
            of_folds = [np.abs(values[fold == number]) for number in range(K)]
            ends = cv_plus_intervals(np.stack(of_test, axis=1), of_folds, level)
            row = {"calibrated on": f"{name}, CV+", "n": len(known), "half-life": None}
            rows.append(row | describe(*ends.T, groups))
    for name, (values, used, model) in errors.items():
        new = residuals(model, test)
        for half_life in HALF_LIVES:
            own = [time for time, use in zip(times, used, strict=True) if use]
            weights = None if half_life is None else age_weights(own, half_life, str(corpus))
            zeros = np.zeros((int(used.sum()), 1))
            gold = values[used][:, None]
            try:
                fitted = Calibration.fit(
                    Predictions(zeros, zeros), gold, level, "plain", ["y"], weights
                )
            except ValueError as error:
                print(name, half_life, error)
                continue
            half = fitted.widths[0]
            row = {"calibrated on": name, "n": len(own), "half-life": half_life}
            rows.append(row | describe(new - half, new + half, groups))
    return pd.DataFrame(rows)


def describe(low: np.ndarray, high: np.ndarray, groups: list[str]) -> dict[str, float]:
    """Describe intervals of residuals, which should hold 0.

    low (ndarray), high (ndarray): Their ends, shape (documents,).
    groups (list[str]): The documents' groups, for the bootstrap.
    RETURNS (dict[str, float]): What is held, with its interval; observed values below and above;
        and the mean width.
    """
    inside = ((low <= 0) & (high >= 0)).astype(float)
    least, most = interval(Bootstrap(low, groups).means([inside])[0])
    row = {"held": inside.mean(), "low": least, "high": most}
    # Where all of it is below 0, the observed value is below its own interval.
    row |= {"below": (high < 0).mean(), "above": (low > 0).mean()}
    return row | {"width": np.mean(high - low)}


def residuals(nlp: Language, examples: list[Example]) -> np.ndarray:
    """RETURNS (ndarray): Observed values less predictions, shape (documents,)."""
    target = nlp.get_pipe("dictionary_regressor").targets[0]
    docs = nlp.pipe([eg.reference.text for eg in examples])
    predicted = np.array([doc.cats[target] for doc in docs])
    return gold_values(examples, [target])[:, 0] - predicted


if __name__ == "__main__":
    main()
