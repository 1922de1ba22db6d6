"""Give a trained pipeline prediction intervals, learned from documents it has not seen."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import spacy
from spacy.language import Language
from spacy.training import Example

from ..data.corpus import Corpus_v1
from ..data.files import check_folder, folder_beside, replace_files
from ..pipeline.regressor import Regressor
from ..targets.gold import gold_values
from ..targets.intervals import Calibration, check_level, default_method
from ..targets.predictions import Predictions
from .fold_calibration import age_weights, calibrate_from_folds
from .test_set import read_docs

# A few texts, such as headlines, may come up again by chance. They are left out.
LARGEST_SHARE_SEEN = 0.05


def calibrate(
    pipeline: str | Path,
    data: str | Path | None = None,
    *,
    level: float = 0.9,
    method: str | None = None,
    output: str | Path | None = None,
    folds: str | Path | None = None,
    model: str | None = None,
    half_life: float | None = None,
) -> pd.DataFrame:
    """Fit the widths of the prediction intervals of a pipeline's regressors, so that each new
    document's `doc._.interval` contains its value with the probability `level`.

    pipeline (str | Path): The trained pipeline's folder, or its package.
    data (str | Path | None): A .spacy file with the calibration documents, from neither the
        training nor the test set. None with `folds`.
    level (float): Between 0 and 1.
    method (str | None): "plain", "normalised" or "quantiles", see `Calibration`; None for the one
        that uses most of what the model predicts.
    output (str | Path | None): Folder to write the pipeline to, new, empty, or of a pipeline with
        the same components; None for the same folder. Other files in it stay.
    folds (str | Path | None): In place of `data`, a folder that `crossval` wrote, with models that
        were trained like the pipeline: see `calibrate_from_folds`. All documents can then be used
        for training.
    model (str | None): Which of its models; None if it has only one.
    half_life (float | None): Number of days by which a calibration document that is older than the
        latest counts half as much; for new documents that come later. None for equal weights.
    RETURNS (DataFrame): For each component and target: `component`, `target`, `method`, `level`,
        `n` documents, `seen` (documents left out, as a training document has the same text),
        `checked` (whether the component has fingerprints of all its training texts, so that it can
        tell), and `width` on the model's scale.
    RAISES (ValueError, FileNotFoundError): `data` can't be read, there is no regressor, its
        training documents are among those of `data`, or there are too few; `output` holds something
        else. Nothing is written.
    """
    check_level(level)
    if (data is None) == (folds is None):
        raise ValueError("Expected either calibration documents, or a cross-validation (--from).")
    if model is not None and folds is None:
        raise ValueError(f"model is {model!r}, but no cross-validation (--from) is given.")
    if folds is not None and method not in (None, "plain"):
        raise ValueError(
            f"The method is {method!r}. Expected plain: a cross-validation keeps predictions only."
        )
    if data is not None:
        read_docs(data)  # for its errors: spaCy's reader takes an empty file without a word
    nlp = spacy.load(pipeline)
    if output is None and not Path(pipeline).is_dir():
        raise ValueError(f"{pipeline} is a package. Expected --output, a folder to write to.")
    folder = Path(pipeline if output is None else output)
    check_output(nlp, folder)
    examples = [] if data is None else list(Corpus_v1(data)(nlp))
    rows: list[dict[str, Any]] = []
    for name, component in nlp.pipeline:
        if isinstance(component, Regressor):
            if folds is None:
                seen = calibrate_component(
                    nlp, name, component, examples, str(data), level, method, half_life
                )
            else:
                seen = 0
                component.calibration = calibrate_from_folds(
                    component, name, Path(folds), model, level, half_life
                )
            rows += _describe(name, component, seen, folds is not None)
    if not rows:
        raise ValueError(f"The pipeline {pipeline} has no regressor. It has: {nlp.pipe_names}.")
    write_pipeline(nlp, folder)
    return pd.DataFrame(rows)


def calibrate_component(
    nlp: Language,
    name: str,
    component: Regressor,
    examples: Sequence[Example],
    data: str,
    level: float,
    method: str | None,
    half_life: float | None,
) -> int:
    """Calibrate a regressor with new documents.

    nlp, name, component: The pipeline, and a regressor in it with its name.
    examples (Sequence[Example]): The documents.
    data (str): Where they are from, for the errors.
    level, method, half_life: As for `calibrate`.
    RETURNS (int): Number of documents left out, as a training document has the same text.
    RAISES (ValueError): Too many of them are training documents, or too few are left.
    """
    seen = component.was_trained_on([eg.reference for eg in examples])
    if seen.mean() > LARGEST_SHARE_SEEN:
        raise ValueError(
            f"{int(seen.sum())} of the {len(examples)} documents of {data} have texts that "
            f"{name!r} was trained on. Intervals would be too narrow. Expected other documents, "
            "from neither the training nor the test set."
        )
    new = [eg for eg, was_seen in zip(examples, seen, strict=True) if not was_seen]
    predictions = predict_docs(nlp, name, new)
    gold = component.scale.scale(gold_values(new, component.targets))
    chosen = method or default_method(predictions)
    weights = None
    if half_life is not None:
        times = [eg.reference.user_data.get("time") for eg in new]
        weights = age_weights(times, half_life, data)
    component.calibration = Calibration.fit(
        predictions, gold, level, chosen, component.targets, weights
    )
    return int(seen.sum())


def _describe(name: str, component: Regressor, seen: int, of_folds: bool) -> list[dict[str, Any]]:
    calibration = component.calibration
    if calibration is None:
        return []
    return [
        {
            "component": name,
            "target": target,
            "method": calibration.method,
            "level": calibration.level,
            "n": calibration.n[i],
            "seen": seen,
            "checked": of_folds or component.record.has_all_hashes,
            "width": calibration.widths[i],
        }
        for i, target in enumerate(component.targets)
    ]


def predict_docs(nlp: Language, name: str, examples: Sequence[Example]) -> Predictions:
    """Predict documents with a regressor, after the components before it.

    nlp (Language): The pipeline.
    name (str): Name of the regressor.
    examples (Sequence[Example]): With the documents; they are not changed.
    RETURNS (Predictions): What the regressor's `predict` gives.
    """
    parts = []
    for batch in spacy.util.minibatch(examples, nlp.batch_size):
        docs = [eg.predicted.copy() for eg in batch]
        for other, component in nlp.pipeline:
            if other == name:
                parts.append(component.predict(docs))  # type: ignore[attr-defined]
                break
            pipe = getattr(component, "pipe", partial(map, component))
            docs = list(pipe(docs))
    return Predictions.concatenate(parts)


def check_output(nlp: Language, folder: Path) -> None:
    """Check that a pipeline can be written to a folder.

    nlp (Language): The pipeline.
    folder (Path): Where `write_pipeline` will write it to.
    RAISES (ValueError): The folder holds anything but a pipeline with the same components.
    """
    check_folder(folder)
    if not folder.exists() or not any(folder.iterdir()):
        return
    for name in ("config.cfg", "meta.json"):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder} holds other files, and is no pipeline: it has no {name}. Expected a new "
                "or empty folder, or one of this pipeline."
            )
    try:
        found = spacy.util.load_config(folder / "config.cfg")["nlp"]["pipeline"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"Can't read {folder / 'config.cfg'}: {error}") from error
    if found != nlp.component_names:
        raise ValueError(
            f"{folder} holds another pipeline, of {', '.join(map(str, found)) or 'no components'}. "
            f"Expected a new or empty folder, or a pipeline of {', '.join(nlp.component_names)}."
        )


def write_pipeline(nlp: Language, folder: Path) -> None:
    """Write a pipeline to a folder, whole or not at all. Other files in the folder stay."""
    folder = folder.resolve()
    with folder_beside(folder) as temporary:
        nlp.to_disk(temporary / "new")
        replace_files(temporary / "new", folder)
