"""Checkpoints: whole or absent, the last two kept, damage noticed."""

import resource
from pathlib import Path

import pytest
import torch

from zoo_core.errors import TrainingError
from zoo_train.checkpoint import Checkpoints


def state(value: float) -> dict[str, object]:
    return {"nets": {"w": torch.full((64, 64), value)}, "text": "x", "losses": [{"a": 1}]}


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "checkpoint")
    kept.save(5, state(1.5))
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 5
    assert torch.equal(loaded["nets"]["w"], torch.full((64, 64), 1.5))
    assert loaded["losses"] == [{"a": 1}]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none").load() is None


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for step in (10, 20, 30, 40):
        kept.save(step, state(step))
    assert kept.steps() == [30, 40]


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "text"])
def test_a_damaged_newest_falls_back_with_a_message(tmp_path: Path, damage: str) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(10, state(1.0))
    kept.save(20, state(2.0))
    path = kept.path(20)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(
        {"flip": bytes(content), "truncate": bytes(content[:-200]), "empty": b"", "text": b"hello"}[
            damage
        ]
    )
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 10
    assert len(kept.messages) == 1
    assert path.name in kept.messages[0]


def test_all_damaged_is_an_error_that_says_so(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(10, state(1.0))
    kept.path(10).write_bytes(b"garbage")
    with pytest.raises(TrainingError) as caught:
        kept.load()
    assert caught.value.problem.startswith("all its checkpoints are damaged")
    assert kept.path(10).name in caught.value.problem


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (canary,))  # type: ignore[return-value]

    kept = Checkpoints(tmp_path / "c")
    kept.save(1, state(1.0))
    torch.save({"format": 1, "step": 2, "evil": Evil()}, kept.path(2))
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 1
    assert not canary.exists()


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(10, state(1.0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # writes beyond fail, as on a full disk
    try:
        with pytest.raises(TrainingError) as caught:
            kept.save(20, state(2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.asked == f"checkpoint of step 20 of run {tmp_path.parent}"
    assert [path.name for path in tmp_path.iterdir()] == [kept.path(10).name]
    loaded = kept.load()
    assert loaded is not None
    assert loaded["step"] == 10


def test_cleared_checkpoints_are_gone(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    kept.save(10, state(1.0))
    kept.clear()
    assert kept.load() is None
