"""Label texts that nobody has rated with the predictions of another pipeline, the teacher.

After Hinton, G., Vinyals, O. & Dean, J. (2015), Distilling the Knowledge in a Neural Network,
arXiv:1503.02531.
"""

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm
from wasabi import msg

from ..data.covariates import LOG_LENGTH
from ..data.text_length import any_length
from ..data.unlabelled import UnlabelledText, read_unlabelled
from ..dictionary.pseudo_labels import PseudoLabels
from ..dictionary.vectorizer import MatchSettings
from ..targets.scale import TargetScale
from ..training.training_record import TrainingRecord
from .regressor import Regressor, find_regressors

Floats = NDArray[np.float64]

# Texts that are predicted before memory for their words is freed.
CHUNK = 10_000
# Transforms that can't take every number.
BOUNDED = ("log1p", "logit")


@dataclass(frozen=True)
class TeacherSettings:
    """Which pipeline labels which texts.

    component (str): Name of the component that learns from it, for the errors.
    teacher (str | Path | None): Folder or package of a trained pipeline; None for no teacher.
    unlabelled (str | Path | None): The texts: a .spacy file or a table.
    text (str): The table's column of texts.
    weight (float): How much such a text counts beside a labelled one.
    """

    component: str
    teacher: str | Path | None
    unlabelled: str | Path | None
    text: str
    weight: float

    @property
    def where(self) -> str:
        """The section of the config, for errors."""
        return f"[initialize.components.{self.component}]"

    def check(self, learn: str | None) -> None:
        """Raise a ValueError if settings are missing, or don't fit each other or `learn`."""
        if self.teacher and not self.unlabelled:
            raise ValueError(
                f"teacher is {str(self.teacher)!r} in {self.where}, but there are no texts for it "
                "to label. Expected unlabelled, the path of a .spacy file or a table of texts."
            )
        if self.unlabelled and not self.teacher:
            raise ValueError(
                f"unlabelled is {str(self.unlabelled)!r} in {self.where}, but there is no pipeline "
                "to label these texts. Expected teacher, the path of a trained pipeline."
            )
        if self.teacher and not learn:
            raise ValueError(
                f"teacher is {str(self.teacher)!r} in {self.where}, but no terms are learned. "
                "Expected learn = 'elastic_net' or 'sensitivity'."
            )
        if not 0 < self.weight < float("inf"):
            raise ValueError(
                f"unlabelled_weight is {self.weight} in {self.where}. Expected more than 0."
            )


def pseudo_label(
    settings: TeacherSettings,
    labelled: Sequence[Doc],
    observed: Floats,
    scale: TargetScale,
    matching: MatchSettings,
    nlp: Language | None,
    record: TrainingRecord,
) -> PseudoLabels | None:
    """Let the teacher predict the unlabelled texts. It is loaded here, and freed at the end.

    Training texts, and texts without words, are left out.

    settings (TeacherSettings): The teacher and the texts.
    labelled (Sequence[Doc]): All training documents.
    observed (ndarray): Their values in the targets' units, shape (documents, targets).
    scale (TargetScale): The targets and their transforms.
    matching (MatchSettings): How the texts become documents.
    nlp (Language | None): The pipeline, for lemmas.
    record (TrainingRecord): Record of the component that learns. The teacher's training texts are
        added, because their observed values reach the component through the teacher.
    RETURNS (PseudoLabels | None): The documents with predictions; None without a teacher.
    RAISES (ValueError, FileNotFoundError, ImportError): The teacher can't be loaded or lacks a
        target, or the texts can't be read, or none is left.
    """
    if not settings.teacher:
        return None
    teacher = load_teacher(settings)
    keys = [_find_key(teacher, target, settings) for target in scale.targets]
    regressors = [r for r in find_regressors(teacher) if r.name in dict(keys)]
    texts, n_left_out = _read_texts(settings, regressors, labelled)
    start = time.perf_counter()
    values = _predict(teacher, texts, keys)
    seconds = time.perf_counter() - start
    for regressor in regressors:
        record.add_texts_of(regressor.record)
    del teacher, regressors
    # A pipeline and its components refer to each other: without this, it stays in memory.
    gc.collect()
    others = f"; {n_left_out:,} have no words, or are training texts" if n_left_out else ""
    msg.info(
        f"{settings.teacher} predicted {len(texts):,} texts of {settings.unlabelled} in "
        f"{seconds:,.0f} s{others}."
    )
    if not np.isfinite(values).all():
        raise ValueError(
            f"The teacher {settings.teacher} in {settings.where} gives predictions that are not "
            "finite."
        )
    transformed = np.empty(values.shape)
    for i, kind in enumerate(scale.transforms):
        column = values[:, i]
        if kind in BOUNDED:
            # The teacher may predict values that the transform can't take, such as counts below 0.
            column = np.clip(column, np.nanmin(observed[:, i]), np.nanmax(observed[:, i]))
        transformed[:, i] = scale.transform_unchecked(i, column)
    docs = matching.add_lemmas([matching.tokenizer(text.text) for text in texts], nlp)
    return PseudoLabels(
        docs,
        [text.group for text in texts],
        dict(zip(scale.targets, transformed.T, strict=True)),
        settings.weight,
    )


def read_texts(settings: TeacherSettings, covariates: Sequence[str] = ()) -> list[UnlabelledText]:
    """Read the texts that are to be labelled, all of them.

    settings (TeacherSettings): Where they are.
    covariates (Sequence[str]): Which a table must have.
    RETURNS (list[UnlabelledText]): The texts.
    RAISES (ValueError, FileNotFoundError): See `read_unlabelled`; the error names the setting.
    """
    try:
        return read_unlabelled(str(settings.unlabelled), settings.text, covariates)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"unlabelled in {settings.where}: {error}") from error
    except ValueError as error:
        raise ValueError(f"unlabelled in {settings.where}: {error}") from error


def _read_texts(
    settings: TeacherSettings, regressors: Sequence[Regressor], labelled: Sequence[Doc]
) -> tuple[list[UnlabelledText], int]:
    """Read the texts that are to be labelled, and count those that are left out."""
    named = dict.fromkeys(name for r in regressors for name in r.cfg["covariates"])
    found = read_texts(settings, [name for name in named if name != LOG_LENGTH])
    known = {normalize(doc.text) for doc in labelled}
    texts = [text for text in found if (words := normalize(text.text)) and words not in known]
    if not texts:
        raise ValueError(
            f"All {len(found):,} texts of {settings.unlabelled}, unlabelled in {settings.where}, "
            "are empty or training texts. Expected others."
        )
    return texts, len(found) - len(texts)


def load_teacher(settings: TeacherSettings) -> Language:
    """Load the teacher. Raise a ValueError that names the setting if that fails."""
    path = str(settings.teacher)
    best = Path(path) / "model-best"
    if not (Path(path) / "config.cfg").is_file() and best.is_dir():
        raise ValueError(
            f"teacher is {path!r} in {settings.where}, which is no pipeline. Expected the folder "
            f"of one, such as {str(best)!r}."
        )
    try:
        return spacy.load(path)
    except Exception as error:  # whatever is wrong with its files
        raise ValueError(
            f"Can't load the teacher {path!r} of {settings.where}: {error} Expected the folder of "
            "a trained pipeline, or the name of an installed package."
        ) from error


def _find_key(teacher: Language, target: str, settings: TeacherSettings) -> tuple[str, str]:
    """Find the component of the teacher that predicts a target, and the key in `doc.cats`."""
    keys = [
        (regressor.name, name, key)
        for regressor in find_regressors(teacher)
        for name, key in regressor.output_keys.items()
    ]
    found = [(component, key) for component, _, key in keys if key == target]
    found = found or [(component, key) for component, name, key in keys if name == target]
    if len(found) != 1:
        has = ", ".join(repr(key) for _, _, key in keys) or "nothing"
        several = "more than one prediction" if found else "no prediction"
        raise ValueError(
            f"The teacher {settings.teacher} in {settings.where} has {several} for the target "
            f"{target!r}. It predicts: {has}. Expected one prediction with the target's name."
        )
    return found[0]


def _predict(
    teacher: Language, texts: Sequence[UnlabelledText], keys: Sequence[tuple[str, str]]
) -> Floats:
    """Predict the texts, with only the components that are needed.

    keys (Sequence[tuple[str, str]]): For each target, the component's name and the key.
    RETURNS (ndarray): Shape (texts, keys).
    """
    used = {component for component, _ in keys}
    last = max(teacher.pipe_names.index(name) for name in used)
    others = {r.name for r in find_regressors(teacher)} - used
    unused = [n for i, n in enumerate(teacher.pipe_names) if i > last or n in others]
    rows = []
    # The progress bar is silent where the output is not a terminal.
    with (
        tqdm(total=len(texts), desc="Labelling", unit="text", leave=False, disable=None) as bar,
        teacher.select_pipes(disable=unused),
        any_length(teacher),
    ):
        for start in range(0, len(texts), CHUNK):
            inputs = [(text.text, text.user_data) for text in texts[start : start + CHUNK]]
            with teacher.memory_zone():
                for doc, _ in teacher.pipe(inputs, as_tuples=True):
                    rows.append([doc.cats[key] for _, key in keys])
                    bar.update()
    return np.array(rows, dtype=np.float64)


def normalize(text: str) -> str:
    """Make texts equal that differ only in white space."""
    return " ".join(text.split())
