"""The patch discriminator of pix2pix and CycleGAN (arXiv:1611.07004, §3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Discriminator, Verdict
from zoo_core.errors import UsageError
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm


class PatchDiscriminator(Discriminator):
    """Judges overlapping patches: 70x70 pixels with 3 layers, 34x34 with 2, 16x16 with 1.

    4x4 convolutions: the first without normalisation, ``layers`` of stride 2 in all, then two of
    stride 1; LeakyReLU 0.2; instance normalisation without affine parameters. Weights start as
    N(0, 0.02²), biases as 0. With the default arguments it has 2,764,737 parameters.

    Args:
        channels: Channels of the signal.
        width: Channels of the first layer, doubled by each further one up to 8 times.
        layers: Number of stride-2 convolutions.
    """

    def __init__(self, channels: int = 3, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        body: list[nn.Module] = [
            nn.Conv2d(channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        inner = width
        for level in range(1, layers + 1):
            outer = width * min(2**level, 8)
            body += [
                nn.Conv2d(inner, outer, 4, stride=2 if level < layers else 1, padding=1),
                InstanceNorm(outer),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            inner = outer
        self.layers = nn.Sequential(*body, nn.Conv2d(inner, 1, 4, padding=1))
        init_normal(self)

    def forward(self, x: Tensor) -> Verdict:
        """Judges ``x`` (N, C, H, W); the realness is (N, 1, H', W'), one value per patch."""
        realness: Tensor = self.layers(x)  # (N, 1, H / 2**layers - 2, W / 2**layers - 2)
        return Verdict((realness,))  # (N, 1, H', W')


def smallest_side(layers: int) -> int:
    """Smallest height and width (pixels) that `PatchDiscriminator` can judge and normalise.

    The last normalised layer needs more than one value per channel, the output at least one.
    """
    return 3 << layers


def require_side(sides: Sequence[int], layers: int) -> None:
    """Refuses pictures that `PatchDiscriminator` cannot judge.

    Args:
        sides: Height and width in pixels.
        layers: The discriminator's layers, the option ``critic_layers``.

    Raises:
        UsageError: If a side is too short.
    """
    if min(sides) < smallest_side(layers):
        raise UsageError(
            f"the discriminator needs pictures of at least {smallest_side(layers)} pixels",
            asked=f"critic_layers={layers} at {'x'.join(str(side) for side in sides)}",
            hint="Ask for fewer critic_layers or larger pictures.",
        )
