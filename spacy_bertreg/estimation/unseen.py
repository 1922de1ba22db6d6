"""Check that no coded document had a part in the training of the model that predicted it."""

from pathlib import Path

import pandas as pd

from ..data.tables.columns import check_columns
from ..pipeline.regressor import find_regressors
from ..scoring.loading import load_pipeline
from .documents import Documents

NO_CHECK = (
    "Predictions of the coded documents must come from a model that was not trained on them: a "
    "model predicts documents that it has seen better than others, and the correction would be too "
    "small. Expected a folder that crossval wrote (--from); the pipeline that made the predictions "
    "(--pipeline), to check whether it has seen them; or --unseen if it certainly has not."
)


def check_unseen(documents: Documents, pipeline: str | Path, text: str, predicted: str) -> None:
    """Check that a pipeline was not trained on the text of a coded document.

    RAISES (ValueError): It was, it keeps no record of its training texts, or it does not predict
        this variable.
    """
    check_columns(documents.table, [text], documents.name)
    nlp = load_pipeline(pipeline)
    regressors = [part for part in find_regressors(nlp) if predicted in part.output_keys.values()]
    if not regressors:
        raise ValueError(f"The pipeline {pipeline} does not predict {predicted!r}.")
    texts = documents.table[text][documents.is_coded]
    docs = [nlp.make_doc("" if pd.isna(value) else str(value)) for value in texts]
    for part in regressors:
        if not part.record.has_all_hashes:
            raise ValueError(
                f"{part.name!r} of {pipeline} keeps no fingerprints of its training texts, so it "
                "can't be checked whether coded documents are among them. Expected predictions "
                "from a cross-validation (--from), or --unseen if certainly none is."
            )
        if n_seen := int(part.was_trained_on(docs).sum()):
            raise ValueError(
                f"{pipeline} was trained on {n_seen} of the {len(docs)} coded documents. Expected "
                "predictions for them from models that were not: a cross-validation (--from)."
            )
