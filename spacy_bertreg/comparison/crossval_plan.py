"""The trainings of a cross-validation, and what each takes."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..data.annotations import TARGETS
from ..data.folds import make_folds
from ..data.splits import first_ids
from ..training.jobs import Job, check_seeds
from ..training.resume import kept_model
from .crossval_files import FOLDS, PARTS
from .crossval_kept import paths_of
from .crossval_run import CrossvalRun
from .crossval_trainings import Training
from .test_set import TestSet


def seeds_of_repeats(seeds: Sequence[int], repeats: int) -> list[int]:
    """Give a seed for each repeat. Raise a ValueError if numbers don't fit each other."""
    check_seeds(seeds)
    if repeats < 1 or (repeats != 1 and len(seeds) not in (1, repeats)):
        raise ValueError(
            f"repeats is {repeats}, with {len(seeds)} seeds. Expected 1 or more, and a seed for "
            "each repeat, or one for the first."
        )
    return list(seeds) if len(seeds) > 1 else list(range(seeds[0], seeds[0] + repeats))


def plan_trainings(
    docs: Sequence[Doc],
    documents: TestSet,
    models: Sequence[str],
    n_folds: int,
    seeds: Sequence[int],
    by: str,
    dev: float,
) -> list[Training]:
    """List the trainings: all models of a fold, then the next fold.

    docs (Sequence[Doc]), documents (TestSet): The documents.
    models (Sequence[str]): The models' names.
    n_folds (int), by (str), dev (float): See `cross_validate`.
    seeds (Sequence[int]): One for each repeat.
    RETURNS (list[Training]): The trainings.
    RAISES (ValueError): There are no targets, or the documents can't be cut into such folds.
    """
    if by == "group" and documents.unit != "group":
        raise ValueError(
            "by is 'group', but the documents have no groups. Expected some, as `convert --group "
            "COLUMN` writes them."
        )
    if not len(documents.gold.columns):
        raise ValueError(
            f"{documents.path} has no targets. Expected numbers in doc.cats or "
            f"doc.user_data[{TARGETS!r}], as `convert` writes them."
        )
    groups = documents.groups if by == "group" else first_ids(documents.texts, documents.ids)
    trainings = []
    for repeat, seed in enumerate(seeds, start=1):
        parts = make_folds(
            by,
            n_folds,
            seed,
            dev,
            groups=groups,
            values=documents.gold.iloc[:, 0].tolist(),
            times=[doc.user_data.get("time") for doc in docs],
            ids=documents.ids,
        )
        for place, fold in enumerate(parts):
            for model in models:
                trainings.append(Training(model, repeat, place + 1, seed * n_folds + place, fold))
    return trainings


def make_jobs(
    trainings: Sequence[Training],
    docs: Sequence[Doc],
    run: CrossvalRun,
    configs: Mapping[str, Path],
    chosen: Mapping[str, Mapping[str, Any]],
    epochs: int | None,
    folder: Path,
    kept: Collection[str],
) -> list[Job]:
    """Make the trainings' jobs: in each fold, a teacher before its pupils.

    trainings (Sequence[Training]), docs (Sequence[Doc]): What `plan_trainings` gave, and took.
    run (CrossvalRun): What the cross-validation is.
    configs (Mapping[str, Path]), chosen (Mapping): By model, its config and the settings that
        override it.
    epochs (int | None): For models that learn by steps.
    folder (Path): Folder of the cross-validation.
    kept (Collection[str]): Names of trainings whose models an earlier run has kept there.
    RETURNS (list[Job]): The jobs.
    """
    order = list(run.teachers)
    places = paths_of(trainings)
    jobs = []
    for training in sorted(trainings, key=lambda t: (t.repeat, t.fold, order.index(t.model))):
        overrides, needs = dict(chosen[training.model]), []
        for setting, model in run.teachers[training.model].items():
            teacher = training.of(model).name
            if teacher in kept:
                overrides[setting] = str(folder / places[teacher])
            else:
                overrides[setting] = str(kept_model(folder / FOLDS, teacher))
                needs.append(teacher)
        jobs.append(
            Job(
                training.name,
                configs[training.model],
                training.seed,
                overrides,
                epochs if run.learns_by_steps[training.model] else None,
                {name: [docs[place] for place in getattr(training.parts, name)] for name in PARTS},
                f"{training.model}, repeat {training.repeat}, fold {training.fold}",
                tuple(needs),
            )
        )
    return jobs
