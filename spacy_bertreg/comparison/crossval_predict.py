"""Predict the documents of a fold with the pipeline that was trained on the others."""

from pathlib import Path

import spacy

from ..data.covariates import COVARIATES
from ..data.text_length import any_length
from ..pipeline.regressor import find_regressors
from .crossval_trainings import Training
from .test_set import TestSet


def predict_fold(
    pipeline: Path, documents: TestSet, training: Training, config: Path
) -> dict[str, list[float]]:
    """Predict the documents of a fold.

    pipeline (Path): The trained pipeline.
    documents (TestSet): All documents.
    training (Training): What it was trained on, and what it is to predict.
    config (Path): Its config, for the errors.
    RETURNS (dict[str, list[float]]): By target, predictions for the fold's documents.
    RAISES (ValueError): Two regressors predict one target, or none any; or the pipeline has learned
        from documents that it is to predict.
    """
    nlp = spacy.load(pipeline)
    places = training.parts.test.tolist()
    regressors = [regressor for regressor in find_regressors(nlp) if regressor.targets]
    targets = [target for regressor in regressors for target in regressor.targets]
    if not targets or len(set(targets)) < len(targets):
        raise ValueError(
            f"{config} makes a pipeline that predicts {', '.join(targets) or 'nothing'}. Expected "
            "one regressor for each target."
        )
    texts = [(documents.texts[i], {COVARIATES: documents.covariates[i]}) for i in places]
    # Texts that training documents have, too, tell nothing.
    own = {documents.texts[place] for place in training.parts.train}
    cats, seen = [], []
    with any_length(nlp):
        for doc, _ in nlp.pipe(texts, as_tuples=True):
            cats.append(doc.cats)
            if doc.text not in own and any(r.record.holds([doc])[0] for r in regressors):
                seen.append(doc.text)
    if seen:
        raise ValueError(
            f"{config} has learned from {len(seen)} of the {len(texts)} documents that it is to "
            f"predict in fold {training.fold}, such as {seen[0][:60]!r}. Expected a config that "
            "learns from paths.train alone, and does not continue a trained pipeline."
        )
    return {
        target: [float(row[key]) for row in cats]
        for regressor in regressors
        for target, key in regressor.output_keys.items()
    }
