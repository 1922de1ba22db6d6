"""What is written by hand, against what a library has for it.

    python benchmarks/alternatives.py corpus/tweets

Ridge regression against scikit-learn's RidgeCV; Spearman correlations of bootstrap draws against
pandas' ranks; splits that keep groups whole against GroupShuffleSplit, by how far the shares are
from those asked for; and terms with wildcards against spaCy's Matcher with regular expressions.
Sides alternate in one process; medians. How windows are cut into parts is in ablation.py.
"""

import argparse
import fnmatch
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import spacy
from rounds import alternate, cpu_name, write
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from spacy.matcher import Matcher
from spacy.tokens import DocBin
from spacy.util import filter_spans

from spacy_bertreg.comparison.bootstrap import Bootstrap
from spacy_bertreg.data.splits import split_by_group
from spacy_bertreg.dictionary.globs import has_wildcard
from spacy_bertreg.dictionary.lexicon import Lexicon
from spacy_bertreg.dictionary.readouts.ridge import PENALTIES, Ridge
from spacy_bertreg.dictionary.term_matcher import TermMatcher

SHARES = {"train": 0.7, "dev": 0.1, "test": 0.2}
N_RESAMPLES, N_TERMS, N_TEXTS = 2000, 7500, 500


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with train.spacy")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    vocab = spacy.blank("en").vocab
    docs = DocBin().from_disk(args.corpus / "train.spacy").get_docs(vocab)
    texts = [doc.text for doc in docs]
    print(cpu_name())
    result = {}
    for n, n_features in ((400, 7), (4000, 7), (4000, 200)):
        result |= times(f"ridge, {n} x {n_features}", ridge(n, n_features), args.rounds)
    for n in (588, 5000):
        result |= times(f"Spearman, {N_RESAMPLES} draws of {n}", ranks(n), args.rounds)
    for share in (0.1, 0.3):
        result |= times(f"{share:.0%} of {N_TERMS} terms with *", terms(texts, share), args.rounds)
    result["splits"] = splits()
    write(args.output, {"rounds": args.rounds, **result})


def times(title: str, sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    """Time two sides, ours first, and print them."""
    found = {k: statistics.median(v) for k, v in alternate(sides, rounds).items()}
    ours, other = found.values()
    shown = ", ".join(f"{name} {seconds:.4f} s" for name, seconds in found.items())
    print(f"{title}: {shown}; {other / ours:.1f} times ours")
    return {title: found}


def ridge(n: int, n_features: int) -> dict[str, Callable[[], Any]]:
    """Fit random data of n documents."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, n_features)) * rng.uniform(0.1, 10, n_features)
    y = features @ rng.normal(size=n_features) / 5 + rng.normal(size=n) * 5
    folds = np.arange(n) % 5
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=n * PENALTIES))
    return {
        "ours": lambda: Ridge.fit(features, y[:, None], folds, seed=0),
        "RidgeCV": lambda: model.fit(features, y),
    }


def ranks(n: int) -> dict[str, Callable[[], Any]]:
    """Correlate ranks in each of the bootstrap's draws of n documents."""
    rng = np.random.default_rng(0)
    gold = rng.normal(size=n)
    predicted = gold + rng.normal(size=n)
    bootstrap = Bootstrap(gold, list(map(str, range(n))), n_resamples=N_RESAMPLES)

    def by_pandas() -> None:
        for _ in range(N_RESAMPLES):
            rows = rng.integers(0, n, n)
            pair = (pd.Series(values[rows]).rank() for values in (gold, predicted))
            np.corrcoef(*pair)

    # Ours computes all other metrics, too.
    return {"ours": lambda: bootstrap.metrics([predicted]), "pandas": by_pandas}


def terms(texts: list[str], share: float) -> dict[str, Callable[[], Any]]:
    """Build a matcher of random terms, a share of them with a wildcard, and find them in texts."""
    rng = random.Random(0)  # noqa: S311
    words = sorted({w.lower() for t in texts for w in t.split() if w.isalpha() and len(w) > 3})
    words += [first + second for first in words for second in ("x", "ity", "ness")]
    chosen = rng.sample(words, N_TERMS)
    chosen = [w[:-2] + "*" if rng.random() < share else w for w in chosen]
    lexicon = Lexicon(tuple(chosen), ("a",) * N_TERMS, (1.0,) * N_TERMS)
    nlp = spacy.blank("en")
    docs = list(map(nlp.make_doc, texts[:N_TEXTS]))

    def by_us() -> None:
        find = TermMatcher(nlp.tokenizer, lexicon)
        for doc in docs:
            find(doc)

    def by_matcher() -> None:
        matcher = Matcher(nlp.vocab)
        for term in chosen:
            pattern = {"REGEX": fnmatch.translate(term)} if has_wildcard(term) else term
            matcher.add(term, [[{"LOWER": pattern}]])
        for doc in docs:
            filter_spans(matcher(doc, as_spans=True))

    return {"ours": by_us, "Matcher": by_matcher}


def splits() -> dict[str, float]:
    """Split groups of uneven sizes with 200 seeds: mean distance from the shares asked for."""
    sizes = np.random.default_rng(1).lognormal(2, 1, 300).astype(int) + 1
    groups = np.repeat(np.arange(300), sizes).astype(str)

    def shuffled(seed: int) -> np.ndarray:
        split = np.full(len(groups), "train", dtype="<U5")
        draw = GroupShuffleSplit(1, test_size=SHARES["test"], random_state=seed)
        rest, test = next(draw.split(groups, groups=groups))
        draw.test_size = SHARES["dev"] / (1 - SHARES["test"])
        _, dev = next(draw.split(rest, groups=groups[rest]))
        split[test], split[rest[dev]] = "test", "dev"
        return split

    sides: dict[str, Callable[[int], np.ndarray]] = {
        "ours": lambda seed: split_by_group(groups, tuple(SHARES.values()), seed),
        "GroupShuffleSplit": shuffled,
    }
    found = {}
    for name, side in sides.items():
        drawn = [side(seed) for seed in range(200)]
        far = [abs((split == part).mean() - w) for split in drawn for part, w in SHARES.items()]
        found[name] = float(np.mean(far))
    print("mean distance from shares:", ", ".join(f"{k} {v:.3f}" for k, v in found.items()))
    return found


if __name__ == "__main__":
    main()
