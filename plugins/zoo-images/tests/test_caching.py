"""Folders of what was decoded: filled aside, kept while whole, renewed when a file changes."""

import os
from pathlib import Path

import pytest

from zoo_core.errors import DataError
from zoo_images.caching import caching, stamp


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


def test_filling_a_folder_sweeps_what_a_killed_writer_left_a_day_ago(tmp_path: Path) -> None:
    old, older, new = (tmp_path / f".zoo-{number}-abc.part" for number in range(3))
    for left in (old, new):
        left.mkdir()
    older.touch()
    for left in (old, older):
        os.utime(left, (0, 0))
    kept(tmp_path / "key", "any")
    assert [left.exists() for left in (old, older, new)] == [False, False, True]


def test_the_stamp_of_a_file_changes_with_it_and_tells_of_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    missing = stamp(path)
    path.write_text("one")
    one = stamp(path)
    path.write_text("three")
    assert len({missing, one, stamp(path)}) == 3
