"""Values of a picture as its file has them: grey or colour, further bands, alpha, profile."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zoo_images.preprocessing import Array
from zoo_images.transparency import Opacity, as_opacity

UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}
"""By EXIF's orientation, how pixels (H, W[, C]) are turned upright."""


@dataclass(frozen=True)
class Bands:
    """The values of a picture as the file has them.

    Attributes:
        values: (H, W) or (H, W, 3), of any real type.
        extra: (H, W, K) further bands of the same type; None where there are none.
        notes: What of them is doubtful.
        opacity: (H, W) of an alpha channel, which is none of the bands; None without one.
        profile: ICC profile of the colours, where the file has one.
    """

    values: Array
    extra: Array | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    opacity: Opacity | None = None
    profile: bytes = b""


def split(
    pixels: Array, *, alpha: bool = False, profile: bytes = b"", asked: str = "picture"
) -> Bands:
    """Grey or colour, and further bands, of (H, W, C); whether the last is an alpha channel."""
    opacity = as_opacity(pixels[..., -1], asked) if alpha else None
    pixels = pixels[..., :-1] if alpha else pixels
    colours = 3 if pixels.shape[-1] >= 3 else 1
    values = np.ascontiguousarray(pixels[..., 0] if colours == 1 else pixels[..., :3])
    extra = pixels[..., colours:]
    return Bands(values, extra if extra.shape[-1] else None, (), opacity, profile)
