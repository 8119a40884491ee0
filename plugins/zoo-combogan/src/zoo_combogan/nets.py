"""The nets of ComboGAN (Anoosheh et al. 2017, arXiv:1712.06909, and its official code)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo_core.contracts.interfaces import Code, Decoder, Discriminator, DiscriminatorOutput
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.init import init_normal
from zoo_nn.nets.norm import InstanceNorm
from zoo_nn.nets.resnet import ResidualBlock

Blur = Literal["published", "gaussian"]
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance (ITU-R BT.601)."""


class ResnetDecoder(Decoder):
    """The second half of CycleGAN's generator: residual blocks, doublings, 7x7, tanh; PReLU.

    6,565,770 parameters with the default arguments.

    Args:
        channels: Channels of the signal.
        width: Channels at full size.
        blocks: Residual blocks.
        doublings: Layers that double height and width.
        upsample: ``transpose`` (4x4) as published, or ``nearest`` (resize, then a 3x3 convolution).
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 64,
        blocks: int = 5,
        doublings: int = 2,
        *,
        upsample: Literal["transpose", "nearest"] = "transpose",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            ResidualBlock(width << doublings, nn.PReLU) for _ in range(blocks)
        ]
        for level in reversed(range(doublings)):
            outer = width << level
            if upsample == "transpose":
                layers += _stage(nn.ConvTranspose2d(2 * outer, outer, 4, stride=2, padding=1))
            else:
                layers += [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1)]
                layers += _stage(nn.Conv2d(2 * outer, outer, 3))
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes into this net's own domain: (N, C, H, W) in [-1, 1]."""
        y: Tensor = self.layers(code.decoder_input)  # (N, C, H, W)
        return y  # (N, C, H, W)


class TwoViewDiscriminator(Discriminator):
    """Judges the luminance, sharp, and the colours, blurred; after each layer but the first.

    Two towers of 4x4 convolutions with PReLU, of stride 2 but for the last two. Each inner layer
    has one channel more than it hands on: its opinion, which is normalised as the others are.
    With four layers that makes four scales; each holds both towers' patches side by side.
    13,931,410 parameters with the default arguments.

    Args:
        channels: Channels of the signal; the luminance of other than three is their mean.
        width: Channels of the first layer, doubled by each further one up to 8 times.
        layers: Stride-2 convolutions of each tower.
        blur: ``published``: what the official code does, in effect the mean of 5x5 pixels, zeros
            beyond the border; ``gaussian``: a 5x5 Gaussian of 3 pixels, reflected at the border.
    """

    luma: Tensor
    kernel: Tensor

    def __init__(
        self, channels: int = 3, width: int = 64, layers: int = 4, blur: Blur = "published"
    ) -> None:
        super().__init__()
        line = {"published": folded_gaussian, "gaussian": cut_gaussian}[blur]()  # (5,)
        kernel = torch.outer(line, line).expand(channels, 1, -1, -1)  # (C, 1, 5, 5)
        self.register_buffer("kernel", kernel.contiguous(), persistent=False)
        self.beyond = "reflect" if blur == "gaussian" else "constant"
        luma = torch.tensor(LUMA) if channels == 3 else torch.full((channels,), 1 / channels)
        self.register_buffer("luma", luma[:, None, None], persistent=False)
        self.gray = Tower(1, width, layers)
        self.colour = Tower(channels, width, layers)
        init_normal(self)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W): per scale (N, 2, h, w)."""
        gray = (x * self.luma).sum(1, keepdim=True)  # (N, 1, H, W)
        padded = F.pad(x, (2, 2, 2, 2), mode=self.beyond)  # (N, C, H + 4, W + 4)
        blurred = F.conv2d(padded, self.kernel.to(x.dtype), groups=x.shape[1])  # (N, C, H, W)
        views = zip(self.gray(gray), self.colour(blurred), strict=True)  # L x 2 x (N, 1, h, w)
        return DiscriminatorOutput(
            tuple(torch.cat(pair, dim=1) for pair in views)
        )  # L x (N, 2, h, w)


def folded_gaussian(size: int = 5, sigma: float = 3.0) -> Tensor:
    """(size,) a Gaussian whose tails are folded back at both ends, again and again.

    The official code filters a picture of ``size`` pixels with one of them lit, and its filter
    reflects at the border: with these numbers all values come out within 0.3 % of ``1 / size``.
    """
    reach = round(4 * sigma)
    offsets = torch.arange(-reach, reach + 1)  # (2 * reach + 1,)
    weights = _bell(offsets, sigma)
    place = (size // 2 + offsets) % (2 * size)  # (2 * reach + 1,)
    place = torch.where(place < size, place, 2 * size - 1 - place)
    return torch.zeros(size, dtype=weights.dtype).index_add(0, place, weights)


def cut_gaussian(size: int = 5, sigma: float = 3.0) -> Tensor:
    """(size,) the middle of a Gaussian, which sums to 1."""
    return _bell(torch.arange(size) - size // 2, sigma)


def _bell(offsets: Tensor, sigma: float) -> Tensor:
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    return weights / weights.sum()


class Tower(nn.Module):
    """One view's convolutions; see `TwoViewDiscriminator`.

    Args:
        channels: Channels of the view.
        width: Channels of the first layer.
        layers: Stride-2 convolutions.
    """

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        first = nn.Conv2d(channels, width, 4, stride=2, padding=2)
        self.first = nn.Sequential(first, nn.PReLU())
        inner, stages = width, []
        for level in range(1, layers):
            outer = width * min(2**level, 8)
            convolution = nn.Conv2d(inner, outer + 1, 4, stride=2, padding=2)
            stages.append(nn.Sequential(*_stage(convolution)))
            inner = outer
        self.stages = nn.ModuleList(stages)
        outer = width * min(2**layers, 8)
        self.last = nn.Sequential(
            *_stage(nn.Conv2d(inner, outer, 4, padding=2)), nn.Conv2d(outer, 1, 4, padding=2)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, 1, h, w) opinions on a view ``x`` (N, C, H, W), layer by layer."""
        y, opinions = self.first(x), []  # (N, W, H/2+1, W/2+1)
        for stage in self.stages:
            both = stage(y)  # (N, W' + 1, h, w)
            y, opinion = both[:, :-1], both[:, -1:]  # (N, W', h, w), (N, 1, h, w)
            opinions.append(opinion)
        return [*opinions, self.last(y)]  # L x (N, 1, h, w)


def _stage(convolution: nn.Module) -> list[nn.Module]:
    """A convolution, then instance normalisation and PReLU of one slope."""
    return [convolution, InstanceNorm(int(convolution.out_channels)), nn.PReLU()]  # type: ignore[arg-type]
