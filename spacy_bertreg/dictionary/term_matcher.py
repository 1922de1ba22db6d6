"""Finds the terms of a lexicon in documents."""

from collections import defaultdict
from itertools import pairwise
from typing import Literal, NamedTuple

from spacy.attrs import LEMMA, LOWER, ORTH
from spacy.strings import StringStore
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from .globs import WILDCARD, GlobIndex, escape, has_wildcard, unescape
from .lexicon import Lexicon, normalize
from .term_tokenizer import TermTokenizer

MatchOn = Literal["text", "lemma"]

# Words of the texts that are remembered; beyond this many, memory starts anew.
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


class TrieNode:
    """A node in the trie of terms.

    children (dict[str, TrieNode]): By word or glob; words are escaped.
    entries (list[int]): The terms that end here.
    """

    __slots__ = ("children", "entries")

    def __init__(self) -> None:
        self.children: dict[str, TrieNode] = {}
        self.entries: list[int] = []


class TermMatcher:
    """Matches terms of one or more tokens, with wildcards. Terms of different categories are
    matched independently. Within a category no token counts twice. Of overlapping matches, the one
    of most tokens counts, and of equally long ones the first. Of terms that match the same tokens,
    one without wildcards counts, then the one with most other characters, then the first in the
    alphabet. White space between words, such as a line break, does not matter.

    spaCy's Matcher with a regular expression for each glob is some 300 times slower for 7,500
    terms: it tries all patterns at each token.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        lexicon: Lexicon,
        *,
        case_sensitive: bool = False,
        match_on: MatchOn = "text",
    ) -> None:
        """Create a matcher.

        tokenizer (Tokenizer): The pipeline's, for terms of several tokens.
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
        tokenize = TermTokenizer(tokenizer, case_sensitive=case_sensitive)
        # A learned term is a token of the texts and is not split again. One of several words was
        # added by hand, or is a lemma.
        one_token = lexicon.is_learned
        pairs = list(zip(lexicon.terms, one_token, strict=True))
        tokenized = iter(tokenize([term for term, one in pairs if not one or " " in term]))
        self._root = TrieNode()
        globs: set[str] = set()
        for entry, (term, one) in enumerate(pairs):
            paths = [(tokenize.as_one_token(term),)] if one else []
            for tokens in paths + (next(tokenized) if not one or " " in term else []):
                node = self._root
                for token in tokens:
                    if has_wildcard(token):
                        globs.add(token)
                    else:
                        token = escape(unescape(token))
                    node = node.children.setdefault(token, TrieNode())
                node.entries.append(entry)
        self._globs = GlobIndex(globs)
        order = sorted(range(len(lexicon)), key=lambda e: specificity(lexicon.terms[e]))
        self._rank = {entry: rank for rank, entry in enumerate(order)}
        # For each known word of the texts, the keys in the trie that match it; () for white space.
        self._keys: dict[int, tuple[str, ...]] = {}
        # The nodes below the root that they lead to. Most words lead nowhere and are left out;
        # white space has an empty list.
        self._starts: dict[int, list[TrieNode]] = {}

    def __call__(self, doc: Doc) -> list[Match]:
        """Find the matches in a document, in its order."""
        return self.scan(doc)[0]

    def scan(self, doc: Doc) -> tuple[list[Match], int]:
        """Find the matches in a document, and count its words.

        doc (Doc): The document.
        RETURNS (tuple[list[Match], int]): The matches in the document's order, and its number of
            tokens without white space.
        """
        words = doc.to_array(self._attribute).tolist()
        unknown = set(words).difference(self._keys)
        if unknown:
            # A word's hash is the same in all vocabularies, but only the document's has its text.
            self._add_words(words, unknown, doc.vocab.strings)
        starts = self._starts
        matches: list[Match] = []
        n_words = len(words)
        for start, word in enumerate(words):
            if word in starts:
                nodes = starts[word]
                if nodes:
                    self._add_matches(words, start, nodes, matches)
                else:
                    n_words -= 1
        return self._resolve_overlaps(matches), n_words

    def _add_matches(
        self, words: list[int], start: int, nodes: list[TrieNode], matches: list[Match]
    ) -> None:
        """Add all matches that start with the token `start`, which leads to `nodes`."""
        end = start + 1
        while True:
            inner = []
            for node in nodes:
                for entry in node.entries:
                    matches.append(Match(entry, start, end))
                if node.children:
                    inner.append(node)
            if not inner:
                return
            while end < len(words) and not self._keys[words[end]]:
                end += 1
            if end == len(words):
                return
            nodes = self._children(inner, words[end])
            end += 1

    def _children(self, nodes: list[TrieNode], word: int) -> list[TrieNode]:
        keys = self._keys[word]
        return [node.children[key] for node in nodes for key in keys if key in node.children]

    def _add_words(self, words: list[int], unknown: set[int], strings: StringStore) -> None:
        if len(self._keys) > MAX_KNOWN_WORDS:
            self._keys.clear()
            self._starts.clear()
            unknown = set(words)
        for word in unknown:
            text = normalize(strings[word], case_sensitive=self._case_sensitive)
            self._keys[word] = (escape(text), *self._globs(text)) if text else ()
            nodes = self._children([self._root], word)
            if nodes or not text:
                self._starts[word] = nodes

    def _resolve_overlaps(self, matches: list[Match]) -> list[Match]:
        if len(matches) < 2:
            return matches
        if self._one_category:
            return self._without_overlaps(matches)
        groups: dict[str, list[Match]] = defaultdict(list)
        for match in matches:
            groups[self._categories[match.entry]].append(match)
        resolved = [m for group in groups.values() for m in self._without_overlaps(group)]
        return sorted(resolved, key=lambda m: (m.start, m.end, self._categories[m.entry]))

    def _without_overlaps(self, matches: list[Match]) -> list[Match]:
        if all(a.end <= b.start for a, b in pairwise(matches)):
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
    """Get the key that sorts terms from the most to the least specific."""
    wildcard = has_wildcard(term)
    return wildcard, -len(WILDCARD.sub("", term) if wildcard else unescape(term)), term
