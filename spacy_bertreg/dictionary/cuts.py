"""Cuts terms into words as a tokenizer cuts the texts that they stand in.

How a tokenizer cuts a word depends on how it is written. spaCy's for English cuts "can't" and
"can\u2019t" in two, but not "CAN'T", and "u.s." but not "U.S.". So a term is cut in each way of
writing in which it is to be found, and all cuts are its own.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from spacy.tokenizer import Tokenizer
from spacy.vocab import Vocab

from .globs import WILDCARD, escape, has_wildcard, unescape
from .lexicon import APOSTROPHES, DASHES, QUOTES, normalize

# Letters that stand for wildcards while the tokenizer cuts a term.
STAND_INS = [chr(code) for code in range(0x1E01, 0x1E95, 2)]
# With which of its marks a term is cut, too.
MARKS = ((APOSTROPHES, "'\u2019"), (QUOTES, '"\u201c'), (DASHES, "-\u2013"))
# Of a term of many words, each with several cuts, so many are kept.
MAX_CUTS = 64
# So many words are cut at once, as one text.
BATCH_SIZE = 2000
ESCAPED = {letter: escape(letter) for letter in "*?["}

Words = tuple[str, ...]


class Reading(NamedTuple):
    """A part of a term in one way of writing.

    text (str): What the tokenizer gets: wildcards are replaced.
    shown (list[str]): What each of its letters is in the term.
    """

    text: str
    shown: list[str]


class TermCutter:
    """Gives the words that a term is found as: those of each way of writing (as listed, in upper
    or lower case, capitalised, with straight and curly marks), and each of its parts between
    spaces as one word."""

    def __init__(self, tokenizer: Tokenizer, *, case_sensitive: bool = False) -> None:
        """tokenizer (Tokenizer): The pipeline's.
        case_sensitive (bool): Whether terms are found only in the case in which they are listed.
        """
        # Another tokenizer may cut at other places than spaces, and by what is around them.
        self._cuts_at_spaces = type(tokenizer) is Tokenizer
        self._tokenizer = _copy(tokenizer) if self._cuts_at_spaces else tokenizer
        self._case_sensitive = case_sensitive

    def __call__(self, terms: Sequence[str]) -> list[list[Words]]:
        """terms (Sequence[str]): The terms, with wildcards as in `globs`.
        RETURNS (list[list[Words]]): The cuts of each term, of words with wildcards, normalized.
        """
        parts = [term.split() if self._cuts_at_spaces else [term] for term in terms]
        cuts = self._cut(list(dict.fromkeys(part for own in parts for part in own)))
        return [
            [
                tuple(word for words in chosen for word in words)
                for chosen in islice(product(*(cuts[part] for part in own)), MAX_CUTS)
            ]
            for own in parts
        ]

    def one_word(self, term: str) -> str:
        """RETURNS (str): The term as a word, normalized, which no tokenizer cuts."""
        if has_wildcard(term):
            wildcards = iter(_wildcards(term))
            term = WILDCARD.sub(lambda _: next(wildcards), term)
        else:
            term = escape(unescape(term))
        return normalize(term, case_sensitive=self._case_sensitive)

    def words(self, text: str) -> list[str]:
        """RETURNS (list[str]): The words of a text without spaces, as the tokenizer cuts it."""
        return [text[start:end] for start, end in self._tokenize([text])[0]]

    def _cut(self, parts: list[str]) -> dict[str, list[Words]]:
        readings = [(part, reading) for part in parts for reading in self._readings(part)]
        cuts = {part: {tuple(self.one_word(part).split()): None} for part in parts}
        found = self._tokenize([reading.text for _, reading in readings])
        for (part, reading), spans in zip(readings, found, strict=True):
            words = ("".join(reading.shown[start:end]) for start, end in spans)
            cut = tuple(normalize(word, case_sensitive=self._case_sensitive) for word in words)
            cuts[part].setdefault(cut)
        return {part: list(own) for part, own in cuts.items()}

    def _readings(self, part: str) -> Iterator[Reading]:
        if not has_wildcard(part):
            for text in self._spellings(unescape(part)):
                yield Reading(text, [ESCAPED.get(letter, letter) for letter in text])
            return
        # To the tokenizer a wildcard is punctuation, so a letter goes in its place.
        stand_in = next(letter for letter in STAND_INS if letter not in part.lower())
        wildcards = _wildcards(part)
        for text in self._spellings(WILDCARD.sub(stand_in, part)):
            rest = iter(wildcards)
            shown = [next(rest) if c.lower() == stand_in else ESCAPED.get(c, c) for c in text]
            yield Reading(text, shown)
            if all(w[0] == "[" and "'" in normalize(w, case_sensitive=True) for w in wildcards):
                yield Reading("".join(map(_apostrophe, text, shown)), shown)
            if wildcards == ["*"] and len(text) > 1 and text[-1].lower() == stand_in:
                # "can't*" is found as "ca n't*", but "im*" only as "i m": "i m*" is "i must", too.
                stem = text[:-1]
                last = self.words(stem)[-1:]
                wildcard = "" if last and last[0].isalnum() else "*"
                yield Reading(stem, [*shown[:-2], shown[-2] + wildcard])

    def _spellings(self, text: str) -> list[str]:
        spellings = [text]
        if not self._case_sensitive:
            others = [text.lower(), text.upper(), text.capitalize(), text.title()]
            if self._cuts_at_spaces and text.isalpha():
                # Without marks in it, case decides in the tokenizer's exceptions alone.
                others = [other for other in others if other in self._tokenizer.rules]
            spellings += others
        # In an emoticon, apostrophes are tears; dashes and quotes are never set by typography.
        is_word = sum(map(str.isalnum, text)) > 1
        for alike, marks in MARKS if is_word else MARKS[:1]:
            if any(mark in text for mark in alike):
                tables = [str.maketrans(dict.fromkeys(alike, mark)) for mark in marks]
                spellings += [s.translate(table) for s in spellings for table in tables]
        return list(dict.fromkeys(spellings))

    def _tokenize(self, texts: list[str]) -> list[list[tuple[int, int]]]:
        """RETURNS (list[list[tuple[int, int]]]): Where the words of each text begin and end."""
        found: list[list[tuple[int, int]]] = []
        size = BATCH_SIZE if self._cuts_at_spaces else 1
        for first in range(0, len(texts), size):
            batch = texts[first : first + size]
            words = [
                (token.idx, token.idx + len(token.text))
                for token in self._tokenizer(" ".join(batch))
                if not token.is_space
            ]
            begin, number = 0, 0
            for text in batch:
                end = begin + len(text)
                own = []
                while number < len(words) and words[number][0] < end:
                    own.append((words[number][0] - begin, words[number][1] - begin))
                    number += 1
                found.append(own)
                begin = end + 1
        return found


def _apostrophe(letter: str, shown: str) -> str:
    return "'" if len(shown) > 1 and shown != ESCAPED.get(letter) else letter


def _wildcards(part: str) -> list[str]:
    """RETURNS (list[str]): The wildcards. In brackets a dash stands last, for itself: there,
    normalized among letters, it would say "to"."""
    return [
        "[" + "".join(c for c in w[1:-1] if c not in DASHES[1:]) + "-]"
        if any(c in DASHES[1:] for c in w)
        else w
        for w in WILDCARD.findall(part)
    ]


def _copy(tokenizer: Tokenizer) -> Tokenizer:
    """RETURNS (Tokenizer): One that cuts alike, with a vocabulary of its own. spaCy's remembers the
    first 10,000 words that it cuts: were these the terms, it would cut the words of the texts anew
    each time, half as fast."""
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
