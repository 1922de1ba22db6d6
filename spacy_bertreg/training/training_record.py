"""What a regressor has been trained on, and for how long."""

import hashlib
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

# With 64 bits, two of a million texts share a mark once in 37 million collections.
MARK_BYTES = 8


class TrainingRecord:
    """Kept where training happens, in `initialize` and each `update`, so that it holds for a
    pipeline that is trained further, or from a stream of documents, too.

    seconds (float): How long all trainings took together, from the start of each to its last step.
    has_all_marks (bool): Whether there is a mark of each training text; not after `forget_texts`.
    is_trained (bool): Whether there was any update.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.has_all_marks = True
        self.is_trained = False
        self._marks: set[bytes] = set()
        # Of the texts from which the scales of targets and covariates were learned.
        self._n_scaled_on = 0
        self._has_warned = False
        # Of the training that is going on: when it began, and the seconds of those before.
        self._since: float | None = None
        self._seconds_before = 0.0

    def begin(self, docs: Iterable[Doc]) -> None:
        """Begin a training of a model without weights.

        docs (Iterable[Doc]): The documents from which scales are learned."""
        self.__init__()  # type: ignore[misc]
        self._marks = set(map(_mark, docs))
        self._n_scaled_on = len(self._marks)
        self._since = time.monotonic()

    def add(self, docs: Iterable[Doc], component: str) -> bool:
        """Note an update. Warns, once, where more texts have come up than the scales were learned
        from.

        docs (Iterable[Doc]): The batch's. component (str): Whose record this is.
        RETURNS (bool): Whether a training of a model that had weights begins with this update.
        """
        is_first = self._since is None
        if self._since is None:
            self._since, self._seconds_before = time.monotonic(), self.seconds
        self.is_trained = True
        self._marks.update(map(_mark, docs))
        n_new = len(self._marks) - self._n_scaled_on
        if n_new > self._n_scaled_on and self.has_all_marks and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"Component {component!r} learned the scale of its targets and covariates from "
                f"{self._n_scaled_on:,} texts, and has now been trained on {n_new:,} others. Where "
                "these are of another kind, expected nlp.initialize with all or a random sample of "
                "them: with max_epochs = -1 it gets the first 100, and a pipeline that is trained "
                "further keeps its scale.",
                stacklevel=2,
            )
        return is_first

    def stop_clock(self) -> None:
        """Set `seconds` to now, as after each step."""
        if self._since is not None:
            self.seconds = self._seconds_before + time.monotonic() - self._since

    def holds(self, docs: Sequence[Doc]) -> NDArray[np.bool_]:
        """Say which texts were trained on.

        docs (Sequence[Doc]): Some documents.
        RETURNS (ndarray): For each, whether a training document had the same text."""
        return np.array([_mark(doc) in self._marks for doc in docs], dtype=bool)

    def forget_texts(self) -> None:
        """Delete the marks of the training texts."""
        self._marks.clear()
        self.has_all_marks = False

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): For msgpack."""
        return {
            "marks": b"".join(sorted(self._marks)),
            "has_all_marks": self.has_all_marks,
            "is_trained": self.is_trained,
            "n_scaled_on": self._n_scaled_on,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainingRecord":
        """data (Mapping): What `to_dict` gave. RETURNS (TrainingRecord): The same."""
        record, marks = cls(), data["marks"]
        record._marks = {marks[i : i + MARK_BYTES] for i in range(0, len(marks), MARK_BYTES)}
        record.has_all_marks, record.is_trained = data["has_all_marks"], data["is_trained"]
        record._n_scaled_on, record.seconds = data["n_scaled_on"], data["seconds"]
        return record


def _mark(doc: Doc) -> bytes:
    text = doc.text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=MARK_BYTES).digest()
