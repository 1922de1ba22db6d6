from fnmatch import fnmatchcase

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_bertreg.dictionary import term_matcher
from spacy_bertreg.dictionary.lexicon import Lexicon, normalize
from spacy_bertreg.dictionary.term_matcher import TermMatcher, specificity

nlp = spacy.blank("en")


def found(text, terms, categories=None, **settings):
    """The terms found in a text, as (term, matched text)."""
    categories = categories or ["given"] * len(terms)
    lexicon = Lexicon(tuple(terms), tuple(categories), tuple([1.0] * len(terms)))
    doc = nlp(text) if isinstance(text, str) else text
    matches = TermMatcher(nlp.tokenizer, lexicon, **settings)(doc)
    return [(terms[m.entry], doc[m.start : m.end].text) for m in matches]


TERMS = ["bomb", "car bomb", "bomb squad", "can't stand", ":)", "US"]


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
    assert [term for term, _ in found(text, TERMS)] == terms


def test_case_sensitive():
    assert not found("A BOMB for us", TERMS, case_sensitive=True)
    assert found("a bomb in the US", TERMS, case_sensitive=True) == [("bomb", "bomb"), ("US", "US")]


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("They killed and kill", ["kill*"], [("kill*", "killed"), ("kill*", "kill")]),
        ("overkill", ["kill*"], []),
        ("bombshells", ["*shell*"], [("*shell*", "bombshells")]),
        ("wars", ["war?"], [("war?", "wars")]),
        ("a car bombing", ["car bomb*"], [("car bomb*", "car bombing")]),
        ("road-side bombs", ["*-side bomb*"], [("*-side bomb*", "road-side bombs")]),
        ("tug of war", ["tug * war"], [("tug * war", "tug of war")]),
        # The more specific term, whatever its place in the list.
        ("killing", ["kill*", "killing", "killi*"], [("killing", "killing")]),
        ("killings", ["kill*", "killing", "killi*"], [("killi*", "killings")]),
        # More tokens before more letters.
        ("armed forces", ["armed*", "arm* for*"], [("arm* for*", "armed forces")]),
        # Escaped, or without a bracket to close: no wildcard.
        ("5* hotel *", ["[*]"], [("[*]", "*"), ("[*]", "*")]),
        ("sad :-[", [":-["], [(":-[", ":-[")]),
    ],
)
def test_wildcards(text, terms, expected):
    assert found(text, terms) == expected
    assert found(text, terms[::-1]) == expected


def test_space_between_words_does_not_matter():
    assert found("a car \n\n bomb", ["car bomb"]) == [("car bomb", "car \n\n bomb")]
    assert found("a car ", ["car bomb"]) == []


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("die STRASSE", "straße"),
        ("Cafe\u0301 Paris", "café"),  # an accent of its own
        ("Он убит", "уби*"),
        ("شهداء كثيرون", "شهد*"),
        ("great 👍🏽", "👍🏽"),
    ],
)
def test_unicode(text, term):
    assert [t for t, _ in found(text, [term])] == [term]


def test_categories_do_not_know_of_each_other():
    terms, categories = ["kill*", "killer", "kill*", "serial killer"], ["a", "a", "b", "b"]
    assert found("a serial killer", terms, categories) == [
        ("serial killer", "serial killer"),
        ("killer", "killer"),
    ]


def test_lemmas():
    doc = Doc(nlp.vocab, words=["They", "went", "home"], lemmas=["they", "go", "home"])
    assert found(doc, ["go", "went"], match_on="lemma") == [("go", "went")]


def test_memory_of_words_is_bounded(monkeypatch):
    monkeypatch.setattr(term_matcher, "MAX_KNOWN_WORDS", 10)
    lexicon = Lexicon(("kill*", "car bomb"), ("given",) * 2, (1.0, 1.0))
    matcher = TermMatcher(nlp.tokenizer, lexicon)
    for number in range(100):
        doc = nlp(f"a{number} car bomb kills b{number}")
        assert [m.entry for m in matcher(doc)] == [1, 0]
        assert len(matcher._keys) < 20


words = st.text("abc", min_size=1, max_size=3)
pieces = st.text("abc*?", min_size=1, max_size=3)


@settings(deadline=None)
@given(
    st.lists(st.lists(pieces, min_size=1, max_size=3).map(" ".join), unique=True, max_size=12),
    st.lists(words, max_size=12),
    st.randoms(),
)
def test_equals_trying_every_term_everywhere(terms, words, random):
    random.shuffle(terms)
    spans = [
        (start - end, start, specificity(term), term, end)
        for term in terms
        for start in range(len(words))
        for end in [start + len(term.split())]
        if end <= len(words)
        and all(
            fnmatchcase(word, piece)
            for word, piece in zip(words[start:end], term.split(), strict=True)
        )
    ]
    taken, expected = set(), []
    for _, start, _, term, end in sorted(spans):
        if taken.isdisjoint(range(start, end)):
            taken.update(range(start, end))
            expected.append((start, term))
    doc = Doc(nlp.vocab, words=words)
    lexicon = Lexicon(tuple(terms), ("given",) * len(terms), (1.0,) * len(terms))
    matches = TermMatcher(nlp.tokenizer, lexicon)(doc)
    assert [(m.start, terms[m.entry]) for m in matches] == sorted(expected)


@given(st.text())
def test_normalizing_twice_changes_nothing(text):
    for case_sensitive in (False, True):
        once = normalize(text, case_sensitive=case_sensitive)
        assert normalize(once, case_sensitive=case_sensitive) == once


@pytest.mark.parametrize(
    "marks", ["'\u2019\u2018\u02bc\u00b4", '"\u201c\u201d\u00ab', "-\u2013\u2014\u2011"]
)
def test_marks_that_are_set_for_one_another_are_one(marks):
    assert {normalize(f"a{mark}b", case_sensitive=True) for mark in marks} == {f"a{marks[0]}b"}


def test_white_space_is_one_space():
    assert normalize("a\u00a0 b\n", case_sensitive=False) == "a b"
