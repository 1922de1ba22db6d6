"""Teachers in a cross-validation: models whose predictions other models learn from, see
`pipeline/teacher.py`. One that is a model of the same command is trained in the same fold."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.util import is_package
from thinc.api import Config

from ..pipeline.regressor import find_regressors
from ..pipeline.teacher import TeacherSettings, load_teacher, normalize, read_texts
from .crossval_trainings import Training

# By model, and by the dotted name of the setting that names it, a model of the same command.
Teachers = dict[str, dict[str, str]]
PUPIL = "dictionary_regressor"
REGRESSORS = (PUPIL, "text_regressor")


def find_teachers(configs: Mapping[str, Config], targets: Sequence[str]) -> Teachers:
    """Find the models that learn from others of the same command.

    configs (Mapping[str, Config]): By model, its config, interpolated.
    targets (Sequence[str]): The documents' targets.
    RETURNS (Teachers): Of all models, so ordered that each comes behind its teachers.
    RAISES (ValueError): A teacher is no other model and no pipeline, or lacks a target; or models
        are each other's teachers.
    """
    teachers: Teachers = {}
    for model, config in configs.items():
        teachers[model] = {}
        for settings, section in _list_pupils(config):
            name, where = str(settings.teacher), f"{settings.where} of {model}"
            if name not in configs:
                if not Path(name).is_dir() and not is_package(name):
                    raise ValueError(
                        f"teacher is {name!r} in {where}. Expected another model of the command, "
                        f"of {', '.join(configs)}; or the folder of a trained pipeline."
                    )
                continue
            if name == model:
                raise ValueError(
                    f"teacher is {name!r} in {where}, the model itself. Expected another model."
                )
            known = _list_targets(configs[name], targets)
            missing = [t for t in section.get("targets") or targets if t not in known]
            if missing and known:
                raise ValueError(
                    f"teacher is {name!r} in {where}, which predicts {', '.join(known)}. Expected "
                    f"a model that predicts {missing[0]}, too."
                )
            teachers[model][f"initialize.components.{settings.component}.teacher"] = name
    return _sort(teachers)


def check_unlabelled(
    configs: Mapping[str, Config],
    teachers: Teachers,
    documents: Sequence[Doc],
    trainings: Sequence[Training],
) -> None:
    """Check that no model learns from documents that it is to predict through a teacher's labels.

    configs (Mapping[str, Config]): By model, its config, interpolated.
    teachers (Teachers): What `find_teachers` gave.
    documents (Sequence[Doc]), trainings (Sequence[Training]): All that there are.
    RAISES (ValueError, OSError): Texts to be labelled are among the documents, or can't be read. A
        teacher that is none of the models has learned from documents that its pupil is to predict.
    """
    own = {normalize(doc.text) for doc in documents} - {""}
    for model, config in configs.items():
        for settings, _ in _list_pupils(config):
            found = [text.text for text in read_texts(settings) if normalize(text.text) in own]
            if found:
                raise ValueError(
                    f"{settings.unlabelled}, unlabelled in {settings.where} of {model}, holds "
                    f"{len(found):,} of the documents that are cross-validated, such as "
                    f"{found[0][:60]!r}. Expected other texts."
                )
            if settings.teacher not in teachers:
                own_trainings = [training for training in trainings if training.model == model]
                _check_outsider(settings, model, documents, own_trainings)


def _check_outsider(
    settings: TeacherSettings, model: str, documents: Sequence[Doc], trainings: Sequence[Training]
) -> None:
    where = f"The teacher {settings.teacher} in {settings.where} of {model}"
    records = [regressor.record for regressor in find_regressors(load_teacher(settings))]
    if not all(record.has_all_hashes for record in records):
        warnings.warn(
            f"{where} has no record of its training texts any more. If documents that are "
            f"cross-validated were among them, {model} looks better than it is.",
            stacklevel=2,
        )
    seen = {i for record in records for i in record.holds(documents).nonzero()[0].tolist()}
    for training in trainings:
        # Texts that training documents have, too, tell nothing.
        rated = {documents[place].text for place in training.parts.train}
        test = training.parts.test.tolist()
        if found := [i for i in test if i in seen and documents[i].text not in rated]:
            raise ValueError(
                f"{where} has learned from {len(found):,} of the documents that {model} is to "
                f"predict in fold {training.fold}, such as {documents[found[0]].text[:60]!r}. "
                "Expected the name of a model of this command, which is trained in the same fold, "
                "or a pipeline that was trained on other texts."
            )


def _list_pupils(config: Config) -> Iterator[tuple[TeacherSettings, Mapping[str, Any]]]:
    """List components that have a teacher: its settings, and their section of [initialize]."""
    for name in config["nlp"]["pipeline"]:
        section = _initialize_section(config, name)
        if config["components"][name].get("factory") == PUPIL and section.get("teacher"):
            settings = TeacherSettings(
                name,
                str(section["teacher"]),
                section.get("unlabelled"),
                section.get("unlabelled_text", "text"),
                section.get("unlabelled_weight", 1.0),
            )
            settings.check(section.get("learn"))
            yield settings, section


def _initialize_section(config: Config, component: str) -> Mapping[str, Any]:
    """Get a component's section of [initialize], empty where the config leaves it to spaCy."""
    return config.get("initialize", {}).get("components", {}).get(component, {})


def _list_targets(config: Config, targets: Sequence[str]) -> list[str]:
    """List what a model predicts; nothing if its components are not known here."""
    found: dict[str, None] = {}
    for name in config["nlp"]["pipeline"]:
        if config["components"][name].get("factory") in REGRESSORS:
            section = _initialize_section(config, name)
            found |= dict.fromkeys(section.get("targets") or targets)
    return list(found)


def _sort(teachers: Teachers) -> Teachers:
    """Put each model behind its teachers, and leave all others where they are."""
    found: Teachers = {}

    def add(model: str, pupils: list[str]) -> None:
        if model in pupils:
            circle = " learns from ".join([*pupils[pupils.index(model) :], model])
            raise ValueError(f"{circle}. Expected a teacher that does not learn from its pupil.")
        if model not in found:
            for teacher in teachers[model].values():
                add(teacher, [*pupils, model])
            found[model] = teachers[model]

    for model in teachers:
        add(model, [])
    return found
