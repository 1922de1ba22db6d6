"""How the words around a term change what it weighs: negation, intensity, contrast, emphasis.

The rules and their constants are those of Hutto, C. J. & Gilbert, E. (2014), VADER: A Parsimonious
Rule-based Model for Sentiment Analysis of Social Media Text, ICWSM-14. Unlike there, they hold
within a sentence, increments are measured in the lexicon's unit, and the increment for exclamation
marks is shared by the sentence's terms.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from spacy.attrs import ORTH
from spacy.strings import StringStore
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from .formats import read_lexicon
from .lexicon import Lexicon
from .term_matcher import Match, TermMatcher

BUNDLED = Path(__file__).parent / "context"
CATEGORIES = {"negator", "intensifier", "contrast"}

# Factors of an intensifier next to the term, one word away, and two or more words away.
DAMPING = (1.0, 0.95, 0.9)
# Added to a term in capitals, unless the whole text is.
CAPITALS = 0.733
# Added for each exclamation mark of the sentence, up to four.
EXCLAMATION = 0.292
MAX_EXCLAMATIONS = 4
# The increments above are for weights as large as VADER's: their mean absolute value.
VADER_UNIT = 1.543

SENTENCE_ENDS = {".", "?", "…", "...", "。", "\uff1f", "؟", "।"}
# A word, a mark that ends a sentence, one that also emphasizes it, or anything else.
TokenKind = Literal["word", ".", "!", "skip"]


def read_context(name: str | Path, *, case_sensitive: bool = False) -> Lexicon:
    """Read the words that change the weight of terms near them.

    name (str | Path): "en", or a file that `read_lexicon` reads, with the categories `negator`
        (weight: what the term's weight is multiplied by, -0.74 in the paper), `intensifier`
        (weight: what is added to the term's strength, 0.293 or -0.293) and `contrast` (weight: the
        share of their weight that terms before it lose and terms after it gain, 0.5).
    case_sensitive (bool): Whether words that differ only in case are different.
    RETURNS (Lexicon): The words.
    RAISES (FileNotFoundError): There is no such list.
    RAISES (ValueError): It has other categories.
    """
    bundled = BUNDLED / f"{name}.csv"
    path = bundled if bundled.is_file() else Path(name)
    if not path.is_file():
        names = ", ".join(repr(file.stem) for file in sorted(BUNDLED.glob("*.csv")))
        raise FileNotFoundError(f"context is {str(name)!r}. Expected {names}, or a file's path.")
    context = read_lexicon(path, case_sensitive=case_sensitive)
    if unknown := set(context.categories) - CATEGORIES:
        raise ValueError(
            f"{path} has the category {min(unknown)!r}. Expected {', '.join(sorted(CATEGORIES))}."
        )
    return context


class ContextRules:
    """Changes the weight of each match by its context."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        context: Lexicon,
        lexicon: Lexicon,
        *,
        window: int = 3,
        case_sensitive: bool = False,
    ) -> None:
        """Create the rules.

        tokenizer (Tokenizer): The pipeline's.
        context (Lexicon): What `read_context` gave.
        lexicon (Lexicon): The terms whose weights change.
        window (int): Number of words before a term that can change its weight.
        case_sensitive (bool): Whether "Not" and "not" are different words.
        """
        self._matcher = TermMatcher(tokenizer, context, case_sensitive=case_sensitive)
        self._context = context
        self._lexicon = lexicon
        self._window = window
        self._kinds: dict[int, TokenKind] = {}
        sizes = defaultdict(list)
        for category, weight in zip(lexicon.categories, lexicon.weights, strict=True):
            sizes[category].append(abs(weight))
        self._units = {c: sum(values) / len(values) / VADER_UNIT for c, values in sizes.items()}

    def __call__(self, doc: Doc, matches: Sequence[Match]) -> list[float]:
        """Compute the weight of each match in its context.

        doc (Doc): The document.
        matches (Sequence[Match]): Terms found in it, in order.
        RETURNS (list[float]): The weights.
        """
        if not matches:
            return []
        strings = doc.vocab.strings
        kinds = [self._kind(word, strings) for word in doc.to_array(ORTH).tolist()]
        sentences = _sentence_numbers(kinds)
        marks = Counter(s for s, kind in zip(sentences, kinds, strict=True) if kind == "!")
        categories = [self._lexicon.categories[match.entry] for match in matches]
        sharing = Counter((sentences[m.start], c) for m, c in zip(matches, categories, strict=True))
        modifiers = {m.end - 1: m.entry for m in self._matcher(doc)}
        contrasts = {
            sentences[last]: last
            for last, entry in reversed(modifiers.items())
            if self._context.categories[entry] == "contrast"
        }
        mixed_case = not doc.text.isupper()
        weights = []
        for match, category in zip(matches, categories, strict=True):
            sentence = sentences[match.start]
            added, factor = self._modify(match.start, kinds, modifiers)
            if mixed_case and doc[match.start : match.end].text.isupper():
                added += CAPITALS
            n_marks = min(marks[sentence], MAX_EXCLAMATIONS)
            added += n_marks * EXCLAMATION / sharing[sentence, category]
            if sentence in contrasts:
                share = self._context.weights[modifiers[contrasts[sentence]]]
                factor *= 1 - share if match.start < contrasts[sentence] else 1 + share
            weight = self._lexicon.weights[match.entry]
            strength = max(abs(weight) + added * self._units[category], 0.0)
            weights.append(math.copysign(strength, weight) * factor if weight else 0.0)
        return weights

    def _modify(
        self, start: int, kinds: list[TokenKind], modifiers: dict[int, int]
    ) -> tuple[float, float]:
        """Get what the words before a term add to its strength, and multiply its weight by."""
        added, factor, distance = 0.0, 1.0, 0
        for token in range(start - 1, -1, -1):
            if kinds[token] in (".", "!") or distance == self._window:
                break
            if kinds[token] == "skip":
                continue
            if token in modifiers:
                entry = modifiers[token]
                if self._context.categories[entry] == "negator":
                    factor *= self._context.weights[entry]
                elif self._context.categories[entry] == "intensifier":
                    damping = DAMPING[min(distance, len(DAMPING) - 1)]
                    added += damping * self._context.weights[entry]
            distance += 1
        return added, factor

    def _kind(self, word: int, strings: StringStore) -> TokenKind:
        if word not in self._kinds:
            text = strings[word]
            is_word = any(map(str.isalnum, text))
            kind: TokenKind = "word" if is_word else "skip"
            if "!" in text and not is_word:
                kind = "!"
            elif text in SENTENCE_ENDS:
                kind = "."
            self._kinds[word] = kind
        return self._kinds[word]


def _sentence_numbers(kinds: Sequence[TokenKind]) -> list[int]:
    """Number each token's sentence. The marks that end a sentence belong to it."""
    numbers, number, ended = [], 0, False
    for kind in kinds:
        if kind == "word" and ended:
            number, ended = number + 1, False
        elif kind in (".", "!"):
            ended = True
        numbers.append(number)
    return numbers
