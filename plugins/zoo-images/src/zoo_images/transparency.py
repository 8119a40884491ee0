"""Transparency: what shows through, and what is put back behind the translated colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from zoo_core.errors import DataError, UsageError

Opacity = npt.NDArray[np.float32]
"""(H, W) 0 where a pixel is transparent, 1 where it is opaque."""
KEEP, WHITE, BLACK = "keep", "white", "black"
_WAYS = (KEEP, WHITE, BLACK)
_OPAQUE = 1.5
"""Resampling overshoots 1 a little; what goes further has another scale."""
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")


def parse_alpha(text: str) -> str:
    """What shall become of transparency: ``keep``, ``white`` or ``black``.

    Raises:
        UsageError: If it is none of these.
    """
    if text not in _WAYS:
        raise UsageError(
            "it is no way to treat transparency",
            asked=f"alpha {text}",
            hint=f"Choose one of {', '.join(_WAYS)}.",
        )
    return text


@dataclass(frozen=True)
class Transparency:
    """The transparency of a picture.

    Attributes:
        opacity: (H, W) of its pixels.
        kept: Whether outputs have it, too; else they are flattened.
        ground: What shows through, black 0 and white 1.
    """

    opacity: Opacity
    kept: bool = True
    ground: float = 1.0

    @classmethod
    def of(cls, opacity: Opacity | None, alpha: str) -> Transparency | None:
        """The transparency of what the user asked for; None for opaque pictures."""
        if opacity is None or (opacity == 1).all():
            return None
        return cls(opacity, alpha == KEEP, 0.0 if alpha == BLACK else 1.0)

    def over_ground(self, unit: Tensor) -> Tensor:
        """(C, H, W) of black 0 and white 1 with the ground showing through."""
        opacity = torch.from_numpy(self.opacity)  # (H, W)
        return unit * opacity + self.ground * (1 - opacity)

    def cropped(self, crop: Any) -> Transparency:
        """The transparency of the part of the picture that ``crop`` cuts out of (H, W, 1)."""
        return Transparency(crop(self.opacity[..., None])[..., 0], self.kept, self.ground)

    def behind(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An output (H, W) or (H, W, C) with the transparency as its last channel, scaled to it."""
        colours = pixels[..., None] if pixels.ndim == 2 else pixels
        opacity = self.opacity
        if opacity.shape != colours.shape[:2]:
            size = (colours.shape[1], colours.shape[0])
            scaled = Image.fromarray(opacity).resize(size, Image.Resampling.BICUBIC)
            opacity = np.asarray(scaled).clip(0, 1)
        kind = pixels.dtype
        if kind.kind in "iu":
            opacity = np.round(opacity.astype(np.float64) * np.iinfo(kind).max)
        return np.concatenate([colours, opacity.astype(kind)[..., None]], -1)


def opacity_of(image: Image.Image) -> Opacity | None:
    """The opacity of a Pillow picture of 8 bits; None where it has no transparency."""
    if image.mode not in _TRANSPARENT and "transparency" not in image.info:
        return None
    if image.mode == "La":  # Pillow converts premultiplied grey only to LA
        image = image.convert("LA")
    return as_opacity(np.asarray(image.convert("RGBA").getchannel("A")))


def as_opacity(alpha: npt.NDArray[Any], asked: str = "picture") -> Opacity:
    """(H, W) values of an alpha channel of any real type as opacity.

    Args:
        alpha: The values.
        asked: What the picture is called in errors.

    Raises:
        DataError: If they are floats beyond 1, which is opaque.
    """
    if alpha.dtype.kind == "f":
        largest = float(np.nanmax(alpha, initial=0))
        if largest > _OPAQUE:
            raise DataError(
                f"its transparency goes up to {largest:,.6g}, and as a float 1 is opaque",
                asked=asked,
                hint="Divide that channel by its opaque value, such as 255.",
            )
        return np.clip(np.nan_to_num(alpha.astype(np.float32)), 0, 1)
    opacity = alpha.astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)
    return np.clip(opacity, 0, 1)


def flattened(image: Image.Image, ground: str = WHITE) -> Image.Image:
    """A Pillow picture with transparency as RGB, over a ground."""
    if image.mode == "La":
        image = image.convert("LA")
    level = 0 if ground == BLACK else 255
    below = Image.new("RGBA", image.size, (level, level, level, 255))
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")
