"""Finds the terms of a lexicon in documents."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from spacy.attrs import LEMMA, LOWER, ORTH
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from .globs import WILDCARD, GlobIndex, escape, has_wildcard, unescape
from .lexicon import Lexicon, normalize

MatchOn = Literal["text", "lemma"]

# Words seen before are not looked up again; beyond this many, memory starts anew.
MAX_KNOWN_WORDS = 200_000
# Letters that stand for wildcards while the tokenizer cuts a term.
STAND_INS = "ɋɏʑ"


class Match(NamedTuple):
    """A term found in a document.

    entry (int): Index of the term in the lexicon.
    start (int): First token.
    end (int): The token after the last.
    """

    entry: int
    start: int
    end: int


class Node:
    """A place in the tree of terms, reached by the words and globs on the way to it."""

    __slots__ = ("entries", "globs", "words")

    def __init__(self) -> None:
        self.words: dict[str, Node] = {}
        self.globs: dict[str, Node] = {}
        self.entries: list[int] = []

    def after(self, word: str, globs: Iterable[str]) -> list["Node"]:
        """word (str): The next word. globs (Iterable[str]): Those that match it.
        RETURNS (list[Node]): Where it leads.
        """
        found = [self.globs[glob] for glob in globs if glob in self.globs]
        if word in self.words:
            found.append(self.words[word])
        return found


class TermMatcher:
    """Matches terms of one or more tokens, with wildcards. Terms of different categories don't
    know of each other. Within a category no token counts twice: where matches overlap, the one of
    most tokens counts; of equally long ones the first; of those on the same tokens a term
    without wildcards, then the one with most other characters, then the first in the alphabet.
    White space between words, as a line break, does not matter.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        lexicon: Lexicon,
        *,
        case_sensitive: bool = False,
        match_on: MatchOn = "text",
    ) -> None:
        """tokenizer (Tokenizer): The pipeline's, which cuts the terms as it cuts the texts.
        lexicon (Lexicon): The terms to find.
        case_sensitive (bool): Whether "US" and "us" are different terms.
        match_on (str): What of a token is compared with the term: "text" or "lemma".
        """
        self._case_sensitive = case_sensitive
        self._strings = tokenizer.vocab.strings
        if match_on == "lemma":
            self._attribute = LEMMA
        else:
            self._attribute = ORTH if case_sensitive else LOWER
        self._categories = lexicon.categories
        self._one_category = len(lexicon.category_names) < 2
        self._root = Node()
        self._rank = [0] * len(lexicon)
        globs: set[str] = set()
        for entry, term in enumerate(lexicon.terms):
            node = self._root
            for word in self._cut(tokenizer, term):
                if has_wildcard(word):
                    globs.add(word)
                    node = node.globs.setdefault(word, Node())
                else:
                    node = node.words.setdefault(unescape(word), Node())
            node.entries.append(entry)
        order = sorted(range(len(lexicon)), key=lambda e: specificity(lexicon.terms[e]))
        for rank, entry in enumerate(order):
            self._rank[entry] = rank
        self._globs = GlobIndex(globs)
        # Of each word seen before: itself and the globs that match it, None for white space.
        self._known: dict[int, tuple[str, list[str]] | None] = {}
        # And the nodes that it leads to from the root.
        self._starts: dict[int, list[Node]] = {}

    def __call__(self, doc: Doc) -> list[Match]:
        """doc (Doc): The document. RETURNS (list[Match]): In the document's order."""
        keys = doc.to_array(self._attribute).tolist()
        starts = self._starts
        try:
            found = [(start, nodes) for start, key in enumerate(keys) if (nodes := starts[key])]
        except KeyError:
            self._learn(keys)
            found = [(start, nodes) for start, key in enumerate(keys) if (nodes := starts[key])]
        if not found:
            return []
        matches: list[Match] = []
        for start, nodes in found:
            self._follow(keys, start, nodes, matches)
        return self._resolve(matches)

    def _follow(self, keys: list[int], start: int, nodes: list[Node], matches: list[Match]) -> None:
        """Add all matches that begin with the token `start`, which leads to `nodes`."""
        end = start + 1
        while nodes:
            for node in nodes:
                for entry in node.entries:
                    matches.append(Match(entry, start, end))
            inner = [node for node in nodes if node.words or node.globs]
            while inner and end < len(keys) and self._known[keys[end]] is None:
                end += 1
            if not inner or end == len(keys):
                return
            word, globs = self._known[keys[end]]  # type: ignore[misc]
            nodes = [after for node in inner for after in node.after(word, globs)]
            end += 1

    def _learn(self, keys: list[int]) -> None:
        """Look up which words and globs each token is an instance of."""
        if len(self._known) > MAX_KNOWN_WORDS:
            self._known.clear()
            self._starts.clear()
        for key in set(keys).difference(self._known):
            word = normalize(self._strings[key], case_sensitive=self._case_sensitive)
            if not word.strip():
                self._known[key] = None
                self._starts[key] = []
            else:
                globs = self._globs(word)
                self._known[key] = word, globs
                self._starts[key] = self._root.after(word, globs)

    def _resolve(self, matches: list[Match]) -> list[Match]:
        if len(matches) < 2:
            return matches
        if self._one_category:
            return self._without_overlap(matches)
        groups: dict[str, list[Match]] = defaultdict(list)
        for match in matches:
            groups[self._categories[match.entry]].append(match)
        resolved = [m for group in groups.values() for m in self._without_overlap(group)]
        return sorted(resolved, key=lambda m: (m.start, m.end, self._categories[m.entry]))

    def _without_overlap(self, matches: list[Match]) -> list[Match]:
        end = 0
        for match in matches:
            if match.start < end:
                break
            end = match.end
        else:
            return matches
        taken: set[int] = set()
        kept = []
        by_rule = sorted(matches, key=lambda m: (m.start - m.end, m.start, self._rank[m.entry]))
        for match in by_rule:
            tokens = range(match.start, match.end)
            if taken.isdisjoint(tokens):
                taken.update(tokens)
                kept.append(match)
        return sorted(kept, key=lambda m: m.start)

    def _cut(self, tokenizer: Tokenizer, term: str) -> list[str]:
        """RETURNS (list[str]): The term's words, normalized, cut as in a text."""
        if has_wildcard(term):
            # To the tokenizer a wildcard is punctuation, so a letter goes in its place.
            stand_in = next(letter for letter in STAND_INS if letter not in term)
            wildcards = iter(WILDCARD.findall(term))
            words = []
            for token in tokenizer(WILDCARD.sub(stand_in, term)):
                first, *others = token.text.split(stand_in)
                words.append(first + "".join(next(wildcards) + other for other in others))
        else:
            words = [escape(token.text) for token in tokenizer(unescape(term))]
        return [
            normalize(word, case_sensitive=self._case_sensitive)
            for word in words
            if not word.isspace()
        ]


def specificity(term: str) -> tuple[bool, int, str]:
    """RETURNS (tuple): Sorts terms from the most to the least specific."""
    wildcard = has_wildcard(term)
    return wildcard, -len(WILDCARD.sub("", term) if wildcard else unescape(term)), term
