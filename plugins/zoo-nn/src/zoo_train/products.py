"""Convolutions with many weights and few places, computed as products of matrices on CPUs.

The last layers of a discriminator, and the first of a decoder, have up to millions of weights for
a handful of places, and there torch's convolution spends its time on arranging weights in memory.
As a product of a patch per place with the weights such a layer takes a fifth to a half of the time,
forward and backward, and a gradient that is differentiated, as by a gradient penalty, consists of
products again. Measured in bfloat16 and in float32. Numbers differ by rounding alone.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


def hasten(net: nn.Module) -> None:
    """Has the convolutions of a net computed as products where gradients and a CPU ask for it.

    Args:
        net: Changed in place: its convolutions become `ProductConv2d` and
            `ProductConvTranspose2d`, which have the same parameters. Those with groups, dilation
            or padding by anything but a number of zeros stay as they are.
    """
    for layer in net.modules():
        if type(layer) is nn.Conv2d and _is_simple(layer):
            layer.__class__ = ProductConv2d
        if type(layer) is nn.ConvTranspose2d and _is_simple(layer):
            layer.__class__ = ProductConvTranspose2d


class ProductConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, a product in training where there are more channels than places."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolves ``x`` (N, C, H, W)."""
        if not torch.is_grad_enabled() or self._places(x) >= self.out_channels:
            return super().forward(x)  # (N, D, H', W')
        # Where weights lie channels-last, as in training, this is a view of them.
        rows = self.weight.permute(0, 2, 3, 1).flatten(1)  # (D, K K C)
        made = functional.linear(self._patches(x), rows, self.bias)  # (N, H', W', D)
        return made.permute(0, 3, 1, 2)  # (N, D, H', W')

    def _places(self, x: Tensor) -> int:
        """Places of all outputs of a batch (N, C, H, W)."""
        sides = zip(x.shape[2:], self._pads(), self.kernel_size, self.stride, strict=True)
        return len(x) * math.prod((s + 2 * p - k) // stride + 1 for s, p, k, stride in sides)

    def _patches(self, x: Tensor) -> Tensor:
        """What each place of the output is made from, (N, H', W', K K C), of ``x`` (N, C, H, W)."""
        high, wide = self._pads()
        pixels = functional.pad(x.permute(0, 2, 3, 1), (0, 0, wide, wide, high, high))
        patches = pixels.unfold(1, self.kernel_size[0], self.stride[0])  # (N, H', W, C, K)
        patches = patches.unfold(2, self.kernel_size[1], self.stride[1])  # (N, H', W', C, K, K)
        return patches.permute(0, 1, 2, 4, 5, 3).flatten(3)  # (N, H', W', K K C)

    def _pads(self) -> tuple[int, int]:
        return cast("tuple[int, int]", self.padding)


class ProductConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, a product in training where it unfolds vectors."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Unfolds ``x`` (N, C, H, W)."""
        cut = any(self.padding) or any(self.output_padding) or output_size is not None
        if not torch.is_grad_enabled() or x.shape[2:] != (1, 1) or cut:
            return super().forward(x, output_size)  # (N, D, H', W')
        rows = self.weight.permute(0, 2, 3, 1).flatten(1)  # (C, K K D)
        made = functional.linear(x.flatten(1), rows.t())  # (N, K K D)
        pixels = made.view(len(x), *self.kernel_size, self.out_channels)  # (N, K, K, D)
        if self.bias is not None:
            pixels = pixels + self.bias  # (N, K, K, D)
        return pixels.permute(0, 3, 1, 2)  # (N, D, K, K)


def _is_simple(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    """Whether products can compute a layer."""
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return plain and not isinstance(layer.padding, str)
