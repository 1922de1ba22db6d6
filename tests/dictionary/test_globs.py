from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_bertreg.dictionary.globs import GlobIndex, escape, has_wildcard, unescape

LETTERS = "abé[]!*?-日"


@given(st.lists(st.text(LETTERS, max_size=8), max_size=20), st.text(LETTERS, max_size=8))
def test_finds_what_fnmatch_finds(globs, word):
    found = GlobIndex(set(globs))(word)
    assert sorted(found) == sorted(glob for glob in set(globs) if fnmatchcase(word, glob))


@given(st.text(LETTERS, max_size=8))
def test_escaped_text_matches_itself_alone(text):
    assert not has_wildcard(escape(text))
    assert unescape(escape(text)) == text
    assert fnmatchcase(text, escape(text))


@given(st.text(LETTERS, max_size=8), st.text(LETTERS, max_size=8))
def test_what_has_no_wildcard_matches_one_word(pattern, word):
    if not has_wildcard(pattern):
        assert fnmatchcase(word, pattern) == (word == unescape(pattern))


@pytest.mark.parametrize(
    ("pattern", "wildcard"), [("kill*", True), ("a?", True), ("[ab]c", True), (":-[", False)]
)
def test_wildcards(pattern, wildcard):
    assert has_wildcard(pattern) == wildcard
