"""The benchmark's real pictures, decoded once per working folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from zoo_core.contracts.codec import InMemorySignal, SignalStore
from zoo_core.contracts.signals import TensorSpec
from zoo_core.contracts.spec import TrainConfig
from zoo_core.host.plugins import host
from zoo_evaluate.bench.plan import Planner
from zoo_evaluate.examples import LabeledSubset, content_parts, domain_parts
from zoo_train.data.dataset import DataSet, open_sources


class Pictures:
    """Opens the stores of domains, each split once.

    Args:
        planner: Knows the sources.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._open: Callable[[str, str], DataSet] = cache(self._opened)

    def store(self, domain: str, split: str) -> SignalStore:
        """The real pictures of a domain.

        Raises:
            DataError: If they cannot be read.
        """
        return self._open(domain, split).stores[domain]

    def files(self, domain: str, split: str) -> tuple[list[Path | InMemorySignal], list[str]]:
        """The files that the pictures of a domain came from, and the pictures' names."""
        opened = self._open(domain, split)
        return opened.files[domain], list(opened.stores[domain].names)

    def words(self, domain: str) -> str:
        """Where a domain's training pictures come from, without the paths of this machine."""
        return self._open(domain, "train").provenance()[0].partition(": ")[2]

    def parts(self, task: str, domains: tuple[str, ...], split: str) -> list[LabeledSubset]:
        """Labelled pictures for a judge: by what they show, or by domain."""
        stores = {name: self.store(name, split) for name in domains}
        return content_parts(stores) if task == "content" else domain_parts(stores, domains)

    def _opened(self, domain: str, split: str) -> DataSet:
        planner = self._planner
        size = planner.benchmark.size
        source = planner.benchmark.source(domain, planner.root, split)
        return open_sources(
            {domain: source},
            codec=host().load("codec", "image")(TensorSpec(shape=(3, size, size))),
            config=TrainConfig(),
            split=split,
            cache=planner.folder.data,
        )


@dataclass(frozen=True)
class GeneratedSet:
    """Pictures that were made, as 8-bit files would hold them; a store for judges to learn from.

    Attributes:
        pixels: uint8 (M, 3, H, W).
        labels: (M,) class numbers.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: list[int], rng: torch.Generator | None = None) -> Tensor:
        """(N, 3, H, W) float32 in [-1, 1]."""
        return self.pixels[indices].float() / 127.5 - 1  # (N, 3, H, W)

    def part(self, domain: str) -> LabeledSubset:
        """All of them, as examples of a domain."""
        return LabeledSubset(domain, self, torch.arange(len(self)), self.labels)  # type: ignore[arg-type]


def to_pixels(x: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) of pictures (N, 3, H, W) in [-1, 1]."""
    return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
