"""The share of a source that is held out: apart from the rest, and decided by names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.errors import DataError
from zoo_core.host.plugins import host
from zoo_train.data.dataset import open_sources
from zoo_train.data.folders import SourceFiles
from zoo_train.data.held_out import part_of


def source(count: int = 400) -> SourceFiles:
    names = [f"{index}.png" for index in range(count)]
    labels = torch.arange(count)[:, None]
    return SourceFiles([Path(name) for name in names], names, labels, "here")


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


def test_a_source_too_small_for_the_share_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        part_of(source(1), "val", 1e-9)
    assert caught.value.asked == "here"


def test_the_share_is_of_what_there_is_to_train_on(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for split, count in (("train", 12), ("val", 3)):
            folder = tmp_path / name / split
            folder.mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{index}.png")
    codec = host().load("codec", "image")(TensorSpec(shape=(3, 8, 8)), {})
    domains = {name: str(tmp_path / name) for name in ("a", "b")}

    def names(split: str, share: float) -> set[str]:
        config = TrainConfig(hold_out=share)
        data = open_sources(domains, codec=codec, config=config, split=split)
        assert data.stores["a"].names == data.stores["b"].names
        return set(data.stores["a"].names)

    assert names("train", 0.3) | names("val", 0.3) == names("train", 0.0)
    assert names("train", 0.3).isdisjoint(names("val", 0.3))
    assert len(names("val", 0.0)) == 3
