"""A term is found however the tokenizer splits the spelling of the text."""

import pytest
import spacy

from spacy_bertreg.dictionary.candidates import find_candidates
from spacy_bertreg.dictionary.lexicon import LEARNED, Lexicon
from spacy_bertreg.dictionary.term_matcher import TermMatcher
from spacy_bertreg.dictionary.term_tokenizer import TermTokenizer

nlp = spacy.blank("en")


def found(text, *terms, category="given", nlp=nlp, **settings):
    """The pieces of the text in which a term is found."""
    lexicon = Lexicon(terms, (category,) * len(terms), (1.0,) * len(terms))
    doc = nlp(text)
    return [doc[m.start : m.end].text for m in TermMatcher(nlp.tokenizer, lexicon, **settings)(doc)]


@pytest.mark.parametrize(
    ("term", "texts"),
    [
        ("mr.", ["Mr.", "mr.", "MR."]),
        ("U.S.", ["U.S.", "u.s."]),
        ("u.s.", ["U.S.", "u.s."]),
        ("ph.d.", ["Ph.D.", "ph.d."]),
        ("can't stand", ["can't stand", "CAN'T STAND", "Can\u2019t stand", "CAN\u2019T stand"]),
        ("can\u2019t", ["can't", "CAN'T", "can\u2019t"]),
        ("'ve", ["'ve", "\u2019ve"]),
        ("cannot", ["cannot", "CANNOT"]),
        ("ID", ["id", "ID"]),
        ("can't*", ["can't", "can\u2019t", "CAN'T"]),
        ("can\u2019t*", ["can't", "can\u2019t", "CAN'T"]),
        ("don['\u2019]t", ["don't", "don\u2019t", "DON'T"]),
        ("im*", ["im", "image"]),
        ("well-known", ["well-known", "well\u2013known", "well\u2011known"]),
        ('"so"', ['"so"', "\u201cso\u201d", "\u201eso\u201c"]),
    ],
)
def test_each_way_of_writing(term, texts):
    for text in texts:
        before = "I" if term == "'ve" else "x "
        assert found(f"{before}{text} y", term) == [text], text


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        # Of letters alone, what stands for more letters is no word of its own.
        ("im*", "I must", []),
        ("hes*", "he said", []),
        ("kill*", "kill ' them", ["kill"]),
        ("don['\u2019]t", "do not", []),
        ("x[a\u2013c]y", "xby", []),
    ],
)
def test_what_is_something_else(term, text, expected):
    assert found(text, term) == expected


def test_a_dash_in_brackets_stands_for_itself():
    assert found("x\u2013y x-y xcy", "x[\u2013c]y") == ["xcy"]
    assert found("a \u2013 b - c", "[\u2013]") == ["\u2013", "-"]


def test_case_where_it_matters():
    assert found("Can\u2019t and can't", "can't", case_sensitive=True) == ["can't"]
    assert found("Mr. mr.", "Mr.", case_sensitive=True) == ["Mr."]


@pytest.mark.parametrize("term", ["aujourd'hui", "aujourd\u2019hui", "l'homme", "l\u2019homme*"])
def test_apostrophes_of_another_language(term):
    texts = [term.strip("*").replace("\u2019", mark).replace("'", mark) for mark in "'\u2019"]
    nlp = spacy.blank("fr")
    assert [found(text, term, nlp=nlp) for text in texts] == [[text] for text in texts]


def test_a_tokenizer_that_does_not_cut_at_spaces():
    nlp = spacy.blank("zh")
    assert found("\u6211\u7231\u4f60", "\u7231\u4f60", nlp=nlp) == ["\u7231\u4f60"]


TEXTS = [
    "The U.S. Gen. and Mr. X: I've",
    "the u.s. gen. i\u2019ve can't",
    "GEN. CAN'T; x\u00b4s id",
]


@pytest.mark.parametrize("language", ["en", "fr", "de"])
@pytest.mark.parametrize("case_sensitive", [False, True])
def test_whatever_can_be_learned_is_found(language, case_sensitive):
    """In as many documents, and at as many places, as it is a candidate in."""
    nlp = spacy.blank(language)
    docs = [nlp(text) for text in TEXTS]
    candidates = find_candidates(
        docs, attribute="orth_", case_sensitive=case_sensitive, min_documents=1
    )
    for number, term in enumerate(candidates.terms):
        expected = candidates.documents[candidates.candidates == number].tolist()
        lexicon = Lexicon((term,), (LEARNED,), (1.0,))
        matcher = TermMatcher(nlp.tokenizer, lexicon, case_sensitive=case_sensitive)
        places = [number for number, doc in enumerate(docs) for _ in matcher(doc)]
        assert places == expected, term


def test_a_learned_term_is_one_word():
    # Where spaCy splits "gen." in two, it was two candidates.
    assert found("Gen. gen.", "gen.", category=LEARNED) == ["Gen."]
    # But one of several words, which was added by hand, is split.
    assert found("a car bomb", "car bomb", category=f"{LEARNED}:x") == ["car bomb"]


def test_the_vocabulary_is_left_as_it_was():
    nlp = spacy.blank("en")
    before = len(nlp.vocab.strings)
    assert TermTokenizer(nlp.tokenizer)(["zyx-wv", "can't zyx"])
    assert len(nlp.vocab.strings) == before
