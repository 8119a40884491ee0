"""Picture files as the zoo reads and writes them: upright, in sRGB, with their transparency."""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin

from zoo_runtime.model import Bytes, ExportedModel, RunError

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jp2", ".webp", ".avif", ".bmp", ".ppm", ".pgm",
)  # fmt: skip
"""Suffixes, in lower case, of the files that count as pictures."""
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "BMP", "DIB", "PPM")
LARGEST, LARGEST_FILE = 120_000_000, 360_000_000
"""Most pixels that are decoded, and bytes of a file: more may be a decompression bomb."""
_RESAMPLE = Image.Resampling.BICUBIC  # of outputs
_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos4": Image.Resampling.LANCZOS,
}  # of what the nets see, as in training
_PILLOW_LIMIT = threading.Lock()
_EXIF_TAGS = (270, 271, 272, 305, 306, 315, 33432, 33723)
_GROUPS = (0x8769, 0x8825)
_OF_PIXELS = (0xA001, 0xA002, 0xA003, 0xA005, 0x927C)  # not true of a translation
_LAYOUTS = ("ImageJ=", '{"shape"', "<OME", "<?xml")
_INSTEAD = "zoo translate reads it."
_EXIF_DAMAGED = "its EXIF block is damaged and was not used in full"
_PROFILE_DAMAGED = "its colour profile is damaged and was not used"
_EXIF_SIZES = dict(zip(range(1, 13), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8), strict=True))


@dataclass(frozen=True)
class Picture:
    """A decoded picture."""

    pixels: Bytes  # (H, W, 3), RGB, over white
    opacity: npt.NDArray[np.float32] | None  # (H, W) from 0 to 1; None for opaque pictures
    options: dict[str, Any]  # what else a PNG shall hold: EXIF, texts, resolution, profile
    notes: tuple[str, ...] = ()  # what of the file could not be used


def read(path: Path) -> Picture:
    """Decodes a file; raises `RunError` unless it is one picture of 8 bits, and whole."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise RunError("it is no regular file", asked=str(path))
        if facts.st_size > LARGEST_FILE:
            problem = f"it has {facts.st_size:,} bytes, more than the {LARGEST_FILE:,} of a picture"
            raise RunError(problem, asked=str(path), hint=_INSTEAD)
        return decode(path.read_bytes(), str(path))
    except OSError as fault:
        raise RunError(fault.strerror or "it cannot be read", asked=str(path)) from fault


def decode(data: bytes, asked: str = "picture") -> Picture:
    """Decodes the bytes of a file, which errors call ``asked``; see `read`."""
    with _PILLOW_LIMIT:  # the bound is ours, and an error
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except Exception as fault:  # Pillow raises many kinds for damaged headers
            raise RunError("it is no picture in a format that is read here", asked=asked) from fault
        finally:
            Image.MAX_IMAGE_PIXELS = before
    deep = image.mode.startswith(("I", "F")) or (image.format == "PNG" and data[24:25] == b"\x10")
    for is_so, what in (
        (image.width * image.height > LARGEST, "more pixels than are decoded"),
        (getattr(image, "n_frames", 1) > 1, "several frames"),
        (deep, "more than 8 bits"),
    ):
        if is_so:
            raise RunError(f"it has {what}", asked=asked, hint=_INSTEAD)
    try:
        image.load()
        options, notes = _options(image), []
        if exif_is_damaged(image.info.get("exif")):
            notes.append(_EXIF_DAMAGED)
        with contextlib.suppress(Exception):  # a damaged EXIF block says nothing of the pixels
            ImageOps.exif_transpose(image, in_place=True)
        image = _in_srgb(image.convert("LA") if image.mode == "La" else image, notes)
        return Picture(np.asarray(_over_white(image)), _opacity(image), options, tuple(notes))
    except Exception as fault:  # Pillow raises many kinds for damaged data
        raise RunError(f"it is damaged or truncated ({fault})", asked=asked) from fault


def seen(picture: Picture, model: ExportedModel, size: int | None, bound: int) -> Bytes:
    """The picture as the nets see it: uint8 (h, w, 3), scaled as the model was trained.

    ``size`` is the shorter side that is asked for; more pixels than ``bound`` are an error.
    """
    pixels, extent = picture.pixels, picture.pixels.shape[:2]
    resample = _FILTERS[model.resample]
    if not model.any_size:
        if size not in (None, min(model.size)):
            raise RunError(f"these nets work at {model.size} pixels only", asked=f"size {size}")
        return _scaled(pixels, model.size, resample)
    if size is not None:
        if model.crop_first:
            pixels = _centre(pixels, model.crop_first)
        pixels = _scaled(pixels, _shorter(pixels.shape[:2], size), resample)
    elif model.scale == "trained":
        pixels = _scaled(pixels, _shorter(extent, min(model.size)), resample)
    elif model.scale == "whole" and math.prod(extent) > bound:
        factor = math.sqrt(bound / math.prod(extent))
        sides = [max(model.stride, int(s * factor) // model.stride * model.stride) for s in extent]
        pixels = _scaled(pixels, (sides[0], sides[1]), resample)
    padded = [math.ceil(max(side, model.least) / model.stride) * model.stride
              for side in pixels.shape[:2]]  # fmt: skip
    if math.prod(padded) > bound:
        raise RunError(
            f"it has {math.prod(padded) / 1e6:.1f} megapixels, more than the {bound / 1e6:.1f} "
            "that go through the nets at once",
            hint="Raise --max-megapixels, if there is memory; or --size; zoo translate cuts it.",
        )
    return pixels


def finished(picture: Picture, made: Bytes, model: ExportedModel, size: int | None) -> Image.Image:
    """The translation in the size of the picture (or asked for), with its transparency."""
    opacity = picture.opacity
    if size is None:
        made = _scaled(made, (picture.pixels.shape[0], picture.pixels.shape[1]))
    elif opacity is not None and model.crop_first and model.any_size:
        opacity = _centre(opacity, model.crop_first)
    if opacity is not None:
        if opacity.shape != made.shape[:2]:
            resized = Image.fromarray(opacity).resize((made.shape[1], made.shape[0]), _RESAMPLE)
            opacity = np.asarray(resized).clip(0, 1)
        alpha = np.round(opacity.astype(np.float64) * 255).astype(np.uint8)
        made = np.concatenate([made, alpha[..., None]], -1)
    return Image.fromarray(made)


def write(image: Image.Image, path: Path, options: dict[str, Any]) -> None:
    """Writes a PNG that is there whole or not at all."""
    part = path.with_name(f".zoo-{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, "PNG", compress_level=4, **options)  # as zoo-images does
        part.replace(path)
    except OSError as fault:
        text = f"it cannot be written ({fault.strerror or fault})"
        raise RunError(text, asked=str(path)) from fault
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _scaled(pixels: Bytes, size: tuple[int, int], resample: Image.Resampling = _RESAMPLE) -> Bytes:
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), resample))


def _shorter(extent: tuple[int, ...], side: int) -> tuple[int, int]:
    factor = side / min(extent)
    return max(1, round(extent[0] * factor)), max(1, round(extent[1] * factor))


def _centre(values: Any, side: int) -> Any:
    height, width = (min(side, extent) for extent in values.shape[:2])
    top, left = (values.shape[0] - height) // 2, (values.shape[1] - width) // 2
    return values[top : top + height, left : left + width]


def _transparent(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info


def _over_white(image: Image.Image) -> Image.Image:
    if not _transparent(image):
        return image if image.mode == "RGB" else image.convert("RGB")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _opacity(image: Image.Image) -> npt.NDArray[np.float32] | None:
    if not _transparent(image):
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    opacity = alpha.astype(np.float32) / np.float32(255)
    return None if (opacity == 1).all() else opacity


def _in_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """The picture in sRGB; as it is where its profile is damaged, which is noted."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        alpha = image.getchannel("A") if image.mode == "RGBA" else None
        plain = image if alpha is None else image.convert("RGB")
        made = ImageCms.profileToProfile(
            plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append(_PROFILE_DAMAGED)
        return image
    if made is None:
        return image
    if alpha is not None:
        made.putalpha(alpha)
    return made


def exif_is_damaged(block: object) -> bool:
    """Whether a file's EXIF block is there and ends before what it lists."""
    if not isinstance(block, bytes) or not block:
        return False
    data = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return True
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for number in range(count):
            _, kind, many, place = struct.unpack_from(f"{order}HHII", data, start + 2 + 12 * number)
            size = many * _EXIF_SIZES.get(kind, 0)
            if size > 4 and place + size > len(data):
                return True
    except struct.error:
        return True
    return False


def _options(image: Image.Image) -> dict[str, Any]:
    """What of a file's words a PNG holds, as far as it is true of a translation."""
    info = image.info
    options: dict[str, Any] = {}
    if info.get("icc_profile"):
        from PIL import ImageCms

        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if exif := _exif(image):
        options["exif"] = exif
    dpi = info.get("dpi")
    with contextlib.suppress(TypeError, ValueError):
        if len(dpi) == 2 and all(0 < float(value) < 1e6 for value in dpi):
            options["dpi"] = dpi
    xmp = info.get("xmp", b"")
    words = getattr(image, "text", {}).items()
    texts = {key: str(value) for key, value in words if "xmp" not in key.lower()}
    if xmp:
        texts["XML:com.adobe.xmp"] = xmp.decode(errors="replace") if isinstance(xmp, bytes) else xmp
    if texts:
        options["pnginfo"] = written = PngImagePlugin.PngInfo()
        for key, value in texts.items():
            written.add_itxt(key, value)
    return options


def _exif(image: Image.Image) -> bytes:
    with contextlib.suppress(Exception):  # a damaged EXIF block
        old, new = image.getexif(), Image.Exif()
        for tag, value in old.items():
            layout = tag == 270 and str(value).lstrip().startswith(_LAYOUTS)
            if tag in _EXIF_TAGS and not layout:
                new[tag] = value
        for group in _GROUPS:
            if kept := {k: v for k, v in old.get_ifd(group).items() if k not in _OF_PIXELS}:
                new[group] = kept
        return new.tobytes() if len(new) else b""
    return b""
