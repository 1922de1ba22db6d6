"""`BertRegressor`: a BERT with a linear head, for scikit-learn."""

from typing import Any

from .text_estimator import TextEstimator


class BertRegressor(TextEstimator):
    """Predict numbers from texts with a BERT. All of its parameters learn, except those that
    `freeze` names.

    transformer (str): Folder or Hugging Face name of the BERT.
    freeze (str | int | list[str]): What does not learn: "none", "all", "embeddings", a number of
        blocks from below, or globs; see docs/freezing.md.
    lora (dict | None): With freeze = "all", adapters that learn beside it, such as {"rank": 8};
        see docs/freezing.md. Needs pip install 'spacy-bertreg[peft]'.
    head (str): What the head starts from: "ridge", "random", or "auto" for "ridge" where nothing
        else learns; see docs/freezing.md.
    epochs (int): How often to go over the training texts.
    pooling (str): "mean", "max" or "cls".
    normalize (bool): Whether only the direction of a text's vector counts, which suits
        freeze = "all"; see docs/recipes.md.
    transform (str | dict): Transform of the targets; see docs/outcomes.md.
    bounds (list[float] | dict | None): For the transform "logit".
    precision (str): "float32", "bfloat16" or "auto".
    lang (str): spaCy's code of the language.
    dev_share (float): Share of the texts to choose the best epoch on.
    interval_level (float | None): For `predict_interval`: share of values that intervals are to
        hold. If given, another `dev_share` of the texts is kept for calibration.
    random_state (int): Seed of the training and of the split.
    gpu_id (int): GPU, or -1 for the CPU.
    """

    _config = "bert"

    def __init__(
        self,
        transformer: str = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        freeze: str | int | list[str] = "none",
        lora: dict[str, Any] | None = None,
        head: str = "auto",
        epochs: int = 5,
        pooling: str = "mean",
        normalize: bool = False,
        transform: str | dict[str, str] = "standardize",
        bounds: list[float] | dict[str, list[float]] | None = None,
        precision: str = "float32",
        lang: str = "en",
        dev_share: float = 0.1,
        interval_level: float | None = None,
        random_state: int = 0,
        gpu_id: int = -1,
    ) -> None:
        self.transformer = transformer
        self.freeze = freeze
        self.lora = lora
        self.head = head
        self.epochs = epochs
        self.pooling = pooling
        self.normalize = normalize
        self.transform = transform
        self.bounds = bounds
        self.precision = precision
        self.lang = lang
        self.dev_share = dev_share
        self.interval_level = interval_level
        self.random_state = random_state
        self.gpu_id = gpu_id

    def _overrides(self) -> dict[str, Any]:
        return {
            "paths.transformer": str(self.transformer),
            "components.transformer.model.freeze": self.freeze,
            "components.transformer.model.lora": self.lora,
            "initialize.components.text_regressor.head": self.head,
            "components.transformer.model.precision": self.precision,
            "components.text_regressor.model.tok2vec.pooling": self.pooling,
            "components.text_regressor.model.tok2vec.normalize": self.normalize,
            "components.text_regressor.transform": self.transform,
            "components.text_regressor.bounds": self.bounds,
        }
