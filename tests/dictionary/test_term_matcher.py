import pytest
import spacy

from spacy_bertreg.dictionary.features import FEATURES, term_features
from spacy_bertreg.dictionary.lexicon import Lexicon
from spacy_bertreg.dictionary.term_matcher import TermMatcher

nlp = spacy.blank("en")
LEXICON = Lexicon(
    ("bomb", "car bomb", "bomb squad", "can't stand", ":)", "US"), (1, 3, -1, -2, 2, 1)
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("nothing here", []),
        ("A bomb, a BOMB!", ["bomb", "bomb"]),
        ("The car bomb", ["car bomb"]),
        ("I can't stand it :)", ["can't stand", ":)"]),
        ("car bomb squad", ["car bomb"]),
        ("tell us", ["US"]),
    ],
)
def test_longest_match_wins_whatever_the_case(text, terms):
    matcher = TermMatcher(nlp.tokenizer, LEXICON, case_sensitive=False)
    matches = matcher(nlp(text))
    assert [LEXICON.terms[term] for term, _ in matches] == terms
    assert [span.text.lower() for _, span in matches] == [term.lower() for term in terms]


def test_case_sensitive():
    matcher = TermMatcher(nlp.tokenizer, LEXICON, case_sensitive=True)
    assert not matcher(nlp("A BOMB for us"))
    assert [term for term, _ in matcher(nlp("a bomb in the US"))] == [0, 5]


def test_features():
    features = dict(zip(FEATURES, term_features([0, 1, 3], LEXICON), strict=True))
    assert features == {
        "sum_positive": 4,
        "sum_negative": -2,
        "n_positive": 2,
        "n_negative": 1,
        "mean_weight": pytest.approx(2 / 3),
    }
    assert not term_features([], LEXICON).any()
