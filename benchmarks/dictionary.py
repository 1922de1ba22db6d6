"""Texts per second of scoring with a dictionary, against what else one could do.

    python benchmarks/dictionary.py corpus/tweets assets/vader_lexicon.txt

Through whole pipelines: spaCy's tokenizer alone, `dictionary_regressor` with the VADER list and
with context rules, a PhraseMatcher over the same terms with the same features and readout, and the
package vaderSentiment (pip install vaderSentiment; left out where it is missing) with a line fitted
to its score. And the component with 7,500 and 100,000 random terms of two words. Sides alternate in
one process, each with a pipeline that was just loaded and has not read the texts before; then once
more with pipelines that have. Medians.
"""

import argparse
import gc
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.attrs import IS_SPACE
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import filter_spans

from spacy_bertreg.dictionary.globs import unescape
from spacy_bertreg.dictionary.term_matcher import Match

Side = Callable[[list[str]], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder of .spacy files with one target")
    parser.add_argument("lexicon", type=Path, help="VADER's word list")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()

    texts, gold = read(args.corpus)
    folder = Path(tempfile.mkdtemp())
    lists = {
        "VADER list": (args.lexicon, {}),
        "VADER list, no spans": (args.lexicon, {"spans_key": None}),
        "VADER list, context": (args.lexicon, {"context": "en"}),
        "7,500 terms": (random_terms(texts, 7_500, folder), {}),
        "100,000 terms": (random_terms(texts, 100_000, folder), {}),
    }
    makers: dict[str, Callable[[], Side]] = {"tokenizer": lambda: through(spacy.blank("en"))}
    for name, (lexicon, settings) in lists.items():
        fit(texts, gold, lexicon, **settings).to_disk(folder / name)
        makers[name] = lambda name=name: through(spacy.load(folder / name))
    makers["PhraseMatcher"] = lambda: phrase_matcher(spacy.load(folder / "VADER list"))
    if vader(texts, gold) is not None:
        makers["vaderSentiment"] = lambda: vader(texts, gold)
    both = zip(makers["VADER list"]()(texts), makers["PhraseMatcher"]()(texts), strict=True)
    n_different = sum(a != b for a, b in both)

    first: dict[str, list[float]] = {name: [] for name in makers}
    again: dict[str, list[float]] = {name: [] for name in makers}
    for name in list(makers) * args.rounds:
        side = makers[name]()
        first[name].append(rate(side, texts))
        again[name].append(rate(side, texts))
    result: dict[str, Any] = {
        "different_predictions": n_different,
        "rounds": args.rounds,
        "texts": len(texts),
    }
    for title, rates in (("read for the first time", first), ("read again", again)):
        medians = {name: statistics.median(values) for name, values in rates.items()}
        print(f"\n{len(texts):,} texts {title}")
        for name, value in medians.items():
            print(f"{name:24} {value:10,.0f} texts/s  {value / medians['tokenizer']:5.2f}")
        pairs = [("VADER list", name) for name in ("tokenizer", "PhraseMatcher", "vaderSentiment")]
        ratios = {
            f"{a} : {b}": medians[a] / medians[b]
            for a, b in [*pairs, ("100,000 terms", "7,500 terms")]
            if b in medians
        }
        for name, ratio in ratios.items():
            print(f"{name:36} {ratio:.2f}")
        result[title] = {"texts_per_second": medians, "ratios": ratios}
    print(f"\nTexts with another prediction by PhraseMatcher: {n_different}")
    if args.output:
        result["versions"] = {name: version(name) for name in ("spacy", "numpy", "spacy-bertreg")}
        result["machine"] = platform.processor()
        args.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def rate(side: Side, texts: list[str]) -> float:
    """RETURNS (float): Texts per second."""
    gc.collect()
    start = time.perf_counter()
    side(texts)
    return len(texts) / (time.perf_counter() - start)


def read(path: Path) -> tuple[list[str], list[float]]:
    """RETURNS (tuple[list[str], list[float]]): Texts and their target."""
    vocab = spacy.blank("en").vocab
    bins = [spacy.tokens.DocBin().from_disk(file) for file in sorted(path.glob("*.spacy"))]
    docs = [doc for bin_ in bins for doc in bin_.get_docs(vocab)]
    pairs = [(doc.text, next(iter(doc.cats.values()))) for doc in docs]
    return [text for text, _ in pairs], [value for _, value in pairs]


def fit(texts: list[str], gold: list[float], lexicon: Path, **settings: Any) -> Language:
    """RETURNS (Language): A pipeline whose dictionary is fitted to the texts."""
    nlp = spacy.blank("en")
    initialization = {"context": settings.pop("context", None)}
    component = nlp.add_pipe("dictionary_regressor", config=settings)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"rating": value}})
        for text, value in zip(texts, gold, strict=True)
    ]
    start = time.perf_counter()
    component.initialize(lambda: examples, nlp=nlp, lexicon=lexicon, **initialization)  # type: ignore[attr-defined]
    print(f"{lexicon.name}: loaded and fitted in {time.perf_counter() - start:.1f} s")
    return nlp


def through(nlp: Language) -> Side:
    """RETURNS (Callable): Reads texts with the pipeline."""
    return lambda texts: [doc.cats.get("rating") for doc in nlp.pipe(texts)]


def phrase_matcher(nlp: Language) -> Side:
    """RETURNS (Callable): Reads texts with the pipeline, its terms found by spaCy."""
    dictionary: Any = nlp.get_pipe("dictionary_regressor")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    # Another tokenizer, for the reason that TermMatcher has one of its own.
    cut = spacy.blank("en", vocab=nlp.vocab).tokenizer
    index = {}
    for entry, term in enumerate(dictionary.lexicon.terms):
        index[nlp.vocab.strings.add(term)] = entry
        matcher.add(term, [cut(unescape(term))])

    class Finder:
        def scan(self, doc: Doc) -> tuple[list[Match], int]:
            spans = filter_spans(matcher(doc, as_spans=True))
            matches = [Match(index[span.label], span.start, span.end) for span in spans]
            return matches, len(doc) - int(doc.to_array(IS_SPACE).sum())

    dictionary._model.vectorizer._matcher = Finder()
    return through(nlp)


def random_terms(texts: list[str], n_terms: int, folder: Path) -> Path:
    """RETURNS (Path): A list of pairs of the texts' words, with random weights."""
    rng = random.Random(0)  # noqa: S311
    words = sorted({word.lower() for text in texts for word in text.split() if word.isalpha()})
    terms: set[str] = set()
    while len(terms) < n_terms:
        terms.add(f"{rng.choice(words)} {rng.choice(words)}")
    path = folder / f"{n_terms}-terms.csv"
    lines = [f"{term},{rng.gauss(0, 1)}" for term in sorted(terms)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def vader(texts: list[str], gold: list[float]) -> Side | None:
    """RETURNS (Callable | None): Predicts with the package vaderSentiment, if it is there."""
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return None
    analyzer = SentimentIntensityAnalyzer()
    scores = [analyzer.polarity_scores(text)["compound"] for text in texts]
    slope, intercept = np.polyfit(scores, gold, 1)
    return lambda texts: [
        slope * analyzer.polarity_scores(text)["compound"] + intercept for text in texts
    ]


if __name__ == "__main__":
    main()
