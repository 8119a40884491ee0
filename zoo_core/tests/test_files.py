"""Files that are written whole or not at all."""

import os
from pathlib import Path

import pytest

from zoo_core.files import replacing, sweep


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


def test_what_a_killed_writer_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, older, new = (tmp_path / f".zoo-{number}-abc.part" for number in range(3))
    for left in (old, new):
        left.mkdir()
    older.touch()
    for left in (old, older):
        os.utime(left, (0, 0))
    sweep(tmp_path)
    assert [left.exists() for left in (old, older, new)] == [False, False, True]
