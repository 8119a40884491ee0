"""The nets of UNIT (Liu et al. 2017, arXiv:1703.00848; layers of the official code of 2018)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.interfaces import Code, Decoder, Discriminator, Encoder, Verdict
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.init import init_kaiming, init_normal
from zoo_nn.nets.norm import InstanceNorm
from zoo_nn.nets.resnet import ResidualBlock


def residual_blocks(width: int, count: int) -> nn.Sequential:
    """``count`` residual blocks (N, width, H, W) -> (N, width, H, W), for one net or for several.

    A module given to several nets is shared by them: one set of weights, trained by all.
    """
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))


class VariationalEncoder(Encoder):
    """7x7, halvings by 4x4 of stride 2, residual blocks; the last ones are given, to be shared.

    Reflection padding, instance normalisation without affine parameters, ReLU. Its code is the
    mean of a Gaussian of unit variance; who trains adds the noise. Weights start as Kaiming's. With
    four blocks in all and the defaults it has 5,385,856 parameters.

    Args:
        shared: The last residual blocks, of ``width << halvings`` channels.
        channels: Channels of the signal.
        width: Channels at full size, doubled by each halving.
        blocks: Residual blocks ahead of the shared ones.
        halvings: Stride-2 convolutions; height and width must be multiples of ``2**halvings``.
    """

    def __init__(
        self,
        shared: nn.Sequential,
        channels: int = 3,
        width: int = 64,
        blocks: int = 3,
        halvings: int = 2,
    ) -> None:
        super().__init__()
        layers = _stage(channels, width, 7)
        for level in range(halvings):
            layers += _stage(width << level, width << level + 1, 4, stride=2)
        self.own = nn.Sequential(*layers, residual_blocks(width << halvings, blocks))
        self.shared = shared
        init_kaiming(self)

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, C, H, W) of this net's own domain; D = width * 2**h channels."""
        y = self.own(x)  # (N, D, H / 2**h, W / 2**h)
        return Code(self.shared(y))  # (N, D, H / 2**h, W / 2**h)


class SharedDecoder(Decoder):
    """Residual blocks, the first ones given, to be shared; doublings, 7x7, tanh.

    A doubling is nearest neighbours and a convolution, normalised over each signal as a whole
    (group normalisation with one group; the official layer divides by the unbiased deviation),
    whose scales start uniform in [0, 1). With four blocks in all and the defaults it has 5,754,627
    parameters.

    Args:
        shared: The first residual blocks, of ``width << doublings`` channels.
        channels: Channels of the signal.
        width: Channels at full size.
        blocks: Residual blocks behind the shared ones.
        doublings: How often height and width are doubled.
        kernel: Size of the doublings' convolutions, odd; 5 is published.
    """

    def __init__(
        self,
        shared: nn.Sequential,
        channels: int = 3,
        width: int = 64,
        blocks: int = 3,
        doublings: int = 2,
        *,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        self.shared = shared
        layers: list[nn.Module] = [residual_blocks(width << doublings, blocks)]
        for level in reversed(range(doublings)):
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            layers += _stage(width << level + 1, width << level, kernel, norm="layer")
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.own = nn.Sequential(*layers)
        init_kaiming(self)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y = self.shared(code.read)  # (N, D, H / 2**h, W / 2**h)
        x: Tensor = self.own(y)  # (N, C, H, W)
        return x  # (N, C, H, W)


class MultiScaleDiscriminator(Discriminator):
    """Patch discriminators of one form for the picture and for its averaged halvings.

    Each: 4x4 convolutions of stride 2, reflection padding, LeakyReLU 0.2, no normalisation, then
    1x1. Weights start as N(0, 0.02²), biases as 0. 8,271,171 parameters with the defaults.

    Args:
        channels: Channels of the signal.
        width: Channels of the first layer, doubled by each further one.
        layers: Stride-2 convolutions of each scale.
        scales: Number of scales.
    """

    def __init__(
        self, channels: int = 3, width: int = 64, layers: int = 4, scales: int = 3
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_patches(channels, width, layers) for _ in range(scales))
        init_normal(self)

    def forward(self, x: Tensor) -> Verdict:
        """Judges ``x`` (N, C, H, W): per scale s (N, 1, H / 2**(L + s), W / 2**(L + s))."""
        realness = []
        for number, scale in enumerate(self.scales):
            if number:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)  # (N, C, H / 2, W / 2)
            realness.append(scale(x))  # (N, 1, H / 2**(L + s), W / 2**(L + s))
        return Verdict(tuple(realness))  # per scale (N, 1, H / 2**(L + s), W / 2**(L + s))


def smallest_side(layers: int, scales: int) -> int:
    """Smallest height and width (pixels) that `MultiScaleDiscriminator` can judge.

    The smallest scale needs two pixels ahead of its last convolution: reflection takes one.
    """
    return 2 ** (layers + scales - 1)


def _patches(channels: int, width: int, layers: int) -> nn.Sequential:
    """One scale of the discriminator: (N, C, H, W) -> (N, 1, H / 2**L, W / 2**L)."""
    body: list[nn.Module] = []
    inner = channels
    for level in range(layers):
        outer = width << level
        body += [
            nn.ReflectionPad2d(1),
            nn.Conv2d(inner, outer, 4, stride=2),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        inner = outer
    return nn.Sequential(*body, nn.Conv2d(inner, 1, 1))


def _stage(
    inner: int,
    outer: int,
    kernel: int,
    *,
    stride: int = 1,
    norm: Literal["instance", "layer"] = "instance",
) -> list[nn.Module]:
    """A convolution that keeps the size (or divides it by ``stride``), normalisation, ReLU."""
    normal: nn.Module = InstanceNorm(outer)
    if norm == "layer":
        normal = nn.GroupNorm(1, outer)
        nn.init.uniform_(normal.weight)
    return [
        nn.ReflectionPad2d((kernel - 1) // 2),
        nn.Conv2d(inner, outer, kernel, stride=stride),
        normal,
        nn.ReLU(inplace=True),
    ]
