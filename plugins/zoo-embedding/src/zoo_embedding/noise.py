"""Noise for a generator that is computed of its input, so that a translation stays reproducible.

Shapes: N batch, K numbers, C H W picture, S side.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.signals import Condition
from zoo_core.errors import UsageError
from zoo_nn.nets.resnet import ResnetGenerator

FREQUENCY = 20.0
"""Radians per unit of a projection; projections of two pictures are some 0.6 apart."""


class NoisyGenerator(Generator):
    """A generator that also sees a map of noise, the same whenever it sees the same picture.

    A map of K numbers by a linear layer stands beside the picture, as in PixelDA
    (arXiv:1612.05424). There they are drawn anew for each pass. Here they are sines of random
    projections of the picture, so many periods wide that those of two pictures have nothing to do
    with each other.

    Args:
        net: Reads one channel more than pictures have.
        shape: C, H, W of the pictures in training; others are resized for the projections.
        numbers: K.

    Raises:
        UsageError: If K is negative.
    """

    def __init__(self, net: ResnetGenerator, shape: tuple[int, ...], numbers: int) -> None:
        super().__init__()
        if numbers < 0:
            raise UsageError("it must not be negative", asked=f"noise={numbers}")
        channels, height, width = shape
        self.net, self.sides = net, (height, width)
        values = channels * height * width
        self.projections = nn.Buffer(torch.randn(values, numbers) / values**0.5)  # (C * H * W, K)
        self.spread = nn.Linear(numbers, height * width)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) into the net's domain: (N, C, H, W) in [-1, 1]."""
        small = x if x.shape[-2:] == self.sides else F.interpolate(x, self.sides)  # (N, C, S, S)
        noise = torch.sin(FREQUENCY * small.flatten(1) @ self.projections)  # (N, K)
        noise = self.spread(noise).unflatten(1, (1, *self.sides))  # (N, 1, S, S)
        noise = F.interpolate(noise, x.shape[-2:], mode="bilinear")  # (N, 1, H, W)
        y: Tensor = self.net(torch.cat([x, noise], 1), condition)  # (N, C, H, W)
        return y  # (N, C, H, W)
