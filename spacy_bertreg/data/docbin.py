"""Reading the documents of a .spacy file, however many it has.

spaCy's DocBin unpacks its file as a whole, in memory that grows with the documents. The file is a
msgpack map, compressed with zlib, of columns one after the other. Here each column is read by
its own reader, a part at a time, and the parts of all columns are put together as a small .spacy
file, which DocBin reads.
"""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import spacy
import srsly
from spacy.tokens import Doc, DocBin
from srsly.msgpack import Unpacker

# A part has about so many tokens: 10 MB.
PART = 100_000
# So many bytes are decompressed at a time.
PIECE = 2**16
# The columns that are no list of one value a document.
SHARED = ("version", "attrs", "strings")
# The columns that are the bytes of a NumPy array.
ARRAYS = ("tokens", "spaces", "lengths")


def iterate_docs(path: str | Path) -> Iterator[Doc]:
    """Read the documents of a .spacy file one by one, in memory that does not grow with the file.

    path (str | Path): The file.
    YIELDS (Doc): Its documents, in a vocabulary of their own.
    RAISES (ValueError, FileNotFoundError): The file is missing, has no documents, or is no .spacy
        file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a .spacy file.")
    is_empty = True
    vocab = spacy.blank("xx").vocab
    unpacker = Unpacker(raw=False, use_list=False, max_buffer_size=0)
    try:
        for part in _iterate_parts(Path(path)):
            # DocBin would look through all installed packages for each document's user_data
            # (srsly.msgpack_loads).
            packed, part.user_data = part.user_data, [None] * len(part)
            for doc, user_data in zip(part.get_docs(vocab), packed, strict=True):
                if user_data is not None:
                    unpacker.feed(user_data)
                    doc.user_data.update(unpacker.unpack())
                is_empty = False
                yield doc
    except Exception as error:  # zlib's, msgpack's and NumPy's own, by what is broken
        raise ValueError(f"{path} can't be read as a .spacy file: {error}") from error
    if is_empty:
        raise ValueError(f"{path} has no documents.")


def _iterate_parts(path: Path) -> Iterator[DocBin]:
    """Cut a .spacy file into small ones. Strings are in the first only: all parts are read into
    one vocabulary."""
    with ExitStack() as files:

        def find(column: str) -> Unpacker:
            return _find_column(files.enter_context(path.open("rb")), column)

        with path.open("rb") as file:
            names = _column_names(file)
        shared = {name: find(name).unpack() for name in SHARED if name in names}
        lengths_column, tokens, spaces = map(find, ("lengths", "tokens", "spaces"))
        lengths = np.frombuffer(
            lengths_column.read_bytes(_array_size(lengths_column)), dtype="int32"
        )
        token_bytes = 8 * len(shared["attrs"])
        for array, bytes_each in ((tokens, token_bytes), (spaces, 1)):
            if _array_size(array) != lengths.sum() * bytes_each:
                raise ValueError("it has other tokens than its lengths say.")
        lists = {name: find(name) for name in names if name not in (*SHARED, *ARRAYS)}
        for name, column in lists.items():
            if (n := column.read_array_header()) != len(lengths):
                raise ValueError(f"it has {len(lengths)} documents, and {n} {name}.")
        part_numbers = np.cumsum(lengths + 1) // PART
        for part in np.split(lengths, np.flatnonzero(np.diff(part_numbers)) + 1):
            n_tokens = int(part.sum())
            message: dict[str, Any] = {
                **shared,
                "tokens": tokens.read_bytes(n_tokens * token_bytes),
                "spaces": spaces.read_bytes(n_tokens),
                "lengths": part.tobytes(),
                **{name: list(islice(column, len(part))) for name, column in lists.items()},
            }
            yield DocBin().from_bytes(zlib.compress(srsly.msgpack_dumps(message), level=0))
            shared["strings"] = []


def _column_names(file: BinaryIO) -> list[str]:
    """Read a file to its end, so that a broken one yields no documents, and list its columns."""
    unpacker = _unpack(file)
    names = []
    for _ in range(unpacker.read_map_header()):
        names.append(unpacker.unpack())
        _skip(unpacker, names[-1])
    if unpacker.read_bytes(1):
        raise ValueError("there is something after its last column.")
    return names


def _find_column(file: BinaryIO, name: str) -> Unpacker:
    """Go to a column's value."""
    unpacker = _unpack(file)
    for _ in range(unpacker.read_map_header()):
        if (found := unpacker.unpack()) == name:
            return unpacker
        _skip(unpacker, found)
    raise ValueError(f"it has no {name!r}.")


def _skip(unpacker: Unpacker, name: str) -> None:
    """Go past a column's value. The unpacker would hold an array as a whole."""
    if name not in ARRAYS:
        unpacker.skip()
        return
    size = _array_size(unpacker)
    while size:
        if not (piece := unpacker.read_bytes(min(size, PIECE))):
            raise ValueError("it ends too early.")
        size -= len(piece)


def _array_size(unpacker: Unpacker) -> int:
    """Read the head of an array, and return how many bytes follow."""
    # In msgpack's "bin" format the type says how many bytes the size has.
    kind = unpacker.read_bytes(1)
    if kind not in (b"\xc4", b"\xc5", b"\xc6"):
        raise ValueError("an array is not of bytes.")
    return int.from_bytes(unpacker.read_bytes(2 ** (kind[0] - 0xC4)), "big")


def _unpack(file: BinaryIO) -> Unpacker:
    # 0 is no limit; by default one value, such as a document's user_data, may take 100 MB.
    return Unpacker(_Decompressed(file), raw=False, max_buffer_size=0, read_size=PIECE)


class _Decompressed:
    """What a compressed file holds, as a file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zlib = zlib.decompressobj()

    def read(self, size: int) -> bytes:
        """RETURNS (bytes): As many bytes as asked for, or none after the last."""
        pieces = []
        while size and not self.zlib.eof:
            compressed = self.zlib.unconsumed_tail or self.file.read(PIECE)
            pieces.append(self.zlib.decompress(compressed, size))
            if not (compressed or pieces[-1] or self.zlib.eof):
                raise ValueError("it ends too early.")
            size -= len(pieces[-1])
        return b"".join(pieces)
