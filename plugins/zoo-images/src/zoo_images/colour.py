"""Colours: profiles to sRGB, transparency, orientation, any mode of Pillow to RGB."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from zoo_images.gaps import Gaps, gaps_of
from zoo_images.values import range_of_input


def to_rgb(image: Image.Image, *, name: str = "picture") -> Image.Image:
    """Any Pillow picture as RGB: alpha on white, deep grey scaled to 8 bits.

    Raises:
        DataError: If nothing tells which of its deep values are black and white.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        from zoo_images.deep import from_image  # most pictures need none of it

        values = from_image(image)
        return deep_to_rgb(values, name, gaps_of(values))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        if image.mode == "La":  # Pillow converts premultiplied grey only to LA
            image = image.convert("LA")
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture in sRGB, and what was converted; a damaged profile is said and not used."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image, []
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip()
        if "srgb" in name.lower():
            return image, []
        target = ImageCms.createProfile("sRGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        alpha = image.getchannel("A") if mode == "RGBA" else None
        plain = image.convert("RGB") if mode == "RGBA" else image
        result = ImageCms.profileToProfile(plain, source, target, outputMode="RGB")
        if result is None:
            return image, []
        if alpha is not None:
            result.putalpha(alpha)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, ["its colour profile is damaged and was not used"]
    return result, [f"colours were converted from the profile {name!r} to sRGB"]


def alpha_of(image: Image.Image) -> Image.Image | None:
    """The transparency of a picture, mode ``L``; None where it is opaque."""
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        if image.mode == "La":
            image = image.convert("LA")
        alpha = image.convert("RGBA").getchannel("A")
        if alpha.getextrema() != (255, 255):
            return alpha
    return None


def turn_upright(image: Image.Image) -> None:
    """Turns and mirrors a picture as its EXIF tag says."""
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        ImageOps.exif_transpose(image, in_place=True)


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def deep_to_rgb(values: np.ndarray, name: str, gaps: Gaps | None = None) -> Image.Image:
    """(H, W) or (H, W, 3) of more than 8 bits in 8 bits, by the convention of their type."""
    span, _ = range_of_input(values, {}, None, name, gaps)
    signal = span.to_unit(values, gaps).mul_(255).round_().byte()  # (C, H, W)
    return Image.fromarray(signal.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())
