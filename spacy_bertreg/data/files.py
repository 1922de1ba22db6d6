"""Writing files whole or not at all, without losing a user's files; and hashes of files."""

import filecmp
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

# What is in the folder of a pipeline beside those of its components.
PIPELINE_FILES = ("config.cfg", "meta.json", "tokenizer")


def write_whole(files: dict[Path, bytes]) -> None:
    """Write files whole; if one can't be written, leave all as they were.

    files (dict[Path, bytes]): Path and content of each; missing folders are made.
    RAISES (ValueError): A path is a folder, or lies in a file.
    """
    check_files(files)
    names = {path: f".{path.name}.{os.getpid()}" for path in files}
    moves = [(p.with_name(f"{n}.tmp"), p, p.with_name(f"{n}.old")) for p, n in names.items()]
    try:
        for (new, path, _), content in zip(moves, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(content)
        _move_all(moves)
    finally:
        for new, _, kept in moves:
            new.unlink(missing_ok=True)
            kept.unlink(missing_ok=True)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Make a folder beside a path, on the same disk, for files to move to that path when complete.

    YIELDS (Path): The folder, empty. It is deleted in the end, whatever happens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(".tmp", f".{path.name}.", path.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_files(new: Path, folder: Path, ours: Collection[str] | None = None) -> None:
    """Move the files of a folder into another, one by one, over those that differ.

    Other files there stay. If one can't be moved, all are as they were.

    new (Path): Folder with the new files, inside a folder made by `folder_beside`.
    folder (Path): Folder to move them to; made if missing.
    ours (Collection[str] | None): Paths in `folder` that may be replaced; those without a new file
        are deleted. None to replace any file, and delete none.
    RAISES (ValueError): A user's file or a folder is where a new file belongs.
    """
    if not folder.exists():
        new.rename(folder)
        return
    found = sorted(path.relative_to(new) for path in new.rglob("*") if path.is_file())
    if ours is not None:
        for path in found:
            if path.as_posix() not in ours and (folder / path).exists():
                raise ValueError(
                    f"{folder / path} is there already, and no earlier run wrote it. Expected "
                    "another output folder."
                )
    kept = new.with_name(f"{new.name}.old")
    changed = [path for path in found if not _is_same(new / path, folder / path)]
    gone = [p for p in map(Path, ours or ()) if p not in found and (folder / p).is_file()]
    missing = {f for path in changed for f in (folder / path).parents if not f.exists()}
    moves: list[tuple[Path | None, Path, Path]]
    moves = [(new / path, folder / path, kept / path) for path in changed]
    moves += [(None, folder / path, kept / path) for path in gone]
    try:
        _move_all(moves)
    except BaseException:
        _remove_empty(missing)
        raise
    _remove_empty({folder / above for path in gone for above in path.parents} - {folder})


def check_files(outputs: Iterable[Path | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Check files to write, before any work is done. None is skipped.

    outputs (Iterable[Path | None]): The files.
    inputs (Iterable[str | Path | None]): What is read: files, and folders or packages of pipelines.
    RAISES (ValueError): An output is a folder, lies in a file, is an input, or comes twice.
    """
    seen: list[Path] = []
    read = [Path(path) for path in inputs if path is not None]
    read += [path / name for path in read for name in PIPELINE_FILES if path.is_dir()]
    for path in outputs:
        if path is None:
            continue
        if path.is_dir():
            raise ValueError(f"{path} is a folder. Expected a file to write.")
        _check_place(path, read)
        if path.absolute() in seen:
            raise ValueError(f"{path} is named for two outputs. Expected another file for each.")
        seen.append(path.absolute())


def check_folder(output: Path, inputs: Iterable[str | Path | None] = ()) -> None:
    """Check a folder to write to, before any work is done.

    output (Path): The folder.
    inputs (Iterable[str | Path | None]): What is read.
    RAISES (ValueError): The output is a file, lies in one, or is an input.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file. Expected a folder to write to.")
    _check_place(output, [Path(path) for path in inputs if path is not None])


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other jobs from writing the same output.

    output (Path): A file or folder. The lock is a hidden file beside it; the system unlocks it if
        the job is killed.
    RAISES (ValueError): Another job is writing this output.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    path = output.with_name(f".{output.name}.lock")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"Another job is writing {output}. Expected one at a time; wait for it, or name "
            "another output."
        ) from error
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            path.unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file_:
        return hashlib.file_digest(file_, "sha256").hexdigest()


def hash_folder(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files in a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{hash_file(path)}\n".encode())
    return total.hexdigest()


def _check_place(path: Path, inputs: Sequence[Path]) -> None:
    """Check that a path lies in no file and is no input."""
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise ValueError(f"Can't write {path}: {above} is a file. Expected a folder.")
    for other in inputs:
        if path.exists() and other.exists() and path.samefile(other):
            raise ValueError(f"{path} is the input, too. Expected another output.")


def _move_all(moves: Sequence[tuple[Path | None, Path, Path]]) -> None:
    """Replace files by others; if one can't be replaced, put all back.

    moves (Sequence[tuple]): The new file, or None to delete the old one; the path to replace; and
        where to keep the old file until all is done.
    """
    done: list[tuple[Path, Path]] = []
    try:
        for new, path, kept in moves:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise ValueError(f"{path} is a folder. Expected a file, or nothing.")
            if path.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                _copy(path, kept)
            done.append((path, kept))
            if new is None:
                path.unlink()
            else:
                new.replace(path)
    except BaseException:
        for path, kept in reversed(done):
            if kept.exists():
                kept.replace(path)
            else:
                path.unlink(missing_ok=True)
        raise


def _copy(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except OSError:  # a disk without links
        shutil.copy2(path, kept)


def _is_same(new: Path, old: Path) -> bool:
    return old.is_file() and filecmp.cmp(new, old, shallow=False)


def _remove_empty(folders: Iterable[Path]) -> None:
    for path in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
