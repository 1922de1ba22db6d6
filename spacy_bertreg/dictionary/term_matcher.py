"""Finds the terms of a lexicon in documents."""

from spacy.matcher import PhraseMatcher
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from .lexicon import Lexicon


class TermMatcher:
    """Matches terms of one or more tokens. Where matches overlap, the longest counts, and of
    equally long ones the first.
    """

    def __init__(self, tokenizer: Tokenizer, lexicon: Lexicon, *, case_sensitive: bool) -> None:
        """tokenizer (Tokenizer): The pipeline's, which cuts the terms as it cuts the texts.
        lexicon (Lexicon): The terms to find.
        case_sensitive (bool): Whether "US" and "us" are different terms.
        """
        vocab = tokenizer.vocab
        self._matcher = PhraseMatcher(vocab, attr="ORTH" if case_sensitive else "LOWER")
        self._index: dict[int, int] = {}
        for index, pattern in enumerate(tokenizer.pipe(lexicon.terms)):
            self._index[vocab.strings.add(lexicon.terms[index])] = index
            self._matcher.add(lexicon.terms[index], [pattern])

    def __call__(self, doc: Doc) -> list[tuple[int, Span]]:
        """doc (Doc): The document.
        RETURNS (list[tuple[int, Span]]): Index of the term in the lexicon and where it stands, in
            the document's order.
        """
        spans = filter_spans(self._matcher(doc, as_spans=True))
        return [(self._index[span.label], span) for span in spans]
