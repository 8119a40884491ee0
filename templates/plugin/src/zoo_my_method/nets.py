"""The nets of MyMethod. Shapes: N batch, C channels, H W sides, F features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Discriminator, DiscriminatorOutput, Generator
from zoo_core.contracts.signals import Condition


class SmallGenerator(Generator):
    """Works at half the size and adds what it made to the input.

    Args:
        channels: Channels of the signal.
        features: Inner channels.
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, features, 4, stride=2, padding=1)
        self.middle = nn.Conv2d(features, features, 3, padding=1)
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(features, channels, 3, padding=1),
        )

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) in [-1, 1]; there is one net per target domain."""
        h = nn.functional.silu(self.down(x))  # (N, F, H/2, W/2)
        h = h + nn.functional.silu(self.middle(h))  # (N, F, H/2, W/2)
        return torch.tanh(x + self.up(h))  # (N, C, H, W)


class SmallCritic(Discriminator):
    """Judges patches: one raw figure per place, higher is more real.

    Args:
        channels: Channels of the signal.
        features: Inner channels.
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, features, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W)."""
        return DiscriminatorOutput((self.layers(x),))  # (N, 1, H/4, W/4)
