"""What is a cluster's work, and which files are inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_core.errors import UsageError
from zoo_core.host.named import open_named
from zoo_core.host.plugins import host
from zoo_core.translate.outputs import Entry, InputSource

pytest.importorskip("ray", reason="Ray, which zoo-ray needs, is not installed")
from zoo_ray.runner import split
from zoo_ray.worker import TRIES, Order, Worker, lost


def entries(*names: str) -> list[Entry]:
    return [Entry(InputSource(name), ["b"], [f"out/{name}"]) for name in names]


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 9, 100, 1000])
def test_pieces_hold_each_file_once_and_in_order(count: int, workers: int) -> None:
    files = entries(*(f"{number}.png" for number in range(count)))
    pieces = list(split(files, 8, workers))
    assert [entry for piece in pieces for entry in piece] == files
    assert all(len(piece) % 8 == 0 for piece in pieces[:-1])


def test_a_file_of_many_signals_is_a_piece_of_its_own() -> None:
    pieces = list(split(entries("a.png", "b.png", "c.tar", "d.TAR", "e.parquet"), 8, 1))
    assert [[entry.source.path.name for entry in piece] for piece in pieces] == [
        ["a.png", "b.png"], ["c.tar"], ["d.TAR"], ["e.parquet"],
    ]  # fmt: skip


def test_what_no_worker_survived_is_named_unless_it_is_there(tmp_path: Path) -> None:
    done, missing = (
        Entry(InputSource(name), ["b"], [str(tmp_path / name)]) for name in ("a.png", "b.png")
    )
    (tmp_path / "a.png").touch()
    tally = lost([done, missing])
    assert tally.kept == [str(tmp_path / "a.png")]
    assert [error.asked for error in tally.failed] == ["b.png"]


def test_a_piece_that_was_begun_too_often_is_given_up(tmp_path: Path) -> None:
    worker = Worker(Order(None, "", None, tmp_path, tmp_path, tmp_path, 1, None), [])
    assert [worker._begun(3) for _ in range(TRIES + 1)] == [True] * TRIES + [False]


@pytest.mark.parametrize("text", ["ray:workers=0", "ray:threads=-1", "ray:wrkers=2", "ry"])
def test_a_wrong_runner_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        open_named("runner", text, host())
