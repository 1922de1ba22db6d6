"""How much of a given list occurs in the training texts, and why some of it never can."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from .cuts import TermCutter
from .globs import has_wildcard
from .lexicon import Lexicon

# A list is of no use where fewer of its terms occur than both of these: a short list in few texts
# may well have fewer than ten, and a long one of another language has some by chance.
MIN_TERMS = 10
MIN_SHARE = 0.01
# So many terms that never can occur are named.
N_NAMED = 3

# Not as in an emoticon, o_o.
UNDERSCORE = re.compile(r"[^\W\d_]{2}_[^\W\d_]|[^\W\d_]_[^\W\d_]{2}")


class Coverage(NamedTuple):
    """What there is to say of a list after fitting.

    message (str): How many terms occur, and what was merged or left out.
    is_poor (bool): Whether hardly any does.
    """

    message: str
    is_poor: bool


def coverage(
    given: Lexicon, frequency: Iterable[int], n_documents: int, name: str, cutter: TermCutter
) -> Coverage:
    """given (Lexicon): The list as read.
    frequency (Iterable[int]): In how many training documents each of its terms counted.
    n_documents (int): The number of training documents.
    name (str): What to call the list.
    cutter (TermCutter): Cuts terms as the texts are cut.
    RETURNS (Coverage): What there is to say.
    """
    terms = set(given.terms)
    found = {term for term, n in zip(given.terms, frequency, strict=True) if n}
    message = (
        f"{name}: {len(found):,} of {len(terms):,} terms occur in the {n_documents:,} training "
        "texts."
    )
    if given.notes:
        message += f" Of the file: {'; '.join(given.notes)}."
    missing = [term for term in dict.fromkeys(given.terms) if term not in found]
    reasons = [(term, reason) for term in missing if (reason := why_never(term, cutter))]
    if reasons:
        named = "; ".join(f"{term!r} ({reason})" for term, reason in reasons[:N_NAMED])
        more = f"; and {len(reasons) - N_NAMED:,} more" if len(reasons) > N_NAMED else ""
        message += f" Not to be found as written: {named}{more}."
    is_poor = not found or len(found) < min(MIN_TERMS, MIN_SHARE * len(terms))
    return Coverage(message, is_poor)


def why_never(term: str, cutter: TermCutter) -> str | None:
    """RETURNS (str | None): Why no text, as texts are usually written, holds the term."""
    if UNDERSCORE.search(term):
        return "an underscore, where texts have a space"
    for part in term.split():
        if "[" not in part and has_wildcard(part[1:-1]):
            text = part[0] + part[1:-1].replace("*", "'").replace("?", "'") + part[-1]
            words = cutter.words(text)
            if len(words) > 1 and len(cutter([part])[0]) == 1:
                return f'a wildcard stands for a part of one word, and "{text}" is {len(words)}'
    return None
