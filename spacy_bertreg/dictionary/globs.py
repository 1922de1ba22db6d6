"""Words with wildcards, as in file names: `*` for any characters, `?` for one, `[...]` for one of
several."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable

# What fnmatch takes for a wildcard. A "[" without a "]" behind it stands for itself.
WILDCARD = re.compile(r"\*|\?|\[!?+\]?+[^\]]*+\]")
ESCAPES = str.maketrans({letter: f"[{letter}]" for letter in "*?["})


def has_wildcard(text: str) -> bool:
    """Check if a text matches anything but itself. `[*]` stands for an asterisk."""
    return any(len(found) != 3 for found in WILDCARD.findall(text))


def unescape(text: str) -> str:
    """Replace `[*]` by `*`, and likewise for any single character in brackets."""
    return WILDCARD.sub(lambda m: m[0][1] if len(m[0]) == 3 else m[0], text)


def escape(text: str) -> str:
    """Make a glob that matches the text and nothing else."""
    return text.translate(ESCAPES)


class GlobIndex:
    """Finds which of many globs match a word. Each glob is kept under its longest piece without
    wildcards, and is tried only on words that hold this piece. Trying all of 2,000 globs takes 20
    times as long.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        """Index globs."""
        self._by_piece: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
        for pattern in globs:
            piece = max(WILDCARD.split(pattern), key=len)
            regex = re.compile(fnmatch.translate(pattern))
            self._by_piece[piece].append((regex, pattern))
        self._lengths = sorted({len(piece) for piece in self._by_piece})

    def __call__(self, word: str) -> list[str]:
        """Find the globs that match a whole word."""
        found = []
        for length in self._lengths:
            pieces = {word[start : start + length] for start in range(len(word) - length + 1)}
            for piece in pieces & self._by_piece.keys():
                found += [pattern for regex, pattern in self._by_piece[piece] if regex.match(word)]
        return found
