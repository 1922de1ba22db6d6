"""How much of a given lexicon occurs in the training texts, and why some of it never can."""

import re
import warnings
from collections.abc import Sequence

from wasabi import msg

from .globs import has_wildcard
from .lexicon import Lexicon
from .term_tokenizer import TermTokenizer

# A lexicon is of no use if fewer of its terms occur than both of these. A short lexicon in few
# texts may well have fewer than ten, and a long one of another language has some by chance.
MIN_TERMS = 10
MIN_SHARE = 0.01
# Number of terms named that can't occur.
N_NAMED = 3

# Not as in an emoticon, o_o.
UNDERSCORE = re.compile(r"[^\W\d_]{2}_[^\W\d_]|[^\W\d_]_[^\W\d_]{2}")


def report_coverage(
    given: Lexicon,
    frequency: Sequence[int],
    n_documents: int,
    name: str,
    tokenizer: TermTokenizer,
) -> None:
    """Print how much of a lexicon occurs, or warn if it is hardly any. See `describe_coverage`."""
    message, is_poor = describe_coverage(given, frequency, n_documents, name, tokenizer)
    if is_poor:
        warnings.warn(
            f"{message} Expected a list in the language of the texts, with terms spelled as in the "
            "texts.",
            stacklevel=4,
        )
    else:
        msg.info(message)


def describe_coverage(
    given: Lexicon,
    frequency: Sequence[int],
    n_documents: int,
    name: str,
    tokenizer: TermTokenizer,
) -> tuple[str, bool]:
    """Describe how much of a lexicon occurs, and what of it was merged or left out.

    given (Lexicon): The lexicon as read.
    frequency (Sequence[int]): Number of training documents in which each of its terms was matched.
    n_documents (int): Number of training documents.
    name (str): Name of the lexicon in the message.
    tokenizer (TermTokenizer): Tokenizes terms as the texts are tokenized.
    RETURNS (tuple[str, bool]): The message, and whether hardly any term occurs.
    """
    terms = dict.fromkeys(given.terms)
    found = {term for term, n in zip(given.terms, frequency, strict=True) if n}
    message = (
        f"{name}: {len(found):,} of {len(terms):,} terms occur in the {n_documents:,} training "
        "texts."
    )
    if given.notes:
        message += f" Of the file: {'; '.join(given.notes)}."
    missing = ((term, unmatchable_reason(term, tokenizer)) for term in terms if term not in found)
    reasons = [f"{term!r} ({reason})" for term, reason in missing if reason]
    if reasons:
        more = f"; and {len(reasons) - N_NAMED:,} more" if len(reasons) > N_NAMED else ""
        message += f" Not to be found as written: {'; '.join(reasons[:N_NAMED])}{more}."
    return message, not found or len(found) < min(MIN_TERMS, MIN_SHARE * len(terms))


def unmatchable_reason(term: str, tokenizer: TermTokenizer) -> str | None:
    """Say why no text in usual spelling can hold a term; None if one can."""
    if UNDERSCORE.search(term):
        return "an underscore, where texts have a space"
    for word in term.split():
        if "[" not in word and has_wildcard(word[1:-1]):
            text = word[0] + word[1:-1].replace("*", "'").replace("?", "'") + word[-1]
            tokens = tokenizer.split(text)
            if len(tokens) > 1 and len(tokenizer([word])[0]) == 1:
                return f'a wildcard stands for a part of one word, and "{text}" is {len(tokens)}'
    return None
