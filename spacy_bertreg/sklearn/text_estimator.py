"""What both regressors share: texts and numbers to a training, and back."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from numpy.typing import ArrayLike, NDArray
from spacy.tokens import Doc, DocBin

from ..comparison.calibrate import calibrate
from ..data.annotations import get_annotation
from ..data.splits import SPLITS, first_ids, split_by_group
from ..data.text_length import any_length
from ..data.weights import WEIGHT
from ..project.render import CONFIGS
from ..training.jobs import train_in_process

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_array, check_consistent_length
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    raise ImportError(
        "spacy_bertreg.sklearn needs scikit-learn: pip install 'spacy-bertreg[dictionary]'"
    ) from error

Floats = NDArray[np.float64]


class TextEstimator(RegressorMixin, BaseEstimator):
    """A scikit-learn regressor on texts.

    Its subclasses say which of `CONFIGS` is trained, and which settings follow from the parameters.

    nlp_ (Language): The trained pipeline, after `fit`.
    targets_ (list[str]): Names of the targets: of y's columns if it is a pandas object, otherwise
        "y", or "y0", "y1" and so on.
    """

    _config = ""
    lang: str
    dev_share: float
    interval_level: float | None
    random_state: int
    gpu_id: int

    def fit(
        self,
        texts: Sequence[str],
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: Sequence[Any] | None = None,
    ) -> "TextEstimator":
        """Train a pipeline, as `bertreg train` does.

        texts (Sequence[str]): The texts: a list, a Series or an array of one dimension.
        y (ArrayLike): Numbers of shape (texts,) or (texts, targets), NaN where unknown.
        sample_weight (ArrayLike | None): How much each text counts, 0 or more.
        groups (Sequence | None): The group of each text. No group is both in the training texts and
            in those that choose the best epoch. None to group equal texts.
        RETURNS (TextEstimator): The estimator itself.
        RAISES (ValueError): Wrong input.
        """
        texts = _check_texts(texts)
        values = check_array(
            y, ensure_2d=False, ensure_all_finite="allow-nan", dtype=np.float64, input_name="y"
        )
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        check_consistent_length(texts, values, weights, groups)
        names = first_ids(texts, list(map(str, range(len(texts)))))
        if groups is not None:
            names = list(map(str, groups))
        train, dev, calibration = self._shares()
        split = split_by_group(names, (train, dev, calibration), self.random_state)
        targets = _name_targets(y, values.ndim)
        rows_of_targets = values.reshape(len(texts), -1)
        is_unknown = np.isnan(rows_of_targets[split == "train"]).all(axis=0)
        if is_unknown.any():
            raise ValueError(
                f"y has no value of {targets[is_unknown.argmax()]!r} for the texts to train on. "
                "Expected some that are not NaN."
            )
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for part in SPLITS:
                rows = np.flatnonzero(split == part)
                _write(
                    folder / f"{part}.spacy",
                    [texts[row] for row in rows],
                    rows_of_targets[rows],
                    targets,
                    None if weights is None else weights[rows],
                    self.lang,
                )
            train_in_process(
                CONFIGS / f"{self._config}.cfg",
                folder / "pipeline",
                seed=self.random_state,
                epochs=getattr(self, "epochs", None),
                overrides={
                    "nlp.lang": self.lang,
                    "paths.train": str(folder / "train.spacy"),
                    "paths.dev": str(folder / "dev.spacy"),
                    **self._overrides(),
                },
                gpu_id=self.gpu_id,
            )
            best = folder / "pipeline" / "model-best"
            if self.interval_level is not None:
                calibrate(best, folder / "test.spacy", level=self.interval_level)
            nlp = spacy.load(best)
        self.nlp_, self.targets_, self._has_one_column = nlp, targets, values.ndim == 1
        return self

    def predict(self, texts: Sequence[str]) -> Floats:
        """Predict numbers.

        texts (Sequence[str]): The texts.
        RETURNS (ndarray): Shape (texts,) if y had one dimension, otherwise (texts, targets).
        RAISES (NotFittedError): `fit` has not been called.
        """
        docs = self._score(texts)
        rows = np.array([[doc.cats[name] for name in self.targets_] for doc in docs])
        return self._like_y(rows.reshape(len(docs), len(self.targets_)))

    def predict_interval(self, texts: Sequence[str]) -> Floats:
        """Predict intervals, if `interval_level` is set.

        texts (Sequence[str]): The texts.
        RETURNS (ndarray): Low and high ends, of shape (texts, 2) if y had one dimension, otherwise
            (texts, targets, 2).
        RAISES (NotFittedError, ValueError): `fit` has not been called, or with no `interval_level`.
        """
        docs = self._score(texts)
        if self.interval_level is None:
            raise ValueError(
                f"{type(self).__name__} was fitted without intervals. Expected interval_level, "
                "such as 0.9."
            )
        ends = [get_annotation(doc, "interval") for doc in docs]
        rows = np.array([[row[name] for name in self.targets_] for row in ends], dtype=float)
        return self._like_y(rows.reshape(len(docs), len(self.targets_), 2))

    def _score(self, texts: Sequence[str]) -> list[Doc]:
        check_is_fitted(self, "nlp_")
        with any_length(self.nlp_):
            return list(self.nlp_.pipe(_check_texts(texts)))

    def _like_y(self, rows: Floats) -> Floats:
        return rows[:, 0] if self._has_one_column else rows

    def _overrides(self) -> dict[str, Any]:
        """Make settings of the config from the parameters."""
        raise NotImplementedError

    def _shares(self) -> tuple[float, float, float]:
        """Say which shares of the texts to train on, to choose the best epoch on, and to calibrate
        on. The last two are equal."""
        calibration = 0.0 if self.interval_level is None else self.dev_share
        train = 1 - self.dev_share - calibration
        if self.dev_share <= 0 or train <= 0:
            raise ValueError(
                f"dev_share is {self.dev_share!r}. Expected more than 0, and less than "
                f"{0.5 if calibration else 1}."
            )
        return train, self.dev_share, calibration

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "nlp_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.multi_output = True
        return tags


def _name_targets(y: Any, n_dimensions: int) -> list[str]:
    if n_dimensions == 1:
        name = getattr(y, "name", None)
        return ["y" if name is None else str(name)]
    columns = getattr(y, "columns", range(np.shape(y)[1]))
    return [name if isinstance(name, str) else f"y{name}" for name in columns]


def _check_texts(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise ValueError("X is a single text. Expected a list of texts.")
    if getattr(texts, "ndim", 1) != 1:
        raise ValueError(
            f"X has the shape {np.shape(texts)}. Expected one dimension, such as a single column."
        )
    found = list(texts)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise ValueError(f"X[{place}] is {text!r}. Expected a text, empty if there is none.")
    return found


def _write(
    path: Path,
    texts: Sequence[str],
    values: Floats,
    targets: Sequence[str],
    weights: Floats | None,
    lang: str,
) -> None:
    """Write documents with their observed values as a .spacy file."""
    nlp = spacy.blank(lang)
    docs = DocBin(store_user_data=True)
    with any_length(nlp):
        for row, text in enumerate(texts):
            doc = nlp.make_doc(text)
            known = zip(targets, values[row].tolist(), strict=True)
            doc.cats.update({name: value for name, value in known if not np.isnan(value)})
            if weights is not None:
                doc.user_data[WEIGHT] = float(weights[row])
            docs.add(doc)
    docs.to_disk(path)
