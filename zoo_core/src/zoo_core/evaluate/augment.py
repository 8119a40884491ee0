"""Random changes of training pictures that leave what a judge shall see unchanged.

Every function takes pictures (N, 3, H, W) in [-1, 1] and a CPU generator, and returns the same
form.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo_core.evaluate.judge_card import Task


def augment(x: Tensor, task: Task, rng: torch.Generator) -> Tensor:
    """Changes pictures at random.

    What a picture shows survives another colour, so content judges see permuted and inverted
    colours. A domain is a style, which lies in colours and in fine detail: domain judges see the
    colours as they are and most pictures unresampled, but mirrored, shifted, and some of them a
    little blurred and noisy, lest they go by traces of a file's resampling alone.
    """
    if task == "content":
        return noise(recolour(affine(x, rng), rng), rng, most=0.1)
    x = shift(mirror(x, rng), rng, most=x.shape[-1] // 16)
    turned = torch.rand(x.shape[0], generator=rng) < 0.25  # (N,)
    x = torch.where(_column(turned, x), affine(x, rng), x)
    return noise(blur(x, rng, most=0.5), rng, most=0.03)


def affine(x: Tensor, rng: torch.Generator, *, degrees: float = 10, shift: float = 0.06) -> Tensor:
    """Rotates by up to ``degrees``, scales by up to 10 %, shifts by up to ``shift`` of the side."""
    count = x.shape[0]
    angle = _uniform(rng, count, math.radians(degrees))  # (N,)
    scale = 1 + _uniform(rng, count, 0.1)  # (N,)
    cos, sin = angle.cos() * scale, angle.sin() * scale  # (N,)
    dx, dy = _uniform(rng, count, 2 * shift), _uniform(rng, count, 2 * shift)  # (N,)
    rows = [torch.stack([cos, -sin, dx], 1), torch.stack([sin, cos, dy], 1)]  # (N, 3) each
    theta = torch.stack(rows, 1).to(x)  # (N, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)  # (N, H, W, 2)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)  # (N, 3, H, W)


def mirror(x: Tensor, rng: torch.Generator) -> Tensor:
    """Mirrors every second picture, at random."""
    chosen = torch.rand(x.shape[0], generator=rng) < 0.5  # (N,)
    return torch.where(_column(chosen, x), x.flip(-1), x)


def shift(x: Tensor, rng: torch.Generator, *, most: int) -> Tensor:
    """Shifts each picture by whole pixels, at most ``most`` each way, repeating its border."""
    count, _, height, width = x.shape
    by = torch.randint(-most, most + 1, (2, count, 1), generator=rng)  # (2, N, 1)
    rows = (torch.arange(height) + by[0]).clamp(0, height - 1).to(x.device)  # (N, H)
    columns = (torch.arange(width) + by[1]).clamp(0, width - 1).to(x.device)  # (N, W)
    x = x.gather(2, rows[:, None, :, None].expand_as(x))  # (N, 3, H, W)
    return x.gather(3, columns[:, None, None, :].expand_as(x))  # (N, 3, H, W)


def recolour(x: Tensor, rng: torch.Generator) -> Tensor:
    """Permutes the channels, inverts every fourth picture, changes contrast and brightness."""
    count, channels = x.shape[:2]
    order = torch.rand(count, channels, generator=rng).argsort(1).to(x.device)  # (N, 3)
    x = x.gather(1, order[:, :, None, None].expand_as(x))  # (N, 3, H, W)
    sign = 1 - 2 * (torch.rand(count, generator=rng) < 0.25).float()  # (N,)
    contrast = sign * (1 + _uniform(rng, count, 0.3))  # (N,)
    brightness = _uniform(rng, count, 0.2)  # (N,)
    return (x * _column(contrast, x) + _column(brightness, x)).clamp(-1, 1)


def blur(x: Tensor, rng: torch.Generator, *, most: float) -> Tensor:
    """Blends each picture with its binomially smoothed version by a random share up to ``most``."""
    taps = torch.tensor([1.0, 2.0, 1.0], device=x.device) / 4  # (3,)
    kernel = (taps[:, None] * taps[None, :]).expand(x.shape[1], 1, 3, 3)  # (3, 1, 3, 3)
    smooth = F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), kernel, groups=x.shape[1])
    share = most * torch.rand(x.shape[0], generator=rng).square()  # (N,): mostly small
    return torch.lerp(x, smooth, _column(share, x))


def noise(x: Tensor, rng: torch.Generator, *, most: float) -> Tensor:
    """Adds Gaussian noise of a random strength up to ``most``."""
    strength = most * torch.rand(x.shape[0], generator=rng)  # (N,)
    drawn = torch.randn(x.shape, generator=rng).to(x)  # (N, 3, H, W)
    return (x + _column(strength, x) * drawn).clamp(-1, 1)


def _uniform(rng: torch.Generator, count: int, most: float) -> Tensor:
    return most * (2 * torch.rand(count, generator=rng) - 1)


def _column(values: Tensor, x: Tensor) -> Tensor:
    return values.to(x.device)[:, None, None, None]
