import numpy as np
import pytest

from spacy_bertreg.dictionary.features import MatchTable, TermFeatures
from spacy_bertreg.dictionary.lexicon import Lexicon

LEXICON = Lexicon(
    ("good", "great", "bad", "we", "us"),
    ("mood", "mood", "mood", "self", "self"),
    (1.0, 3.0, -2.0, 1.0, 1.0),
)
TABLE = MatchTable(
    np.array([0, 0, 0, 0, 2]),
    np.array([0, 1, 2, 3, 4]),
    np.array([1.0, 3.0, -2.0, 1.0, 1.0]),
    np.array([16, 5, 4]),
)


def test_features():
    features = TermFeatures(LEXICON)
    sums = features.sums(features.shares(TABLE), TABLE)
    assert sums.shape == (3, len(features.names))
    assert dict(zip(features.names, sums[0].tolist(), strict=True)) == {
        "mood:sum_positive": 4,
        "mood:sum_negative": -2,
        "mood:n_positive": 2,
        "mood:n_negative": 1,
        "mood:mean": pytest.approx(2 / 3),
        "mood:sum_by_length": pytest.approx(2 / 4),
        "mood:sum_bounded": pytest.approx(2 / np.sqrt(4 + 15 * (2 / 1.543) ** 2)),
        "self:sum": 1,
        "self:sum_by_length": 1 / 4,
    }
    assert not sums[1].any()
    assert sums[2].tolist() == [0] * 7 + [1, 0.5]


def test_terms_that_cancel_out():
    table = MatchTable(np.array([0, 0]), np.array([0, 2]), np.array([2.0, -2.0]), np.array([2]))
    features = TermFeatures(LEXICON)
    sums = features.sums(features.shares(table), table)
    assert sums[0, 4:7].tolist() == [0, 0, 0]
    assert np.isfinite(sums).all()


def test_no_documents():
    nothing = np.zeros(0, dtype=np.int64)
    table = MatchTable(nothing, nothing, np.zeros(0), nothing)
    features = TermFeatures(LEXICON)
    assert features.sums(features.shares(table), table).shape == (0, 9)
