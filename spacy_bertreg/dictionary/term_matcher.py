"""Finds the terms of a lexicon in documents."""

from collections import defaultdict
from typing import Literal, NamedTuple

from spacy.attrs import LEMMA, LOWER, ORTH
from spacy.strings import StringStore
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from .cuts import TermCutter
from .globs import WILDCARD, GlobIndex, has_wildcard, unescape
from .lexicon import Lexicon, is_learned, normalize

MatchOn = Literal["text", "lemma"]

# Words seen before are not looked up again; beyond this many, memory starts anew.
MAX_KNOWN_WORDS = 200_000


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
        self.words: dict[str | None, Node] = {}
        self.globs: dict[str, Node] = {}
        self.entries: list[int] = []


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
        if match_on == "lemma":
            self._attribute = LEMMA
        else:
            self._attribute = ORTH if case_sensitive else LOWER
        self._categories = lexicon.categories
        self._one_category = len(lexicon.category_names) < 2
        self._root = Node()
        self._rank = [0] * len(lexicon)
        cutter = TermCutter(tokenizer, case_sensitive=case_sensitive)
        # A learned term is a word of the texts, which is not cut once more. One of several words
        # was added by hand, or is a lemma.
        learned = [is_learned(category) for category in lexicon.categories]
        pairs = list(zip(lexicon.terms, learned, strict=True))
        cuts = iter(cutter([term for term, own in pairs if not own or " " in term]))
        globs: set[str] = set()
        for entry, (term, own) in enumerate(pairs):
            paths = [(cutter.one_word(term),)] if own else []
            for words in paths + (next(cuts) if not own or " " in term else []):
                node = self._root
                for word in words:
                    if has_wildcard(word):
                        globs.add(word)
                        node = node.globs.setdefault(word, Node())
                    else:
                        node = node.words.setdefault(unescape(word), Node())
                node.entries.append(entry)
        order = sorted(range(len(lexicon)), key=lambda e: specificity(lexicon.terms[e]))
        for rank, entry in enumerate(order):
            self._rank[entry] = rank
        self._index = GlobIndex(globs)
        # Of each word seen before: its text, None for white space, and the globs that match it.
        self._texts: dict[int, str | None] = {}
        self._globs: dict[int, list[str]] = {}
        # And the nodes that it leads to from the root. Most words lead nowhere and are left out;
        # white space has an empty list.
        self._starts: dict[int, list[Node]] = {}

    def __call__(self, doc: Doc) -> list[Match]:
        """doc (Doc): The document. RETURNS (list[Match]): In the document's order."""
        return self.scan(doc)[0]

    def scan(self, doc: Doc) -> tuple[list[Match], int]:
        """doc (Doc): The document.
        RETURNS (tuple[list[Match], int]): The matches in the document's order, and its number of
            tokens without white space.
        """
        keys = doc.to_array(self._attribute).tolist()
        new = set(keys).difference(self._texts)
        if new:
            # A word's number is the same in all vocabularies, but only its own knows the word.
            self._learn(keys, new, doc.vocab.strings)
        starts = self._starts
        matches: list[Match] = []
        n_words = len(keys)
        for start, key in enumerate(keys):
            if key in starts:
                nodes = starts[key]
                if nodes:
                    self._follow(keys, start, nodes, matches)
                else:
                    n_words -= 1
        return self._resolve(matches), n_words

    def _follow(self, keys: list[int], start: int, nodes: list[Node], matches: list[Match]) -> None:
        """Add all matches that begin with the token `start`, which leads to `nodes`."""
        end = start + 1
        while nodes:
            inner = []
            for node in nodes:
                for entry in node.entries:
                    matches.append(Match(entry, start, end))
                if node.words or node.globs:
                    inner.append(node)
            if not inner:
                return
            while end < len(keys) and self._texts[keys[end]] is None:
                end += 1
            if end == len(keys):
                return
            nodes = self._after(inner, keys[end])
            end += 1

    def _after(self, nodes: list[Node], key: int) -> list[Node]:
        """RETURNS (list[Node]): Where a word leads from some nodes."""
        word, globs = self._texts[key], self._globs.get(key, ())
        found = [node.words[word] for node in nodes if word in node.words]
        found += [node.globs[glob] for node in nodes for glob in globs if glob in node.globs]
        return found

    def _learn(self, keys: list[int], new: set[int], strings: StringStore) -> None:
        """Look up which words and globs each new token is an instance of."""
        if len(self._texts) > MAX_KNOWN_WORDS:
            for memory in (self._texts, self._globs, self._starts):
                memory.clear()
            new = set(keys)
        for key in new:
            word = normalize(strings[key], case_sensitive=self._case_sensitive)
            self._texts[key] = word if word.strip() else None
            if self._texts[key] is None:
                self._starts[key] = []
                continue
            if globs := self._index(word):
                self._globs[key] = globs
            if (word in self._root.words or globs) and (nodes := self._after([self._root], key)):
                self._starts[key] = nodes

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


def specificity(term: str) -> tuple[bool, int, str]:
    """RETURNS (tuple): Sorts terms from the most to the least specific."""
    wildcard = has_wildcard(term)
    return wildcard, -len(WILDCARD.sub("", term) if wildcard else unescape(term)), term
