"""Cross-validation: every model predicts every document, trained on documents of other folds."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from spacy.tokens import Doc

from ..data.files import locked
from ..training.jobs import Job, check_engine
from ..training.overrides import overrides_by_config
from ..training.resume import clear, holds_run, train_resumably
from .crossval_files import (
    FOLDS,
    check_crossval_folder,
    find_data,
    read_finished,
    write_crossval,
)
from .crossval_kept import (
    check_places,
    delete_models,
    is_whole,
    list_kept,
    move_models,
    paths_of,
)
from .crossval_plan import make_jobs, plan_trainings, seeds_of_repeats
from .crossval_predict import predict_fold
from .crossval_reuse import find_reusable
from .crossval_run import describe_run
from .crossval_teachers import check_unlabelled
from .crossval_trainings import check_names, predictions_table, score_trainings
from .test_set import TestSet, make_test_set, read_docs


def cross_validate(
    data: str | Path,
    configs: Mapping[str, str | Path],
    output: str | Path | None = None,
    *,
    folds: int = 5,
    repeats: int = 1,
    seeds: Sequence[int] = (0,),
    by: str | None = None,
    dev: float = 0.1,
    epochs: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    gpu_id: int = -1,
    code: str | Path | None = None,
    engine: str = "local",
    keep_models: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Let models predict each document, after training on the documents of other folds.

    data (str | Path): A .spacy file, or a folder with train.spacy and dev.spacy, which are joined;
        test.spacy stays out.
    configs (Mapping[str, str | Path]): By model, its config of spaCy.
    output (str | Path | None): Folder for predictions.csv and crossval.json. A run that was killed
        goes on there, and of a finished one, models of the same config, settings and folds are not
        trained again. None to write nothing.
    folds (int): Number of folds.
    repeats (int): How often all is done, with folds drawn anew.
    seeds (Sequence[int]): One for each repeat, or one for the first, which the others count up
        from. It draws the repeat's folds; and seed * folds + place of the fold is the seed of the
        fold's trainings, so that repeats differ in all that is random.
    by (str | None): "group" keeps groups whole; "time" predicts each period from those before it;
        "target" gives all folds like distributions of the first target, and keeps equal texts
        together. None for "group" if there are groups, else "target".
    dev (float): Share of a fold's training documents that chooses the best epoch.
    epochs (int | None): How often to go over the training documents, for models that learn by
        steps; None for the steps in the configs.
    overrides (Mapping[str, Any] | None): Settings by dotted name, see `overrides_by_config`. A
        teacher that is named as one of the models is that model, trained in the same fold.
    gpu_id (int), code (str | Path | None), engine (str): See `train_all`.
    keep_models (bool): Whether to keep the trained pipelines, in `output`/models. Predictions are
        the same. Trainings that an earlier run has finished there without keeping their pipelines
        are done again.
    overwrite (bool): Whether to forget a run of other settings that was killed.
    on_progress (Callable | None): Gets a line about each training when it begins.
    RETURNS (DataFrame): A row for each repeat, target and document with a known value that is
        predicted: `target`, `id`, `group`, `repeat`, `fold`, `gold`, and each model's prediction.
    RAISES (ValueError, OSError): Wrong input, or a training failed; finished ones are kept.
    """
    if output is None:
        if keep_models:
            raise ValueError("keep_models is true, but there is no output. Expected a folder.")
        with tempfile.TemporaryDirectory() as temporary:
            return cross_validate(
                data,
                configs,
                Path(temporary) / "crossval",
                folds=folds,
                repeats=repeats,
                seeds=seeds,
                by=by,
                dev=dev,
                epochs=epochs,
                overrides=overrides,
                gpu_id=gpu_id,
                code=code,
                engine=engine,
                on_progress=on_progress,
            )
    output = Path(output)
    paths = {name: Path(path) for name, path in configs.items()}
    if not (files := find_data(data)):
        raise FileNotFoundError(
            f"{data} is not there, or has no train.spacy. Expected a .spacy file, or a folder of "
            "them, as `convert` writes it."
        )
    check_names(paths)
    check_engine(engine)
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs is {epochs}. Expected 1 or more.")
    check_crossval_folder(output, [*files, *paths.values()])
    seeds = seeds_of_repeats(seeds, repeats)
    chosen = overrides_by_config(paths, overrides or {})
    docs = [doc for file in files for doc in read_docs(file)]
    documents = make_test_set(docs, str(data))
    by = by or ("group" if documents.unit == "group" else "target")
    trainings = plan_trainings(docs, documents, list(paths), folds, seeds, by, dev)
    run = describe_run(
        Path(data),
        files,
        paths,
        chosen,
        targets=list(map(str, documents.gold.columns)),
        code=None if code is None else Path(code),
        overrides=dict(overrides or {}),
        k=folds,
        repeats=len(seeds),
        by=by,
        dev=dev,
        epochs=epochs,
        seeds=list(seeds),
        n_documents=len(docs),
    )
    by_name = {training.name: training for training in trainings}

    def predict(job: Job, pipeline: Path) -> dict[str, list[float]]:
        training = by_name[job.name]
        return predict_fold(pipeline, documents, training, paths[training.model])

    place = output.resolve()
    with locked(place / FOLDS):
        done, kept = read_finished(place, run), list_kept(place)
        whole = {n for n, p in paths_of(trainings).items() if p in kept and is_whole(place / p)}
        if done is not None and (not keep_models or len(whole) == len(trainings)):
            if holds_run(place / FOLDS, run.identity):
                # It was killed after it had written all.
                clear(place / FOLDS)
            return done
        if keep_models:
            check_places(place, trainings, kept)
        check_unlabelled(run.configs, run.teachers, docs, trainings)
        if overwrite:
            clear(place / FOLDS)
        known = find_reusable(place, run, trainings, documents)
        if keep_models:
            known = {name: values for name, values in known.items() if name in whole}
        at_hand = whole & set(known)
        jobs = make_jobs(trainings, docs, run, paths, chosen, epochs, place, at_hand)
        results = train_resumably(
            jobs,
            predict,
            place / FOLDS,
            run.identity,
            known=known,
            keep_models=keep_models,
            gpu_id=gpu_id,
            code=None if code is None else Path(code),
            engine=engine,
            on_progress=on_progress,
        )
        table = predictions_table(documents, trainings, results, _group_names(docs, documents))
        scores = score_trainings(documents, trainings, results)
        # Whenever we are killed: models that are there have made the predictions that are there.
        new = [t for t in trainings if keep_models and t.name not in known]
        old = [t for t in trainings if t.name in known and t.name in whole]
        delete_models(place, set(kept) - set(paths_of(old).values()))
        names = paths_of([*old, *new])
        models = [path for name, path in paths_of(trainings).items() if name in names]
        write_crossval(place, run, table, scores, models)
        move_models(place / FOLDS, place, new)
        clear(place / FOLDS)
    return table


def _group_names(docs: Sequence[Doc], documents: TestSet) -> list[str]:
    """Give each document's group, empty where it has none."""
    return [
        group if "group" in doc.user_data else ""
        for doc, group in zip(docs, documents.groups, strict=True)
    ]
