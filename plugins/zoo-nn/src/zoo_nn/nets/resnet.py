"""The residual generator of Johnson et al. 2016 as CycleGAN uses it (arXiv:1703.10593, §7.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from zoo_core.contracts.interfaces import Generator
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.blur import BlurDown, BlurUp
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm

Upsample = Literal["transpose", "nearest", "nearest-zero", "blur"]
Downsample = Literal["stride", "blur"]
Activation = Callable[[], nn.Module]


def relu() -> nn.Module:
    """A ReLU in place."""
    return nn.ReLU(inplace=True)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflection padding, added to the input; nothing after the sum.

    Args:
        width: Channels in and out.
        activation: Makes what stands between them.
    """

    def __init__(self, width: int, activation: Activation = relu) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            InstanceNorm(width),
            activation(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            InstanceNorm(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refines ``x`` (N, C, H, W)."""
        update: Tensor = self.body(x)  # (N, C, H, W)
        return x + update  # (N, C, H, W)


class ResnetGenerator(Generator):
    """7x7, halvings, residual blocks, doublings, 7x7, tanh; reflection padding throughout.

    Instance normalisation without affine parameters, always by the instance's own statistics.
    Weights start as N(0, 0.02²), biases as 0. With the default arguments it has 11,378,179
    parameters (7,837,699 with 6 blocks). It reads no condition: a net per direction.

    Args:
        channels: Channels of the signal, in and out.
        width: Channels at full size; doubled by each halving.
        blocks: Residual blocks at the smallest size.
        halvings: Number of stride-2 convolutions; height and width must be multiples of
            ``2**halvings``.
        upsample: ``transpose`` is published; ``nearest`` (resize, then a 3x3 convolution) makes
            no checkerboards; ``nearest-zero`` is the same with zero padding, as PyTorch-GAN and
            huggan have it; ``blur`` (anti-aliased, then a 3x3 convolution) is CUT's.
        downsample: ``stride`` (of the convolution) is published; ``blur`` (a convolution, then
            anti-aliased) is CUT's.
        head: Size of the first and last kernel, odd.
        inputs: Channels in, where they are not those out.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        blocks: int = 9,
        *,
        halvings: int = 2,
        upsample: Upsample = "transpose",
        downsample: Downsample = "stride",
        head: int = 7,
        inputs: int | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(head // 2),
            nn.Conv2d(inputs or channels, width, head),
            InstanceNorm(width),
            nn.ReLU(inplace=True),
        ]
        for level in range(halvings):
            layers += halving(width << level, downsample)
        layers += [ResidualBlock(width << halvings) for _ in range(blocks)]
        for level in reversed(range(halvings)):
            layers += doubling(width << level, upsample)
        layers += [nn.ReflectionPad2d(head // 2), nn.Conv2d(width, channels, head), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y: Tensor = self.layers(x)  # (N, C, H, W)
        return y  # (N, C, H, W)


def halving(
    width: int, downsample: Downsample = "stride", activation: Activation = relu
) -> list[nn.Module]:
    """Halves height and width, doubles ``width``."""
    blur = downsample == "blur"
    return [
        nn.Conv2d(width, 2 * width, 3, stride=1 if blur else 2, padding=1),
        InstanceNorm(2 * width),
        activation(),
        *([BlurDown(2 * width)] if blur else []),
    ]


def doubling(width: int, upsample: Upsample) -> list[nn.Module]:
    """Doubles height and width, halves ``2 * width``."""
    return [*_growing(width, upsample), InstanceNorm(width), nn.ReLU(inplace=True)]


def _growing(width: int, upsample: Upsample) -> list[nn.Module]:
    if upsample == "transpose":
        return [nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1)]
    if upsample == "blur":
        return [BlurUp(2 * width), nn.Conv2d(2 * width, width, 3, padding=1)]
    resize = nn.Upsample(scale_factor=2, mode="nearest")
    if upsample == "nearest-zero":
        return [resize, nn.Conv2d(2 * width, width, 3, padding=1)]
    return [resize, nn.ReflectionPad2d(1), nn.Conv2d(2 * width, width, 3)]
