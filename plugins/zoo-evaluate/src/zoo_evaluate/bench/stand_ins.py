"""Rows that no net made and that every method has to beat: what a figure says of them is its floor.

L1 rewards grey: half the input and half the median picture may be nearer to a reference than a
good translation is. A judge of domains is pleased by any real picture of the target. A figure that
one of these rows matches says nothing of a method.

Shapes: N batch, M training pictures, C H W picture.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from zoo_core.contracts.signals import Condition
from zoo_evaluate.bench.data import to_pixels
from zoo_evaluate.bench.measure import BenchCase, Untranslated, chosen
from zoo_nn.filters import lowpass

MOST = 6000
"""Most training pictures of the target that a stand-in is made of, chosen by seed."""
BLOCK = 64
"""Pictures that are compared with all training pictures at once."""
BLUR = 32
"""The blur's standard deviation is the pictures' side divided by this: 1 pixel of 32."""


class TargetPictures:
    """Training pictures of a target domain, and what stand-ins make of them.

    Args:
        case: A direction; its translator is not asked.
    """

    def __init__(self, case: BenchCase) -> None:
        self._case = case

    @cached_property
    def pixels(self) -> Tensor:
        """uint8 (M, C, H, W)."""
        at = chosen(len(self._case.store(self._case.target, "train")), MOST)
        batches = self._case.batches(self._case.target, "train", at)
        pixels = torch.cat([to_pixels(x) for x in batches])  # (M, C, H, W)
        return pixels.to(self._case.instruments.device)  # (M, C, H, W)

    @cached_property
    def median(self) -> Tensor:
        """(1, C, H, W) in [-1, 1]: of all single pictures the nearest to all of them by L1."""
        return _as_range(self.pixels.median(0, keepdim=True).values)  # (1, C, H, W)

    def nearest(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1]: for each of ``x`` the picture that is nearest to it by L1."""
        known, x = self.pixels.flatten(1), x.to(self.pixels.device)  # (M, C * H * W), (N, C, H, W)
        found = []
        for block in x.split(BLOCK):
            asked = to_pixels(block).flatten(1).float()  # (N, C * H * W)
            apart = torch.cat(
                [torch.cdist(asked, part.float(), p=1) for part in known.split(1024)], 1
            )  # (N, M)
            found.append(self.pixels[apart.argmin(1)])  # (N, C, H, W)
        return _as_range(torch.cat(found))  # (N, C, H, W)


class StandIn(Untranslated):
    """A translator that a task's pictures alone define.

    Args:
        case: The direction.
        pictures: Training pictures of its target.
    """

    def __init__(self, case: BenchCase, pictures: TargetPictures) -> None:
        super().__init__(case.task, case.benchmark.size)
        self.pictures = pictures


class Blurred(StandIn):
    """The input without its fine detail."""

    name = "blurred"

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) ``x`` through a Gaussian."""
        return lowpass(x, self.signal.shape[-1] / BLUR, self.signal.flexible)  # (N, C, H, W)


class MedianPicture(StandIn):
    """One picture for every input: the best of all constant answers by L1."""

    name = "median picture"

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) the median training picture of the target."""
        return self.pictures.median.expand(len(x), -1, -1, -1)  # (N, C, H, W)


class HalfMedian(StandIn):
    """Half the input, half the median training picture of the target."""

    name = "half median"

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) the mean of ``x`` and the median picture."""
        return (x + self.pictures.median.to(x)) / 2  # (N, C, H, W)


class NearestPicture(StandIn):
    """The training picture of the target that is nearest to the input."""

    name = "nearest picture"

    def signals(self, x: Tensor, source: Condition, target: Condition) -> Tensor:
        """(N, C, H, W) real pictures of the target."""
        return self.pictures.nearest(x)  # (N, C, H, W)


STAND_INS: tuple[type[StandIn], ...] = (Blurred, MedianPicture, HalfMedian, NearestPicture)


def _as_range(pixels: Tensor) -> Tensor:
    """(N, C, H, W) in [-1, 1] of uint8 pictures."""
    return pixels.float() / 127.5 - 1  # (N, C, H, W)
