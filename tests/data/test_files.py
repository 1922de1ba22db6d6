"""What is written is whole, and nothing else is lost."""

from pathlib import Path

import pytest

from spacy_bertreg.data.files import (
    check_files,
    check_folder,
    folder_beside,
    replace_files,
    write_whole,
)


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def fail_after(monkeypatch):
    """Lets a replacement fail, after so many."""

    def set_up(n):
        replace, calls = Path.replace, []

        def fail(path, target):
            calls.append(path)
            if len(calls) == n + 1:
                raise OSError("disk is full")
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", fail)

    return set_up


OLD = {"a": "1", "b": "2", "sub/c": "3", "mine": "x"}
NEW = {"a": "1", "b": "20", "sub/c": "30", "more/d": "40"}


def test_only_what_differs_is_replaced(tmp_path):
    folder = tmp_path / "folder"
    write(folder, OLD)
    kept = (folder / "a").stat().st_ino
    with folder_beside(folder) as temporary:
        write(temporary / "new", NEW)
        replace_files(temporary / "new", folder)
    assert content(folder) == {**NEW, "mine": "x"}
    assert (folder / "a").stat().st_ino == kept
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("n", range(3))
def test_if_one_fails_all_are_as_they_were(tmp_path, fail_after, n):
    write(tmp_path / "folder", OLD)
    fail_after(n)
    with folder_beside(tmp_path / "folder") as temporary:
        write(temporary / "new", NEW)
        with pytest.raises(OSError, match="disk is full"):
            replace_files(temporary / "new", tmp_path / "folder", ours=["a", "b", "sub/c", "gone"])
    assert content(tmp_path) == {f"folder/{name}": text for name, text in OLD.items()}
    assert not (tmp_path / "folder" / "more").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_only_our_own_are_deleted_or_replaced(tmp_path):
    folder = tmp_path / "folder"
    write(folder, {**OLD, "old/e": "5", "old/mine": "y"})
    with folder_beside(folder) as temporary:
        write(temporary / "new", NEW)
        with pytest.raises(ValueError, match="sub/c is there already, and no earlier run wrote it"):
            replace_files(temporary / "new", folder, ours=["a", "b", "old/e"])
        assert content(folder) == {**OLD, "old/e": "5", "old/mine": "y"}
        replace_files(temporary / "new", folder, ours=["a", "b", "sub/c", "old/e", "none"])
    assert content(folder) == {**NEW, "mine": "x", "old/mine": "y"}


@pytest.mark.parametrize("n", range(2))
def test_several_files_or_none(tmp_path, fail_after, n):
    write(tmp_path, {"a": "old"})
    fail_after(n)
    with pytest.raises(OSError, match="disk is full"):
        write_whole({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert content(tmp_path) == {"a": "old"}


def test_outputs_are_checked_before(tmp_path):
    write(tmp_path, {"file": "x", "pipeline/config.cfg": "x"})
    with pytest.raises(ValueError, match="pipeline is a folder. Expected a file"):
        write_whole({tmp_path / "new": b"", tmp_path / "pipeline": b""})
    assert not (tmp_path / "new").exists()
    for check in (check_files, lambda paths: check_folder(paths[0])):
        with pytest.raises(ValueError, match="Can't write .*new: .*file is a file"):
            check([tmp_path / "file" / "new"])
    with pytest.raises(ValueError, match="file is a file. Expected a folder"):
        check_folder(tmp_path / "file")
    for path, source in (("file", "file"), ("pipeline/config.cfg", "pipeline")):
        with pytest.raises(ValueError, match=f"{path} is the input, too"):
            check_files([None, tmp_path / path], [None, tmp_path / source])
    with pytest.raises(ValueError, match="new is named for two outputs"):
        check_files([tmp_path / "new", tmp_path / "new"])
    with pytest.raises(ValueError, match="pipeline is the input, too"):
        check_folder(tmp_path / "pipeline", [tmp_path / "pipeline"])
    check_files([tmp_path / "file", tmp_path / "pipeline" / "terms.csv"], ["en_package"])
