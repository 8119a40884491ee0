"""Colours: profiles to sRGB, transparency, orientation, any mode of Pillow to RGB."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, ImageOps

from zoo_images.transparency import WHITE, flattened

_DAMAGED = "its colour profile is damaged and was not used"
_PROFILED = ("RGB", "RGBA", "CMYK", "L", "LA", "P", "PA")
_PRIMARIES, _CURVES = (1, 2), (1, 2, 6, 13, 14, 15)
"""Numbers of sRGB's primaries and curve, and of what looks the same or says nothing (ITU H.273)."""
_NAMES = {8: "linear", 16: "PQ, of a high dynamic range", 18: "HLG, of a high dynamic range"}


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
    if not profile or image.mode not in _PROFILED:
        return image, []
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip()
        if _is_srgb(name, profile):
            return image, []
        transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        alpha = image.convert("RGBA").getchannel("A") if transparent else None
        grey = source.profile.xcolor_space.strip() == "GRAY"
        plain = image if image.mode == "CMYK" else image.convert("L" if grey else "RGB")
        target = ImageCms.createProfile("sRGB")
        result = ImageCms.profileToProfile(plain, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, [_DAMAGED]
    if result is None:
        return image, [_DAMAGED]
    result.info.pop("transparency", None)
    if alpha is not None:
        result.putalpha(alpha)
    return result, [f"colours were converted from the profile {name!r} to sRGB"]


def declared_colours(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """What a file without a profile says of its colours that is not sRGB, and is not used."""
    if image.info.get("icc_profile"):
        return ()
    form, head = image.format, data[: 1 << 14]
    mark = {"PNG": b"cICP", "AVIF": b"nclx", "HEIF": b"nclx"}.get(form or "")
    at = -1 if mark is None else head.find(mark)
    if at >= 0 and at + 8 <= len(head):
        wide = 1 if form == "PNG" else 2  # bytes of a number
        numbers = [int.from_bytes(head[at + 4 + i * wide :][:wide]) for i in range(2)]
        if numbers[0] not in _PRIMARIES or numbers[1] not in _CURVES:
            which = _NAMES.get(numbers[1], "other primaries than sRGB's")
            return (f"colours of another kind ({which}), which are taken for sRGB",)
        return ()
    gamma = image.info.get("gamma")
    if form == "PNG" and gamma and "srgb" not in image.info and abs(gamma - 1 / 2.2) > 0.02:
        return (f"the gamma {gamma:g} of its values, which are taken for sRGB",)
    return ()


@lru_cache(maxsize=16)
def _is_srgb(name: str, profile: bytes) -> bool:
    """Whether a profile is called sRGB, and changes no colour by more than 4 of 255."""
    if "srgb" not in name.lower():
        return False
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(len(steps), -1, 3)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(Image.fromarray(colours), source, target)
    return int(np.abs(np.asarray(made).astype(int) - colours).max()) <= 4


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
    with contextlib.suppress(ImageCms.PyCMSError):
        if _is_srgb(name, profile):
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
