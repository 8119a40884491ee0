"""The share of a source that is held out: apart from the rest, and decided by names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zoo_core.errors import DataError
from zoo_train.data.folders import SourceFiles
from zoo_train.data.held_out import part_of


def source(count: int = 400, split: str | None = None) -> SourceFiles:
    names = [f"{index}.png" for index in range(count)]
    labels = torch.arange(count)[:, None]
    return SourceFiles([Path(name) for name in names], names, labels, "here", split)


def test_parts_are_apart_and_together_the_whole() -> None:
    train, val = (part_of(source(), split, 0.25) for split in ("train", "val"))
    assert set(train.names).isdisjoint(val.names)
    assert {*train.names, *val.names} == set(source().names)
    assert 60 < len(val.names) < 140  # 100 expected, standard deviation 8.7
    assert [f"{label}.png" for label in val.labels[:, 0].tolist()] == list(val.names)
    assert [str(path) for path in val.files] == list(val.names)


def test_a_signal_stays_held_out_when_others_come() -> None:
    few, many = (part_of(source(count), "val", 0.25).names for count in (100, 400))
    assert set(few) < set(many)


@pytest.mark.parametrize(
    ("split", "share", "own"), [("train", 0, None), ("test", 0.2, None), ("train", 0.2, "train")]
)
def test_all_else_is_left_as_it_is(split: str, share: float, own: str | None) -> None:
    found = source(split=own)
    assert part_of(found, split, share) is found


def test_a_source_too_small_for_the_share_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        part_of(source(1), "val", 1e-9)
    assert caught.value.asked == "here"
