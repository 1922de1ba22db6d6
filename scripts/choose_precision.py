"""Write a trained pipeline for packaging, which multiplies in bfloat16 where that is faster, if its
predictions stay the same."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_bertreg.cli.terminal import make_printing_safe
from spacy_bertreg.comparison.calibrate import check_output, write_pipeline
from spacy_bertreg.data.files import check_folder
from spacy_bertreg.evaluation.metrics import r_squared
from spacy_bertreg.pipeline.regressor import Regressor
from spacy_bertreg.scoring.loading import import_code
from spacy_bertreg.targets.gold import observed_values
from spacy_bertreg.training.freeze_report import get_freeze_report

SETTING = "components.transformer.model.precision"
# In standard deviations of the target, at the 99.9th percentile; and in R².
LARGEST_DIFFERENCE, LARGEST_R2_DIFFERENCE = 0.02, 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", type=Path, help="folder of the trained pipeline")
    parser.add_argument("data", type=Path, help="documents to compare on, a .spacy file")
    parser.add_argument("output", type=Path, help="folder for the pipeline to package")
    parser.add_argument("--code", "-c", type=Path, help="Python file to import first")
    parser.add_argument(
        "--forget-training-texts",
        action="store_true",
        help="keep no marks of the training texts, by which to ask whether a text was trained on",
    )
    args = parser.parse_args()
    make_printing_safe()
    try:
        run(args)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))


def run(args: argparse.Namespace) -> None:
    import_code(args.code)
    check_folder(args.output, [args.pipeline])
    check_output(spacy.load(args.pipeline), args.output)
    found = compare(args.pipeline, args.data)
    nlp = spacy.load(args.pipeline, config={SETTING: found["precision"]})
    nlp.meta["precision"] = found
    # Of components that were taken from another pipeline, training wrote it to that one's.
    nlp.meta["freeze_report"] = get_freeze_report(nlp).to_dict()
    components: list[Any] = [component for _, component in nlp.pipeline]
    for component in components:
        if args.forget_training_texts and isinstance(component, Regressor):
            component.forget_training_texts()
    write_pipeline(nlp, args.output)
    print(describe(found))


def compare(pipeline: Path, data: Path) -> dict[str, Any]:
    """Compare a pipeline's predictions in bfloat16 with those in float32.

    pipeline (Path): A trained pipeline with a transformer.
    data (Path): The documents to predict, a .spacy file.
    RETURNS (dict): `difference` and `r2_difference`, the greatest over the targets, `documents`,
        and the `precision` to use: "auto" or "float32".
    """
    high, low = (spacy.load(pipeline, config={SETTING: p}) for p in ("float32", "bfloat16"))
    docs = list(DocBin().from_disk(data).get_docs(high.vocab))
    regressor: Any = high.get_pipe("text_regressor")
    differences, r2_differences = [], []
    keys = [regressor.output_keys[target] for target in regressor.targets]
    exact, rounded = (_predict(nlp, [doc.text for doc in docs], keys) for nlp in (high, low))
    for i, target in enumerate(regressor.targets):
        gold = np.array([observed_values(doc).get(target, np.nan) for doc in docs])
        known = ~np.isnan(gold)
        spread = np.abs(exact[:, i] - rounded[:, i]) / exact[:, i].std()
        differences.append(float(np.quantile(spread, 0.999)))
        r2 = [r_squared(gold[known], values[known, i]) or 0.0 for values in (exact, rounded)]
        r2_differences.append(abs(r2[0] - r2[1]))
    same = max(differences) <= LARGEST_DIFFERENCE and max(r2_differences) <= LARGEST_R2_DIFFERENCE
    return {
        "precision": "auto" if same else "float32",
        "documents": len(docs),
        "difference": max(differences),
        "r2_difference": max(r2_differences),
    }


def describe(found: dict[str, Any]) -> str:
    """Say in a sentence what `compare` found."""
    return (
        f'`precision = "{found["precision"]}"`: in bfloat16, predictions for '
        f"{found['documents']:,} documents of the dev set differ from those in float32 by at most "
        f"{found['difference']:.3f} standard deviations in 999 of 1,000, and R² by "
        f"{found['r2_difference']:.4f}."
    )


def _predict(nlp: Language, texts: list[str], keys: list[str]) -> np.ndarray:
    return np.array([[doc.cats[key] for key in keys] for doc in nlp.pipe(texts)])


if __name__ == "__main__":
    main()
