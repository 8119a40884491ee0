"""A convolution that is fast where few places meet many channels, too, as late in a deep net."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


class DeepConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, computed on CPUs as one matrix product where that is faster.

    The last layers of a discriminator have millions of weights for a handful of places, and there
    torch's convolution spends its time on arranging weights in memory. As a product of a patch per
    place with the weights it takes a fifth of the time forward and backward, and a gradient that
    is differentiated, as by a gradient penalty, consists of products again. Measured with more
    output channels than places in the batch, in bfloat16 and in float32. Numbers differ by
    rounding alone.

    Padding is with zeros, of a number of places; there are no groups and no dilation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolves ``x`` (N, C, H, W)."""
        if x.device.type != "cpu" or self._places(x) >= self.out_channels:
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
        high, wide = self.padding
        return int(high), int(wide)
