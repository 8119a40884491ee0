"""The encoder and the decoder of Fader Networks (Lample et al. 2017, arXiv:1706.00409, §4.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Code, Decoder, Encoder
from zoo_core.contracts.signals import Condition, Domains
from zoo_nn.losses.latent import class_count, one_hot


class StridedEncoder(Encoder):
    """4x4 convolutions of stride 2 with LeakyReLU 0.2, normalised by batch but for the first.

    6,985,568 parameters with the default arguments.

    Args:
        channels: Channels of the signal.
        width: Channels of the first layer, doubled by each further one.
        layers: Number of convolutions; height and width must be multiples of ``2**layers``.
        widest: Most channels.
    """

    def __init__(
        self, channels: int = 3, width: int = 32, layers: int = 6, widest: int = 512
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inner = channels
        for level, outer in enumerate(widths(width, layers, widest)):
            stages.append(nn.Conv2d(inner, outer, 4, stride=2, padding=1))
            if level:
                stages.append(nn.BatchNorm2d(outer))
            stages.append(nn.LeakyReLU(0.2, inplace=True))
            inner = outer
        self.layers = nn.Sequential(*stages)

    def forward(self, x: Tensor, condition: Condition) -> Code:
        """Encodes ``x`` (N, C, H, W) whatever its condition is."""
        content = self.layers(x)  # (N, Z, H / 2**L, W / 2**L)
        return Code(content)  # (N, Z, H / 2**L, W / 2**L)


class StridedDecoder(Decoder):
    """The encoder's mirror image: 4x4 transposed convolutions without bias, batch norm, ReLU, tanh.

    With ``domains`` it is told the condition at **every** layer: its classes are joined to the
    channels as constant planes, two (no, yes) per attribute or one per domain. 7,014,944
    parameters with the default arguments and one attribute.

    Args:
        channels: Channels of the signal.
        width: As for `StridedEncoder`.
        layers: As for `StridedEncoder`.
        widest: As for `StridedEncoder`.
        domains: What the condition is about; None for a decoder that makes one domain only.
    """

    def __init__(
        self,
        channels: int = 3,
        width: int = 32,
        layers: int = 6,
        widest: int = 512,
        *,
        domains: Domains | None = None,
    ) -> None:
        super().__init__()
        self.domains = domains
        planes = 0 if domains is None else class_count(domains)
        stages: list[nn.Module] = []
        sizes = [channels, *widths(width, layers, widest)]
        for outer, inner in reversed(list(pairwise(sizes))):
            last = len(stages) == layers - 1
            rise = nn.ConvTranspose2d(inner + planes, outer, 4, stride=2, padding=1, bias=False)
            tail: list[nn.Module] = (
                [nn.Tanh()] if last else [nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]
            )
            stages.append(nn.Sequential(rise, *tail))
        self.stages = nn.ModuleList(stages)

    def forward(self, code: Code, condition: Condition) -> Tensor:
        """Decodes into ``condition``: (N, C, H, W) in [-1, 1]."""
        y = code.decoder_input  # (N, Z, h, w)
        for stage in self.stages:
            y = stage(self._told(y, condition))  # (N, C', 2h, 2w)
        return y  # (N, C, H, W)

    def _told(self, y: Tensor, condition: Condition) -> Tensor:
        """(N, C' + A, h, w) a layer's input (N, C', h, w) and the condition's planes."""
        if self.domains is None:
            return y  # (N, C', h, w)
        classes = one_hot(condition, self.domains).flatten(1).to(y.dtype)  # (N, A)
        planes = classes[:, :, None, None].expand(-1, -1, *y.shape[2:])  # (N, A, h, w)
        return torch.cat([y, planes], dim=1)  # (N, C' + A, h, w)


def widths(width: int, layers: int, widest: int) -> list[int]:
    """Channels of the encoder's layers: doubled from layer to layer, up to ``widest``."""
    return [min(width << level, widest) for level in range(layers)]


def code_shape(
    sides: tuple[int, ...], width: int, layers: int, widest: int
) -> tuple[int, int, int]:
    """Form (Z, h, w) of a code of signals of the given height and width."""
    height, breadth = cast("tuple[int, int]", sides)
    return widths(width, layers, widest)[-1], height >> layers, breadth >> layers
