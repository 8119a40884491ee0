"""Filters along the flexible axes of a signal: for defences and for the audit."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_kernel(sigma: float) -> Tensor:
    """(2R + 1,) a Gaussian of standard deviation ``sigma`` (in samples), R = 3 sigma, sum 1."""
    reach = max(1, math.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)  # (2R + 1,)
    weights = torch.exp(-0.5 * (at / sigma).square())  # (2R + 1,)
    return weights / weights.sum()


def lowpass(x: Tensor, sigma: float, axes: int) -> Tensor:
    """(N, *S) ``x`` smoothed by a Gaussian along its last axes, edges repeated.

    Args:
        x: (N, *S) signals.
        sigma: Standard deviation in samples (pixels, frames); 0 leaves all as it is.
        axes: Number of trailing axes to smooth: 2 for pictures, 1 for frames.
    """
    if sigma == 0:
        return x
    kernel = gaussian_kernel(sigma).to(x.device, x.dtype)  # (2R + 1,)
    for axis in range(x.dim() - axes, x.dim()):
        x = _along(x, kernel, axis)  # (N, *S)
    return x


def _along(x: Tensor, kernel: Tensor, axis: int) -> Tensor:
    moved = x.movedim(axis, -1)  # (..., L)
    rows = moved.reshape(-1, 1, moved.shape[-1])  # (M, 1, L)
    reach = len(kernel) // 2
    padded = F.pad(rows, (reach, reach), mode="replicate")  # (M, 1, L + 2R)
    smooth: Tensor = F.conv1d(padded, kernel[None, None])  # (M, 1, L)
    return smooth.reshape(moved.shape).movedim(-1, axis)  # (N, *S)


def rounded(x: Tensor, low: float, high: float, bits: int = 8) -> Tensor:
    """(N, *S) ``x`` clamped to [low, high] and rounded to ``2**bits`` levels, ends included."""
    steps = float(2**bits - 1)
    unit = (x.clamp(low, high) - low) / (high - low)  # (N, *S) in [0, 1]
    return (unit * steps).round() / steps * (high - low) + low  # (N, *S)
