"""Writing files whole or not at all."""

import os
from pathlib import Path


def write_whole(files: dict[Path, bytes]) -> None:
    """Write files under temporary names first, so that none is left half-written.

    files (dict[Path, bytes]): Path and content of each; missing folders are made.
    """
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in files}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary[path].write_bytes(content)
        for path in files:
            temporary[path].replace(path)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
