"""Random changes of log-mel energies that leave who speaks, or what is said, as it is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def inside(lengths: Tensor, frames: int) -> Tensor:
    """(N, 1, frames) 1 inside each signal, 0 beyond it."""
    within = torch.arange(frames, device=lengths.device) < lengths[:, None]  # (N, frames)
    return within[:, None].float()


def augment(x: Tensor, lengths: Tensor, rng: torch.Generator) -> Tensor:
    """(N, B, T) signals with noise, another tilt, and a hidden stretch of time and of bands.

    Args:
        x: (N, B, T) log-mel energies.
        lengths: (N,) frames of each.
        rng: Generator of all chance.
    """
    count, bands, frames = x.shape
    draw = torch.rand(count, 6, generator=rng)  # (N, 6)
    ramp = torch.linspace(-0.5, 0.5, bands)  # (B,)
    tilt = 0.15 * (draw[:, :1] - 0.5) * ramp + 0.05 * (draw[:, 1:2] - 0.5)  # (N, B)
    noise = 0.03 * torch.randn(x.shape, generator=rng)  # (N, B, T)
    begin = draw[:, 2] * lengths  # (N,)
    end = begin + draw[:, 3] * 0.2 * lengths  # (N,)
    time = torch.arange(frames)  # (T,)
    later = (time >= begin[:, None]) & (time < end[:, None])  # (N, T)
    low = draw[:, 4] * bands  # (N,)
    high = low + draw[:, 5] * 6  # (N,)
    band = torch.arange(bands)  # (B,)
    within = (band >= low[:, None]) & (band < high[:, None])  # (N, B)
    hidden = later[:, None] | within[..., None]  # (N, B, T)
    return (x + tilt[..., None] + noise).masked_fill(hidden, 0.0)  # (N, B, T)


def widely(x: Tensor, lengths: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Signals as mouths of other sizes would say them, faster or slower, at another pitch.

    The axis of bands is stretched and moved by up to 12 % and two bands, that of time by up to a
    quarter; in half of the signals neighbouring bands are averaged, so that harmonics vanish.

    Args:
        x: (N, B, T) log-mel energies.
        lengths: (N,) frames of each.
        rng: Generator of all chance.

    Returns:
        The signals, of another number of frames, and their lengths.
    """
    count, bands, frames = x.shape
    draw = torch.rand(count, 4, generator=rng)  # (N, 4)
    faster = 0.8 + 0.45 * draw[:, 0]  # (N,)
    size = 0.88 + 0.24 * draw[:, 1]  # (N,)
    moved = (draw[:, 2] - 0.5) * 8 / bands  # (N,), a band is 2 / B
    longer = (lengths / faster).round().long().clamp_min(1)  # (N,)
    within = inside(lengths, frames)  # (N, 1, T)
    soft = F.avg_pool1d(x.transpose(1, 2), 5, 1, 2, count_include_pad=False)  # (N, T, B)
    blurred = (draw[:, 3] < 0.5)[:, None, None]  # (N, 1, 1)
    x = torch.where(blurred, soft.transpose(1, 2), x) * within  # (N, B, T)
    whole = int(longer.max())
    bands_at = torch.linspace(-1 + 1 / bands, 1 - 1 / bands, bands)  # (B,)
    up = bands_at[None] * size[:, None] + moved[:, None]  # (N, B)
    times = (torch.arange(whole) + 0.5) * 2 / frames  # (T',)
    along = times[None] * faster[:, None] - 1  # (N, T')
    grid = torch.stack(
        [
            along[:, None].expand(-1, bands, -1),
            up[..., None].expand(-1, -1, whole),
        ],
        dim=-1,
    )  # (N, B, T', 2)
    y = F.grid_sample(x[:, None], grid, padding_mode="border", align_corners=False)
    return y[:, 0] * inside(longer, whole), longer  # (N, B, T'), (N,)
