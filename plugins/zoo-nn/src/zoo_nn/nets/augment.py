"""Random changes of training pictures that leave what a judge shall see unchanged.

Every function takes pictures (N, 3, H, W) in [-1, 1] and a CPU generator, and returns the same
form.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo_nn.filters import lowpass
from zoo_nn.nets.classifier_card import SCALES, Task


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


def widely(x: Tensor, rng: torch.Generator, scales: tuple[float, float] = SCALES) -> Tensor:
    """Changes drawings so far that what is learnt from them holds in other domains too.

    They are stretched, turned and moved, some are made coarse; most lie on a made-up background,
    plain or cloudy, whose colours the strokes invert or replace; then as `augment` for content.
    ``scales``: how small and how large they become. What fills its pictures (USPS) is smaller in
    other domains, what has a margin (MNIST) may be larger there.
    """
    x = coarse(stretch(x, rng, scales), rng, most=2.5)
    return noise(recolour(on_background(x, rng), rng), rng, most=0.15)


def degraded(x: Tensor, rng: torch.Generator) -> Tensor:
    """Blurs, pales, darkens and dirties pictures, each of which keeps its domain nevertheless.

    A judge of domains that has not seen such pictures takes any of them for the domain whose real
    pictures are softer, or paler, and so measures what a filter can do. Every second picture is
    blurred, all that are by one Gaussian of up to a sixteenth of the side; independently, every
    second loses contrast and changes its brightness, and every second gets noise.
    """
    count, side = x.shape[0], x.shape[-1]
    sigma = side / 16 * float(torch.rand((), generator=rng))
    soft = torch.rand(count, generator=rng) < 0.5  # (N,)
    x = torch.where(_column(soft, x), lowpass(x, sigma, 2), x)
    contrast = 1 - 0.7 * torch.rand(count, generator=rng)  # (N,)
    brightness = _uniform(rng, count, 1) * (1 - contrast)  # (N,): nothing is cut off
    pale = _column(contrast, x) * x + _column(brightness, x)  # (N, 3, H, W)
    x = torch.where(_column(torch.rand(count, generator=rng) < 0.5, x), pale, x)
    dirty = noise(x, rng, most=0.25)  # (N, 3, H, W)
    return torch.where(_column(torch.rand(count, generator=rng) < 0.5, x), dirty, x)


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


def stretch(x: Tensor, rng: torch.Generator, scales: tuple[float, float] = SCALES) -> Tensor:
    """Scales from ``scales``, each side by 12 % besides; shears, rotates up to 12 degrees, shifts.

    A shift is at most 8 % of the side.
    """
    count = x.shape[0]
    least, most = (math.log(bound) for bound in scales)
    middle, half = (least + most) / 2, (most - least) / 2
    scale = torch.exp(_uniform(rng, count, half) - middle)  # (N,): of the grid, small is large
    ratio = torch.exp(_uniform(rng, count, 0.12))  # (N,)
    angle, shear = _uniform(rng, count, math.radians(12)), _uniform(rng, count, 0.2)  # (N,)
    dx, dy = _uniform(rng, count, 0.16), _uniform(rng, count, 0.16)  # (N,)
    cos, sin = angle.cos(), angle.sin()  # (N,)
    wide, high = scale * ratio, scale / ratio  # (N,)
    rows = [
        torch.stack([cos * wide, (shear * cos - sin) * high, dx], 1),
        torch.stack([sin * wide, (shear * sin + cos) * high, dy], 1),
    ]  # (N, 3) each
    grid = F.affine_grid(torch.stack(rows, 1).to(x), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)  # (N, 3, H, W)


def coarse(x: Tensor, rng: torch.Generator, *, most: float) -> Tensor:
    """Shrinks every third picture by one factor up to ``most``, and enlarges it again."""
    height, width = x.shape[-2:]
    factor = 1 + (most - 1) * float(torch.rand((), generator=rng))
    small = F.interpolate(
        x, (round(height / factor), round(width / factor)), mode="bilinear", antialias=True
    )
    back = F.interpolate(small, (height, width), mode="bilinear")  # (N, 3, H, W)
    return torch.where(_column(torch.rand(x.shape[0], generator=rng) < 1 / 3, x), back, x)


def on_background(x: Tensor, rng: torch.Generator) -> Tensor:
    """Lays drawings, light on dark, over plain or cloudy colours; every third stays as it is.

    The strokes invert the background or have a colour of their own.
    """
    count, _, height, width = x.shape
    ink = (x + 1) / 2  # (N, 3, H, W) in [0, 1]
    ground = torch.rand(count, 3, 1, 1, generator=rng).to(x)  # (N, 3, 1, 1)
    for cells, colours in ((3, 3), (6, 1), (12, 3), (24, 1)):
        cloud = torch.randn(count, colours, cells, cells, generator=rng).to(x)
        strength = 0.25 * torch.rand(count, generator=rng)  # (N,)
        cloud = F.interpolate(cloud, (height, width), mode="bilinear")  # (N, 1 or 3, H, W)
        ground = ground + _column(strength, x) * cloud  # (N, 3, H, W)
    ground = ground.clamp(0, 1)  # (N, 3, H, W)
    own = torch.rand(count, 3, 1, 1, generator=rng).to(x)  # (N, 3, 1, 1)
    far = torch.where((own - ground.mean((2, 3), True)).abs() > 0.4, own, (own + 0.5) % 1)
    inverted = (ground - ink).abs()  # (N, 3, H, W)
    painted = torch.lerp(ground, far.expand_as(x), ink)  # (N, 3, H, W)
    kind = torch.rand(count, generator=rng)  # (N,)
    laid = torch.where(_column(kind < 0.45, x), inverted, painted) * 2 - 1  # (N, 3, H, W)
    return torch.where(_column(kind > 0.67, x), x, laid)  # (N, 3, H, W)


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
