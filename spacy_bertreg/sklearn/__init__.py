"""Regressors for scikit-learn: texts in, numbers out. Each trains a spaCy pipeline, `nlp_`."""

from .bert_regressor import BertRegressor
from .dictionary_regressor import DictionaryRegressor

__all__ = ["BertRegressor", "DictionaryRegressor"]
