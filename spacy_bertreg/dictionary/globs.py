"""Words with wildcards, as in file names: `*` for any characters, `?` for one, `[...]` for one of
several."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable

# What fnmatch takes for a wildcard: a "[" without a "]" behind it stands for itself.
WILDCARD = re.compile(r"\*|\?|\[!?+\]?+[^\]]*+\]")


def has_wildcard(text: str) -> bool:
    """RETURNS (bool): Whether it matches anything but itself. `[*]` stands for an asterisk."""
    return any(len(found) != 3 for found in WILDCARD.findall(text))


def unescape(text: str) -> str:
    """RETURNS (str): The text with `[*]` as `*`, and likewise for any single character."""
    return WILDCARD.sub(lambda m: m[0][1] if len(m[0]) == 3 else m[0], text)


def escape(text: str) -> str:
    """RETURNS (str): A term that matches the text and nothing else."""
    return re.sub(r"[*?[]", r"[\g<0>]", text)


class GlobIndex:
    """Finds which of many globs match a word, without trying them all: each glob is kept under its
    longest piece without wildcards, and only those whose piece the word holds are tried.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        """globs (Iterable[str]): The globs."""
        self._by_piece: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
        for pattern in globs:
            piece = max(WILDCARD.split(pattern), key=len)
            regex = re.compile(fnmatch.translate(pattern))
            self._by_piece[piece].append((regex, pattern))
        self._lengths = sorted({len(piece) for piece in self._by_piece})

    def __call__(self, word: str) -> list[str]:
        """word (str): The word. RETURNS (list[str]): The globs that match it as a whole."""
        found = []
        for length in self._lengths:
            pieces = {word[start : start + length] for start in range(len(word) - length + 1)}
            for piece in pieces & self._by_piece.keys():
                found += [pattern for regex, pattern in self._by_piece[piece] if regex.match(word)]
        return found
