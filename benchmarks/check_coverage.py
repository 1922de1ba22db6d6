"""See what share of values conformal intervals hold, over random halves of a data set.

    python benchmarks/check_coverage.py training/full/model-best corpus/tweets/test.spacy

Each time, one half calibrates and the other is counted; groups stay whole. The pipeline's training
documents must not be among them.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import spacy

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.comparison.calibrate import predict_docs
from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.pipeline.regressor import Regressor
from spacy_bertreg.targets.gold import gold_values
from spacy_bertreg.targets.intervals import Calibration, default_method, is_inside


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="trained pipeline")
    parser.add_argument("data", type=Path, help="a .spacy file that it was not trained on")
    parser.add_argument("--halves", type=int, default=20, help="how often to draw a half")
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--method", default=None, help="plain, normalised or quantiles")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    make_printing_safe()

    nlp = spacy.load(args.pipeline)
    examples = list(Corpus_v1(args.data)(nlp))
    groups = [str(eg.reference.user_data.get("group", i)) for i, eg in enumerate(examples)]
    codes, unique = pd.factorize(np.array(groups, dtype=object))
    for name, component in nlp.pipeline:
        if not isinstance(component, Regressor):
            continue
        predictions = predict_docs(nlp, name, examples)
        gold = component.scale.scale(gold_values(examples, component.targets))
        method = args.method or default_method(predictions)
        random = np.random.default_rng(args.seed)
        held = []
        for _ in range(args.halves):
            in_first = random.permutation(len(unique))[codes] < len(unique) // 2
            first, second = predictions.select(in_first), predictions.select(~in_first)
            calibration = Calibration.fit(
                first, gold[in_first], args.level, method, component.targets
            )
            ends = calibration.intervals(second)
            for i in range(len(component.targets)):
                known = ~np.isnan(gold[~in_first, i])
                inside = is_inside(gold[~in_first, i][known], ends[known, i])
                held.append((component.targets[i], inside.mean()))
        for target, column in pd.DataFrame(held, columns=["target", "held"]).groupby("target"):
            values = column["held"]
            print(
                f"{name}, {target}: {method} intervals of level {args.level:g} hold "
                f"{values.mean():.3f} in the mean over {args.halves} halves "
                f"({values.min():.3f} to {values.max():.3f}; {len(examples)} documents)"
            )


if __name__ == "__main__":
    main()
