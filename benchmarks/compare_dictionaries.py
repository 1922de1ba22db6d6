"""Fit the kinds of dictionaries that there are, and print what each reaches on dev and test set."""

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.training import Corpus

from spacy_bertreg.cli.terminal import make_printing_safe

VARIANTS: dict[str, dict[str, str]] = {
    "given": {},
    "given, context": {"context": "en"},
    "sensitivity": {"learn": "sensitivity"},
    "elastic net": {"learn": "elastic_net"},
    "sensitivity, context": {"learn": "sensitivity", "context": "en"},
    "elastic net, context": {"learn": "elastic_net", "context": "en"},
    "given + sensitivity, context": {"learn": "sensitivity", "context": "en"},
    "given + elastic net, context": {"learn": "elastic_net", "context": "en"},
}
READOUTS = ("ridge", "random_forest", "gradient_boosting")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder of train, dev and test.spacy")
    parser.add_argument("lexicon", type=Path, help="the given list")
    parser.add_argument("output", type=Path, help="CSV file to write")
    args = parser.parse_args()
    make_printing_safe()
    rows = []
    for name, settings in VARIANTS.items():
        lexicon = args.lexicon if "given" in name else None
        for readout in READOUTS:
            scores = fit_and_score(args.corpus, readout, lexicon=lexicon, **settings)
            row = {"terms": name, "readout": readout, **scores}
            rows.append(row)
            print(row, flush=True)
    table = pd.DataFrame(rows)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(args.output, index=False)
    print(table.round(3).to_string(index=False))


def fit_and_score(corpus: Path, readout: str, **settings: object) -> dict[str, float]:
    """Fit a dictionary, with settings of `initialize`, and score it on dev and test set."""
    nlp = spacy.blank("en")
    component: Any = nlp.add_pipe("dictionary_regressor", config={"readout": readout})
    train, dev, test = (
        list(Corpus(corpus / f"{split}.spacy")(nlp)) for split in ("train", "dev", "test")
    )
    start = time.perf_counter()
    component.initialize(lambda: train, nlp=nlp, **settings)
    seconds = time.perf_counter() - start
    return {
        "dev": nlp.evaluate(dev)["reg_r2"],
        "test": nlp.evaluate(test)["reg_r2"],
        "terms in list": len(component.lexicon),
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
