"""Record what a regressor has been trained on, and for how long."""

import hashlib
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc

# With 64 bits, two of a million texts have the same hash in one of 37 million collections.
HASH_BYTES = 8


class TrainingRecord:
    """Hashes of the training texts, and the training time. Recorded in `initialize` and in each
    `update`, so that it holds for further training and for streams of documents, too.

    seconds (float): Duration of all trainings, from the start of each to its last step.
    has_all_hashes (bool): Whether there is a hash of each training text; not after `forget_texts`.
    is_trained (bool): Whether there was any update.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.has_all_hashes = True
        self.is_trained = False
        self._hashes: set[bytes] = set()
        # Number of texts from which the scales of targets and covariates were learned.
        self._n_scaled_on = 0
        self._has_warned = False
        # Start of the present training, and duration of those before.
        self._since: float | None = None
        self._seconds_before = 0.0

    def begin(self, docs: Iterable[Doc]) -> None:
        """Begin a training from scratch, with scales learned from these documents."""
        self.__init__()  # type: ignore[misc]
        self._hashes = set(map(_hash_text, docs))
        self._n_scaled_on = len(self._hashes)
        self._since = time.monotonic()

    def add(self, docs: Iterable[Doc], component: str) -> None:
        """Record an update, and warn once if the texts that are new since the scales were learned
        outnumber those that they were learned from.

        docs (Iterable[Doc]): The batch.
        component (str): Name of the component, for the warning.
        """
        if self._since is None:
            self._since, self._seconds_before = time.monotonic(), self.seconds
        self.is_trained = True
        self._hashes.update(map(_hash_text, docs))
        n_new = len(self._hashes) - self._n_scaled_on
        if n_new > self._n_scaled_on and self.has_all_hashes and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"Component {component!r} learned the scale of its targets and covariates from "
                f"{self._n_scaled_on:,} texts, and has now been trained on {n_new:,} others. If "
                "these are of another kind, call nlp.initialize with all of them or a random "
                "sample: with max_epochs = -1 it gets the first 100 texts, and a pipeline that is "
                "trained further keeps its scale.",
                stacklevel=2,
            )

    def add_texts_of(self, other: "TrainingRecord") -> None:
        """Add the training texts of a model whose predictions this one learns from."""
        self._hashes |= other._hashes
        self.has_all_hashes = self.has_all_hashes and other.has_all_hashes

    def stop_clock(self) -> None:
        """Update `seconds` after a step."""
        if self._since is not None:
            self.seconds = self._seconds_before + time.monotonic() - self._since

    def holds(self, docs: Sequence[Doc]) -> NDArray[np.bool_]:
        """Say for each document whether a training document had the same text."""
        return np.array([_hash_text(doc) in self._hashes for doc in docs], dtype=bool)

    @property
    def has_hashes(self) -> bool:
        """Whether there is a hash of any training text."""
        return bool(self._hashes)

    @property
    def n_texts(self) -> int | None:
        """Number of different training texts; None if some of them have been forgotten."""
        return len(self._hashes) if self.has_all_hashes and self._hashes else None

    def forget_texts(self) -> None:
        """Delete the hashes of the training texts."""
        self._hashes.clear()
        self.has_all_hashes = False

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dict for msgpack."""
        return {
            "hashes": b"".join(sorted(self._hashes)),
            "has_all_hashes": self.has_all_hashes,
            "is_trained": self.is_trained,
            "n_scaled_on": self._n_scaled_on,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainingRecord":
        """Make a record from what `to_dict` gave."""
        record, joined = cls(), data["hashes"]
        record._hashes = {joined[i : i + HASH_BYTES] for i in range(0, len(joined), HASH_BYTES)}
        record.has_all_hashes, record.is_trained = data["has_all_hashes"], data["is_trained"]
        record._n_scaled_on, record.seconds = data["n_scaled_on"], data["seconds"]
        return record


def _hash_text(doc: Doc) -> bytes:
    text = doc.text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=HASH_BYTES).digest()
