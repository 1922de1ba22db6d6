"""Tokenize terms as a tokenizer splits them in texts.

How a tokenizer splits a word depends on its spelling. spaCy's for English splits "can't" and
"can\u2019t" in two, but not "CAN'T", and "u.s." but not "U.S.". A term is therefore tokenized in
each spelling in which it should be found, and matches any of the results.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from spacy.tokenizer import Tokenizer
from spacy.vocab import Vocab

from .globs import WILDCARD, escape, has_wildcard, unescape
from .lexicon import APOSTROPHES, DASHES, QUOTES, normalize

# Letters that stand for wildcards while the tokenizer splits a term.
PLACEHOLDERS = [chr(code) for code in range(0x1E01, 0x1E95, 2)]
# Marks that a term is spelled with, for those of each group.
MARKS = ((APOSTROPHES, "'\u2019"), (QUOTES, '"\u201c'), (DASHES, "-\u2013"))
# Limit for a term of many words with several tokenizations each.
MAX_TOKENIZATIONS = 64
# Words in one call of the tokenizer.
BATCH_SIZE = 2000

Tokens = tuple[str, ...]


class Spelling(NamedTuple):
    """One spelling of a word of a term.

    text (str): What the tokenizer gets, with letters in place of wildcards.
    globs (list[str]): For each character of the text, what it is in the term: a wildcard, or the
        character, escaped.
    """

    text: str
    globs: list[str]


class TermTokenizer:
    """Splits terms into tokens, for each spelling (as listed, in upper or lower case, capitalized,
    with straight and curly marks). Each word between spaces is also kept as one token."""

    def __init__(self, tokenizer: Tokenizer, *, case_sensitive: bool = False) -> None:
        """Create a tokenizer of terms.

        tokenizer (Tokenizer): The pipeline's.
        case_sensitive (bool): Whether terms are found only in the case in which they are listed.
        """
        # Other tokenizers may split elsewhere than at spaces, and depending on the context.
        self._splits_at_spaces = type(tokenizer) is Tokenizer
        self._tokenizer = _copy(tokenizer) if self._splits_at_spaces else tokenizer
        self._case_sensitive = case_sensitive

    def __call__(self, terms: Sequence[str]) -> list[list[Tokens]]:
        """Tokenize terms.

        terms (Sequence[str]): The terms, with wildcards as in `globs`.
        RETURNS (list[list[Tokens]]): The tokenizations of each term: normalized words with
            wildcards.
        """
        words = [term.split() if self._splits_at_spaces else [term] for term in terms]
        by_word = self._tokenize_words(list(dict.fromkeys(w for split in words for w in split)))
        return [
            [
                tuple(token for tokens in choice for token in tokens)
                for choice in islice(product(*(by_word[w] for w in split)), MAX_TOKENIZATIONS)
            ]
            for split in words
        ]

    def as_one_token(self, term: str) -> str:
        """Normalize a term that no tokenizer splits."""
        if has_wildcard(term):
            wildcards = iter(_wildcards(term))
            term = WILDCARD.sub(lambda _: next(wildcards), term)
        else:
            term = escape(unescape(term))
        return normalize(term, case_sensitive=self._case_sensitive)

    def split(self, text: str) -> list[str]:
        """Split a text without spaces as the tokenizer does."""
        return [text[start:end] for start, end in self._offsets([text])[0]]

    def _tokenize_words(self, words: list[str]) -> dict[str, list[Tokens]]:
        spellings = [(word, spelling) for word in words for spelling in self._spellings(word)]
        offsets = self._offsets([spelling.text for _, spelling in spellings])
        found = {word: {tuple(self.as_one_token(word).split()): None} for word in words}
        for (word, spelling), places in zip(spellings, offsets, strict=True):
            tokens = ("".join(spelling.globs[start:end]) for start, end in places)
            normalized = (normalize(t, case_sensitive=self._case_sensitive) for t in tokens)
            found[word].setdefault(tuple(normalized))
        return {word: list(tokenizations) for word, tokenizations in found.items()}

    def _spellings(self, word: str) -> Iterator[Spelling]:
        if not has_wildcard(word):
            for text in self._variants(unescape(word)):
                yield Spelling(text, list(map(escape, text)))
            return
        # The tokenizer takes a wildcard for punctuation, so a letter goes in its place.
        placeholder = next(letter for letter in PLACEHOLDERS if letter not in word.lower())
        wildcards = _wildcards(word)
        for text in self._variants(WILDCARD.sub(placeholder, word)):
            rest = iter(wildcards)
            globs = [next(rest) if c.lower() == placeholder else escape(c) for c in text]
            yield Spelling(text, globs)
            if all(w[0] == "[" and "'" in normalize(w, case_sensitive=True) for w in wildcards):
                yield Spelling("".join(map(_apostrophe, text, globs)), globs)
            if wildcards == ["*"] and len(text) > 1 and text[-1].lower() == placeholder:
                # "can't*" is found as "ca n't*", but "im*" only as "i m": "i m*" is "i must", too.
                stem = text[:-1]
                last = self.split(stem)[-1:]
                wildcard = "" if last and last[0].isalnum() else "*"
                yield Spelling(stem, [*globs[:-2], globs[-2] + wildcard])

    def _variants(self, text: str) -> list[str]:
        """List the forms of a text in other cases and with other marks."""
        variants = [text]
        if not self._case_sensitive:
            others = [text.lower(), text.upper(), text.capitalize(), text.title()]
            if self._splits_at_spaces and text.isalpha():
                # In words of letters alone, case matters to the tokenizer's exceptions only.
                others = [other for other in others if other in self._tokenizer.rules]
            variants += others
        # In an emoticon, apostrophes are tears; dashes and quotes are never set by typography.
        is_word = sum(map(str.isalnum, text)) > 1
        for group, marks in MARKS if is_word else MARKS[:1]:
            if any(mark in text for mark in group):
                tables = [str.maketrans(dict.fromkeys(group, mark)) for mark in marks]
                variants += [v.translate(table) for v in variants for table in tables]
        return list(dict.fromkeys(variants))

    def _offsets(self, texts: list[str]) -> list[list[tuple[int, int]]]:
        """Find where the tokens of each text start and end."""
        found: list[list[tuple[int, int]]] = []
        size = BATCH_SIZE if self._splits_at_spaces else 1
        for first in range(0, len(texts), size):
            batch = texts[first : first + size]
            tokens = [t for t in self._tokenizer(" ".join(batch)) if not t.is_space]
            start, number = 0, 0
            for text in batch:
                end = start + len(text)
                offsets = []
                while number < len(tokens) and tokens[number].idx < end:
                    idx = tokens[number].idx - start
                    offsets.append((idx, idx + len(tokens[number])))
                    number += 1
                found.append(offsets)
                start = end + 1
        return found


def _apostrophe(letter: str, glob: str) -> str:
    return "'" if len(glob) > 1 and glob != escape(letter) else letter


def _wildcards(word: str) -> list[str]:
    """List the wildcards. In brackets, a dash is put last, where it stands for itself: between
    letters, it would mean a range."""
    return [
        "[" + "".join(c for c in w[1:-1] if c not in DASHES[1:]) + "-]"
        if any(c in DASHES[1:] for c in w)
        else w
        for w in WILDCARD.findall(word)
    ]


def _copy(tokenizer: Tokenizer) -> Tokenizer:
    """Copy a tokenizer, with a vocabulary of its own. spaCy's caches the first 10,000 words. If
    these were the terms, it would split the words of texts anew each time, half as fast."""
    return Tokenizer(
        Vocab(),
        rules=tokenizer.rules,
        prefix_search=tokenizer.prefix_search,
        suffix_search=tokenizer.suffix_search,
        infix_finditer=tokenizer.infix_finditer,
        token_match=tokenizer.token_match,
        url_match=tokenizer.url_match,
        faster_heuristics=tokenizer.faster_heuristics,
    )
