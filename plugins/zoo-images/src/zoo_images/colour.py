"""Colours: profiles to sRGB, transparency, orientation, any mode of Pillow to RGB."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from PIL import Image, ImageCms, ImageOps

from zoo_images.transparency import WHITE, flattened

_DAMAGED = "its colour profile is damaged and was not used"


def to_rgb(image: Image.Image, *, name: str = "picture", ground: str = WHITE) -> Image.Image:
    """Any Pillow picture as RGB: transparency over a ground, deep grey scaled to 8 bits.

    Raises:
        DataError: If nothing tells which of its deep values are black and white.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        from zoo_images import deep, gaps  # most pictures need none of it

        values = deep.from_image(image)
        return deep.to_rgb(values, name, gaps.gaps_of(values))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return flattened(image, ground)
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
        return image, [_DAMAGED]
    return result, [f"colours were converted from the profile {name!r} to sRGB"]


def deep_to_srgb(values: np.ndarray, profile: bytes) -> tuple[np.ndarray, list[str]]:
    """Values (H, W) or (H, W, 3) of more than 8 bits in sRGB, and what was converted.

    Only 16 bits are converted: which floats are white, a profile does not say. Grey stays as it
    is, since it may be a measurement.
    """
    if not profile:
        return values, []
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return values, [_DAMAGED]
    name = name.strip()
    if "srgb" in name.lower():
        return values, []
    unused = f"its colour profile {name!r}, which is not used for {values.dtype}"
    if values.ndim != 3 or values.dtype != np.uint16:
        return values, [unused if values.ndim == 3 else f"{unused} grey"]
    import imagecodecs  # Pillow converts 8 bits only

    from zoo_images.metadata import srgb

    try:
        converted = imagecodecs.cms_transform(
            np.ascontiguousarray(values), profile, srgb(), colorspace="rgb", outcolorspace="rgb"
        )
    except Exception:  # littlecms raises many kinds for profiles of other colours
        return values, [unused]
    return converted, [f"colours were converted from the profile {name!r} to sRGB"]


def turn_upright(image: Image.Image) -> None:
    """Turns and mirrors a picture as its EXIF tag says."""
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        ImageOps.exif_transpose(image, in_place=True)
