"""Measure what a cross-validation costs beside its trainings.

    python benchmarks/crossval.py corpus/tweets/train.spacy dictionary=configs/dictionary.cfg \\
        full=configs/bert.cfg --epochs 5 --folds 3 --paths.transformer assets/minilm

Prints CPU seconds of this process: of `spacy train`, of predicting the folds, and of all else, such
as reading, drawing folds, writing their documents and counting their batches.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import spacy
from spacy.cli._util import parse_config_overrides

from spacy_bertreg.cli.crossval import parse_configs
from spacy_bertreg.comparison import crossval
from spacy_bertreg.training import jobs
from spacy_bertreg.training.overrides import overrides_by_config


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="NAME=CONFIG")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=None)
    args, settings = parser.parse_known_args()
    spacy.blank("xx")  # imports what any command does
    configs = parse_configs(args.models)
    chosen = overrides_by_config(configs, parse_config_overrides(settings))
    for name, config in configs.items():
        seconds = measure(args.data, name, config, chosen[name], args)
        rest = seconds["all"] - seconds["training"] - seconds["predicting"]
        print(
            f"{name}: training {seconds['training']:.1f} s, predicting {seconds['predicting']:.1f} "
            f"s, the rest {rest:.1f} s; beside the trainings "
            f"{(seconds['all'] - seconds['training']) / seconds['training']:.1%}, without "
            f"predicting {rest / seconds['training']:.1%}"
        )


def measure(
    data: Path, name: str, config: Path, overrides: dict[str, Any], args: argparse.Namespace
) -> dict[str, float]:
    """Cross-validate one model. RETURNS (dict[str, float]): CPU seconds."""
    seconds = {"training": 0.0, "predicting": 0.0}
    originals = jobs.train_config, crossval.predict_fold

    def timed(function: Callable, key: str) -> Callable:
        def call(*arguments: Any, **named: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                seconds[key] += time.process_time() - begin

        return call

    jobs.train_config = timed(originals[0], "training")
    crossval.predict_fold = timed(originals[1], "predicting")
    begin = time.process_time()
    try:
        crossval.cross_validate(
            data, {name: config}, folds=args.folds, epochs=args.epochs, overrides=overrides
        )
    finally:
        jobs.train_config, crossval.predict_fold = originals
    return seconds | {"all": time.process_time() - begin}


if __name__ == "__main__":
    main()
