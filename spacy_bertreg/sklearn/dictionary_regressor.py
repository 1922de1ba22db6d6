"""`DictionaryRegressor`: a weighted list of terms, for scikit-learn."""

from pathlib import Path
from typing import Any

from .text_estimator import TextEstimator

INITIALIZE = "initialize.components.dictionary_regressor"


class DictionaryRegressor(TextEstimator):
    """Predict numbers from texts with a dictionary, given or learned.

    lexicon (str | Path | None): A term list; see docs/lists.md.
    learn (str | None): "sensitivity", "elastic_net", or None to learn no terms.
    context (str | None): "en" for rules of negation and emphasis, another word list, or None.
    readout (str): "ridge", "random_forest" or "gradient_boosting".
    transform (str | dict): Transform of the targets; see docs/outcomes.md.
    bounds (list[float] | dict | None): For the transform "logit".
    teacher (str | Path | None): A trained pipeline. The list is also learned from its predictions
        for `unlabelled`; see docs/dictionary.md.
    unlabelled (str | Path | None): Texts without observed values: a .spacy file, or a table with
        the column `text`.
    unlabelled_weight (float): How much such a text counts beside one of `fit`.
    lang (str): spaCy's code of the language.
    dev_share (float): Share of the texts that is held out, as in `BertRegressor`.
    interval_level (float | None): For `predict_interval`: share of values that intervals are to
        hold. If given, another `dev_share` of the texts is kept for calibration.
    random_state (int): Seed of everything random.
    gpu_id (int): Has no effect: a dictionary needs no GPU.
    """

    _config = "dictionary"

    def __init__(
        self,
        *,
        lexicon: str | Path | None = None,
        learn: str | None = "sensitivity",
        context: str | None = None,
        readout: str = "ridge",
        transform: str | dict[str, str] = "standardize",
        bounds: list[float] | dict[str, list[float]] | None = None,
        teacher: str | Path | None = None,
        unlabelled: str | Path | None = None,
        unlabelled_weight: float = 1.0,
        lang: str = "en",
        dev_share: float = 0.1,
        interval_level: float | None = None,
        random_state: int = 0,
        gpu_id: int = -1,
    ) -> None:
        self.lexicon = lexicon
        self.learn = learn
        self.context = context
        self.readout = readout
        self.transform = transform
        self.bounds = bounds
        self.teacher = teacher
        self.unlabelled = unlabelled
        self.unlabelled_weight = unlabelled_weight
        self.lang = lang
        self.dev_share = dev_share
        self.interval_level = interval_level
        self.random_state = random_state
        self.gpu_id = gpu_id

    def _overrides(self) -> dict[str, Any]:
        return {
            "paths.lexicon": None if self.lexicon is None else str(self.lexicon),
            f"{INITIALIZE}.learn": self.learn,
            f"{INITIALIZE}.context": self.context,
            f"{INITIALIZE}.teacher": None if self.teacher is None else str(self.teacher),
            f"{INITIALIZE}.unlabelled": None if self.unlabelled is None else str(self.unlabelled),
            f"{INITIALIZE}.unlabelled_weight": self.unlabelled_weight,
            "components.dictionary_regressor.readout": self.readout,
            "components.dictionary_regressor.transform": self.transform,
            "components.dictionary_regressor.bounds": self.bounds,
        }
