import pytest
import spacy

from spacy_bertreg.dictionary.context_rules import ContextRules, read_context
from spacy_bertreg.dictionary.lexicon import Lexicon
from spacy_bertreg.dictionary.term_matcher import TermMatcher

nlp = spacy.blank("en")
TERMS = Lexicon(("good", "bad", "a lot", "wordy"), ("x", "x", "x", "one"), (1.9, -2.5, 0.0, 1.0))
# The mean absolute weight of the category x is that of VADER's list where this is 1.
UNIT = (1.9 + 2.5) / 3 / 1.543


def weights(text, lexicon=TERMS, **settings):
    doc = nlp(text)
    rules = ContextRules(nlp.tokenizer, read_context("en"), lexicon, **settings)
    return rules(doc, TermMatcher(nlp.tokenizer, lexicon)(doc))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("good", [1.9]),
        ("bad", [-2.5]),
        # Negation, up to three words before, not beyond and not from another sentence.
        ("not good", [1.9 * -0.74]),
        ("isn't bad", [-2.5 * -0.74]),
        ("not as a good", [1.9 * -0.74]),
        ("not, as it is, good", [1.9]),
        ("It is not. Good", [1.9]),
        ("not - good", [1.9 * -0.74]),
        ("never not good", [1.9 * 0.74**2]),
        ("good, not", [1.9]),
        # Intensity, damped by distance, away from zero or towards it.
        ("very good", [1.9 + 0.293 * UNIT]),
        ("very bad", [-2.5 - 0.293 * UNIT]),
        ("kind of bad", [-2.5 + 0.293 * UNIT]),
        ("very much good", [1.9 + 0.95 * 0.293 * UNIT]),
        ("very much a good", [1.9 + 0.9 * 0.293 * UNIT]),
        ("not very good", [(1.9 + 0.293 * UNIT) * -0.74]),
        # Contrast.
        ("bad but good", [-2.5 * 0.5, 1.9 * 1.5]),
        ("bad. But good", [-2.5, 1.9 * 1.5]),
        # Emphasis.
        ("a GOOD film", [1.9 + 0.733 * UNIT]),
        ("A GOOD FILM", [1.9]),
        ("good!", [1.9 + 0.292 * UNIT]),
        ("good!!!!!!", [1.9 + 4 * 0.292 * UNIT]),
        ("good. Film!", [1.9]),
        ("good and bad!!", [1.9 + 0.292 * UNIT, -2.5 - 0.292 * UNIT]),
        # A weight of nothing stays nothing.
        ("very a lot!", [0.0]),
        # Of its own category and unit.
        ("wordy!", [1 + 0.292 / 1.543]),
    ],
)
def test_rules(text, expected):
    assert weights(text) == pytest.approx(expected)


def test_window():
    assert weights("not a very good", window=1) == pytest.approx([1.9 + 0.293 * UNIT])
    assert weights("not as it really was good", window=5) == pytest.approx(
        [-0.74 * (1.9 + 0.95 * 0.293 * UNIT)]
    )


def test_own_word_list(tmp_path):
    path = tmp_path / "de.csv"
    path.write_text("term,category,weight\nnicht,negator,-1\nsehr,intensifier,0.5\n")
    context = read_context(path)
    doc = nlp("nicht good, sehr good")
    rules = ContextRules(nlp.tokenizer, context, TERMS)
    found = rules(doc, TermMatcher(nlp.tokenizer, TERMS)(doc))
    assert found == pytest.approx([-1.9, -1.9 - 0.9 * 0.5 * UNIT * 0 - 0.5 * UNIT])


@pytest.mark.parametrize(
    ("content", "message"),
    [("good,2\n", "category 'given'. Expected contrast, intensifier, negator"), ("", "no terms")],
)
def test_wrong_word_list(tmp_path, content, message):
    (tmp_path / "de.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_context(tmp_path / "de.csv")


def test_unknown_language():
    with pytest.raises(FileNotFoundError, match="context is 'xx'. Expected 'en', or a file"):
        read_context("xx")
