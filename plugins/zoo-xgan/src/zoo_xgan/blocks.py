"""What the nets of DTN and XGAN are built of."""

from __future__ import annotations

import math
from typing import Literal

from torch import nn

from zoo_core.errors import UsageError
from zoo_nn.nets.norm import GroupNorm

Norm = Literal["batch", "group", "none"]
Upsample = Literal["transpose", "nearest"]
SIDE = 4
"""Height and width from which a vector is unfolded, and to which a picture is reduced."""


def doublings(start: int, side: int) -> int:
    """How often a side is doubled to become another; raises `UsageError` where it never does."""
    count = max(0, (side // start).bit_length() - 1)
    if count < 1 or start << count != side:
        raise UsageError(
            f"doubling {start} pixels never gives {side}",
            asked=f"pictures of {side}x{side}",
            hint=f"Choose a size such as {start * 8}, or another layer of the backbone.",
        )
    return count


def normed(width: int, norm: Norm) -> list[nn.Module]:
    """A normalisation of ``width`` channels, or nothing."""
    if norm == "batch":
        return [nn.BatchNorm2d(width)]
    return [GroupNorm(math.gcd(8, width), width)] if norm == "group" else []


def doubled(inner: int, outer: int, upsample: Upsample) -> list[nn.Module]:
    """Doubles height and width: a transposed convolution, or nearest neighbours and a 3x3 one."""
    if upsample == "transpose":
        return [nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1)]
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(inner, outer, 3, padding=1)]
