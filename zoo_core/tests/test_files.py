"""Files and folders that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from zoo_core.errors import DataError
from zoo_core.files import caching, replacing, replacing_folder, stamp


def test_a_file_that_was_written_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "second"):
        with replacing(path) as part:
            part.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def stop_halfway() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        stop_halfway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with replacing(path) as one:
        one.write_text("one")
        with replacing(path) as two:
            two.write_text("two")
        assert path.read_text() == "two"
    assert path.read_text() == "one"


def kept(folder: Path, text: str) -> None:
    def whole() -> bool:
        return (folder / "text").is_file() and (folder / "text").read_text() != "damaged"

    with caching(folder, whole, what="texts") as work:
        (work / "text").write_text(text)


def test_a_folder_of_a_cache_is_filled_aside_and_a_whole_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "key"
    kept(folder, "damaged")
    kept(folder, "first")
    kept(folder, "second")
    assert (folder / "text").read_text() == "first"
    assert list(folder.parent.iterdir()) == [folder]
    assert [path.name for path in folder.iterdir()] == ["text"]


def test_a_cache_that_cannot_be_written_is_an_error_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(DataError, match="texts cannot be kept there"):
        kept(tmp_path / "cache" / "key", "any")


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, older, new = (tmp_path / f".zoo-{number}-abc.part" for number in range(3))
    for left in (old, new):
        left.mkdir()
    older.touch()
    for left in (old, older):
        os.utime(left, (0, 0))
    kept(tmp_path / "key", "any")
    assert [left.exists() for left in (old, older, new)] == [False, False, True]


def test_a_folder_is_replaced_whole_and_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for text in ("first", "second"):
        with replacing_folder(folder) as work:
            (work / text).write_text(text)

    def stop_halfway() -> None:
        with replacing_folder(folder) as work:
            (work / "third").write_text("third")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        stop_halfway()
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]


def test_the_stamp_of_a_file_changes_with_it_and_tells_of_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    missing = stamp(path)
    path.write_text("one")
    one = stamp(path)
    path.write_text("three")
    assert len({missing, one, stamp(path)}) == 3
