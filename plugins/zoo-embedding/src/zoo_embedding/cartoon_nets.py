"""Generator and discriminator of CartoonGAN (Chen et al. 2018, figure 2)."""

from __future__ import annotations

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Discriminator, DiscriminatorOutput, Generator
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm

EPS = 1e-9
"""What the published nets add to the variance of a channel."""
HALVINGS = 2
"""Stride-2 convolutions of the generator: heights and widths are multiples of 4."""


def norm(width: int) -> nn.Module:
    """Instance normalisation with scale and shift, which start as U(0, 1) and 0."""
    layer = InstanceNorm(width, affine=True, eps=EPS)
    if layer.weight is not None:
        nn.init.uniform_(layer.weight)
    return layer


class CartoonResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflection padding, added to the input; nothing after the sum.

    Args:
        width: Channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            norm(width),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            norm(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refines ``x`` (N, C, H, W)."""
        update: Tensor = self.body(x)  # (N, C, H, W)
        return x + update  # (N, C, H, W)


class CartoonGenerator(Generator):
    """7x7, two halvings, residual blocks, two doublings, 7x7, tanh; 11,129,667 parameters.

    It differs from CycleGAN's generator in a second 3x3 convolution behind each that halves or
    doubles, with nothing between the two, and in normalisations with scale and shift.

    Args:
        channels: Channels of the signal, in and out.
        width: Channels at full size; doubled by each halving.
        blocks: Residual blocks at the smallest size.
    """

    def __init__(self, channels: int = 3, width: int = 64, blocks: int = 8) -> None:
        super().__init__()
        inner = width << HALVINGS
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(channels, width, 7),
            norm(width),
            nn.ReLU(inplace=True),
        ]
        for level in range(HALVINGS):
            layers += _halving(width << level)
        layers += [CartoonResidualBlock(inner) for _ in range(blocks)]
        for level in reversed(range(HALVINGS)):
            layers += _doubling(width << level)
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y: Tensor = self.layers(x)  # (N, C, H, W)
        return y  # (N, C, H, W)


def _halving(width: int) -> list[nn.Module]:
    """Halves height and width, doubles ``width``."""
    return [
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1),
        norm(2 * width),
        nn.ReLU(inplace=True),
    ]


def _doubling(width: int) -> list[nn.Module]:
    """Doubles height and width, halves ``2 * width``."""
    return [
        nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1),
        nn.Conv2d(width, width, 3, padding=1),
        norm(width),
        nn.ReLU(inplace=True),
    ]


class CartoonDiscriminator(Discriminator):
    """Shallow patch discriminator: edges are local, so it needs no view of the whole picture.

    3x3 convolutions only, two of stride 2; LeakyReLU 0.2. With the default arguments it has
    1,129,665 parameters and judges patches of 37x37 pixels.

    Args:
        channels: Channels of the signal.
        width: Channels of the first layer; the deepest have 8 times as many.
    """

    def __init__(self, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1),
            norm(4 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4 * width, 4 * width, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(4 * width, 8 * width, 3, padding=1),
            norm(8 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8 * width, 8 * width, 3, padding=1),
            norm(8 * width),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8 * width, 1, 3, padding=1),
        )
        init_normal(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W); one value per patch."""
        scores: Tensor = self.layers(x)  # (N, 1, H / 4, W / 4)
        return DiscriminatorOutput((scores,))  # (N, 1, H / 4, W / 4)
