"""The nets of StarGAN (Choi et al. 2018, arXiv:1711.09020, appendix 7.3)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from zoo_core.contracts.interfaces import Discriminator, DiscriminatorOutput, Generator
from zoo_core.contracts.signals import Condition
from zoo_nn.nets.norm import InstanceNorm


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with zero padding, added to the input; no ReLU after the sum.

    Args:
        width: Channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            InstanceNorm(width, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            InstanceNorm(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refines ``x`` (N, C, H, W)."""
        update: Tensor = self.body(x)  # (N, C, H, W)
        return x + update  # (N, C, H, W)


class ConditionalGenerator(Generator):
    """One generator for all domains: the condition is tiled and joined to the input's channels.

    Zero padding throughout, since reflection hides the condition at the borders; no convolution
    has a bias; instance normalisation is affine and always by the instance's own statistics.
    8,430,528 parameters with the defaults.

    Args:
        channels: Channels of the signal, in and out.
        conditions: Width K of the condition.
        width: Channels at full size.
        blocks: Residual blocks at a quarter of the size.
        upsample: ``transpose`` is published; ``nearest`` (resize, then a 3x3 convolution) makes
            no checkerboards.
        skip: How much of the input is added to what the layers make, before the final tanh. 0 is
            published; 0.5 keeps the colours in place from the first step on and still leaves the
            tanh far from saturation, where gradients vanish.
    """

    def __init__(
        self,
        channels: int = 3,
        conditions: int = 5,
        width: int = 64,
        blocks: int = 6,
        *,
        upsample: Literal["transpose", "nearest"] = "transpose",
        skip: float = 0.0,
    ) -> None:
        super().__init__()
        self.skip = skip
        self.layers = nn.Sequential(
            *_stage(nn.Conv2d(channels + conditions, width, 7, padding=3, bias=False)),
            *_stage(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False)),
            *_stage(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1, bias=False)),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            *_up(4 * width, upsample),
            *_up(2 * width, upsample),
            nn.Conv2d(width, channels, 7, padding=3, bias=False),
        )

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Translates ``x`` (N, C, H, W) to ``condition``: (N, C, H, W) in [-1, 1]."""
        label = condition.label.to(x.dtype)[:, :, None, None]  # (N, K, 1, 1)
        label = label.expand(-1, -1, *x.shape[2:])  # (N, K, H, W)
        y: Tensor = self.layers(torch.cat([x, label], dim=1))  # (N, C, H, W)
        return torch.tanh(y + self.skip * x)  # (N, C, H, W)


class DomainDiscriminator(Discriminator):
    """Real or made, patch by patch, and of which domain; one body, no normalisation.

    LeakyReLU 0.01. 44,762,048 parameters with the defaults (44,884,928 at 256 pixels).

    Args:
        channels: Channels of the signal.
        conditions: Width K of the condition.
        size: Height and width of the signals, pixels; a multiple of ``2**layers``.
        width: Channels of the first layer, doubled by each further one.
        layers: Stride-2 convolutions of the body.
        heads: Realnesses H' of each patch: one, or one for each domain.
    """

    def __init__(
        self,
        channels: int = 3,
        conditions: int = 5,
        size: int = 128,
        width: int = 64,
        layers: int = 6,
        *,
        heads: int = 1,
    ) -> None:
        super().__init__()
        body: list[nn.Module] = []
        inner = channels
        for level in range(layers):
            outer = width << level
            body += [
                nn.Conv2d(inner, outer, 4, stride=2, padding=1),
                nn.LeakyReLU(0.01, inplace=True),
            ]
            inner = outer
        self.body = nn.Sequential(*body)
        self.source = nn.Conv2d(inner, heads, 3, padding=1, bias=False)
        self.domain = nn.Conv2d(inner, conditions, size >> layers, bias=False)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Judges ``x`` (N, C, H, W) of the size that it was built for."""
        features = self.body(x)  # (N, width * 2**(L-1), H / 2**L, W / 2**L)
        scores = self.source(features)  # (N, H', H / 2**L, W / 2**L)
        logits = self.domain(features).flatten(1)  # (N, K)
        return DiscriminatorOutput((scores,), logits)  # (N, H', H / 2**L, W / 2**L), (N, K)


def _stage(convolution: nn.Module) -> list[nn.Module]:
    """A convolution, then affine instance normalisation and ReLU."""
    width = int(convolution.out_channels)  # type: ignore[arg-type]
    return [convolution, InstanceNorm(width, affine=True), nn.ReLU(inplace=True)]


def _up(width: int, upsample: Literal["transpose", "nearest"]) -> list[nn.Module]:
    """Doubles height and width, halves ``width``."""
    if upsample == "transpose":
        return _stage(nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False))
    resize = nn.Upsample(scale_factor=2, mode="nearest")
    return [resize, *_stage(nn.Conv2d(width, width // 2, 3, padding=1, bias=False))]
