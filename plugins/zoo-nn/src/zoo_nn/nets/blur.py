"""Anti-aliased halving and doubling (Zhang 2019, arXiv:1904.11486), as CUT samples."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class BlurDown(nn.Module):
    """Reflects the border, blurs by the binomial filter (1 2 1) and keeps every second pixel.

    Args:
        channels: Channels, each blurred by itself.
    """

    filter: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filter", binomial([1.0, 2.0, 1.0], channels))

    def forward(self, x: Tensor) -> Tensor:
        """Halves ``x`` (N, C, H, W)."""
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")  # (N, C, H + 2, W + 2)
        kernel = self.filter.to(x.dtype)  # (C, 1, 3, 3)
        return functional.conv2d(x, kernel, stride=2, groups=x.shape[1])  # (N, C, H / 2, W / 2)


class BlurUp(nn.Module):
    """Repeats the border and doubles by the binomial filter (1 3 3 1), which keeps the sum.

    Args:
        channels: Channels, each blurred by itself.
    """

    filter: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filter", 4 * binomial([1.0, 3.0, 3.0, 1.0], channels))

    def forward(self, x: Tensor) -> Tensor:
        """Doubles ``x`` (N, C, H, W)."""
        x = functional.pad(x, (1, 1, 1, 1), mode="replicate")  # (N, C, H + 2, W + 2)
        kernel = self.filter.to(x.dtype)  # (C, 1, 4, 4)
        y = functional.conv_transpose2d(
            x, kernel, stride=2, padding=2, groups=x.shape[1]
        )  # (N, C, 2H + 2, 2W + 2)
        return y[:, :, 1:-1, 1:-1]  # (N, C, 2H, 2W)


def binomial(taps: list[float], channels: int) -> Tensor:
    """(channels, 1, K, K) the outer product of ``taps`` (K) with themselves, of sum 1."""
    row = torch.tensor(taps) / sum(taps)  # (K,)
    return torch.outer(row, row).repeat(channels, 1, 1, 1)  # (C, 1, K, K)
