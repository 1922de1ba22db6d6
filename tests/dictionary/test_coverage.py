import pytest
import spacy

from spacy_bertreg.dictionary.coverage import describe_coverage, unmatchable_reason
from spacy_bertreg.dictionary.lexicon import Lexicon
from spacy_bertreg.dictionary.term_tokenizer import TermTokenizer

tokenizer = TermTokenizer(spacy.blank("en").tokenizer)


@pytest.mark.parametrize(
    ("term", "reason"),
    [
        ("good_morning", "an underscore, where texts have a space"),
        ("a_lot", "an underscore"),
        ("can*t", 'a wildcard stands for a part of one word, and "can\'t" is 2'),
        ("who?s", '"who\'s" is 2'),
        ("o_o", None),
        ("^_^", None),
        ("can't*", None),
        ("kill*", None),
        ("k*ll", None),
        (":[*](", None),
        ("good morning", None),
    ],
)
def test_why_a_term_is_never_found(term, reason):
    assert (reason or "") in (unmatchable_reason(term, tokenizer) or "")
    assert (unmatchable_reason(term, tokenizer) is None) == (reason is None)


@pytest.mark.parametrize(
    ("n_terms", "n_found", "is_poor"),
    [
        (1, 1, False),
        (3, 0, True),
        (100, 1, False),
        (101, 1, True),
        (2000, 9, True),
        (2000, 10, False),
    ],
)
def test_of_which_lists_hardly_any_term_occurs(n_terms, n_found, is_poor):
    terms = tuple(f"x{number}" for number in range(n_terms))
    given = Lexicon(terms, ("given",) * n_terms, (1.0,) * n_terms)
    frequency = [int(number < n_found) for number in range(n_terms)]
    message, poor = describe_coverage(given, frequency, 7, "a.csv", tokenizer)
    assert poor == is_poor
    assert message.startswith(f"a.csv: {n_found} of {n_terms:,} terms occur in the 7 training")


def test_terms_of_several_categories_count_once_and_notes_are_told():
    terms = ("a", "a", "b_cd", "e_fg", "h_ij", "k_lm")
    given = Lexicon(terms, ("x", "y", *("x",) * 4), (1.0,) * 6, notes=("2 repeated lines",))
    message, _ = describe_coverage(given, [1, 0, 0, 0, 0, 0], 7, "a.csv", tokenizer)
    assert "1 of 5 terms occur" in message
    assert "Of the file: 2 repeated lines." in message
    assert "Not to be found as written: 'b_cd' (an underscore" in message
    assert message.endswith("'h_ij' (an underscore, where texts have a space); and 1 more.")
    assert "'k_lm'" not in message
