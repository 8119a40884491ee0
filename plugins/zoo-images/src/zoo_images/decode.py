"""From any picture file to RGB, or to an error that names the file, the fault and the remedy."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo_core.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
"""Suffixes, in lower case, of the files that count as pictures."""

MAX_PIXELS = 200_000_000
"""Largest picture that is decoded; beyond it a file is taken for a decompression bomb."""

_PILLOW_LIMIT = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        image: RGB, upright, without transparency.
        format: Format of the file, such as ``PNG``.
        mode: Pillow's mode of the file, such as ``RGBA`` or ``I;16``.
    """

    image: Image.Image
    format: str
    mode: str


def decode(source: Path | bytes, *, name: str | None = None) -> Picture:
    """Decodes a picture: upright by its EXIF tag, alpha on white, first frame, 8 bits, RGB.

    16-bit grey is scaled to 8 bits; colour profiles are not applied.

    Args:
        source: A file, or the bytes of one.
        name: What to call it in errors; the path by default.

    Raises:
        DataError: If there is no such file, or it cannot be decoded in full.
    """
    asked = name or (str(source) if isinstance(source, Path) else "picture in memory")
    data = _contents(source, asked) if isinstance(source, Path) else source
    if not data:
        raise DataError("the file is empty (0 bytes)", asked=asked, hint="Fetch or save it again.")
    image = _open(data, asked)
    if image.width * image.height > MAX_PIXELS:
        raise DataError(
            f"it has {image.width}×{image.height} pixels, more than {MAX_PIXELS // 10**6} million: "
            "this may be a decompression bomb",
            asked=asked,
            hint="Scale it down with an image editor first.",
        )
    try:
        image.load()
        mode = image.mode
        _turn_upright(image)
        return Picture(to_rgb(image, name=asked), image.format or "unknown", mode)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError("there is not enough memory to decode it", asked=asked) from error
    except Exception as error:  # Pillow raises many kinds for damaged data
        raise DataError(
            f"the {image.format} data is damaged or truncated ({error})",
            asked=asked,
            hint="Fetch or save it again, or remove it.",
        ) from error


def to_rgb(image: Image.Image, *, name: str = "picture") -> Image.Image:
    """Any Pillow picture as RGB: alpha on white, deep grey scaled to 8 bits.

    Raises:
        DataError: If floating-point values are not finite.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _deep_to_rgb(np.asarray(image), image.mode, name)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        if image.mode == "La":  # Pillow converts premultiplied grey only to LA
            image = image.convert("LA")
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _contents(path: Path, asked: str) -> bytes:
    try:
        if path.is_dir():
            raise DataError(
                "it is a folder, not a picture", asked=asked, hint="Name a file inside it."
            )
        if path.exists() and not path.is_file():
            raise DataError("it is not a regular file", asked=asked, hint="Name a picture file.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            "there is no such file", asked=asked, hint="Check the path and its spelling."
        ) from error
    except PermissionError as error:
        raise DataError(
            "it may not be read", asked=asked, hint="Change the file's permissions."
        ) from error
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if getattr(error, "errno", None) else str(error)  # type: ignore[union-attr,arg-type]
        raise DataError(f"it cannot be read ({reason})", asked=asked) from error


def _open(data: bytes, asked: str) -> Image.Image:
    try:
        # Pillow's own bound is a warning to stderr; ours, checked by the caller before any pixel
        # is decoded, is an error. Opening reads the header only, so the lock is held briefly.
        with _PILLOW_LIMIT:
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                return Image.open(io.BytesIO(data))
            finally:
                Image.MAX_IMAGE_PIXELS = before
    except UnidentifiedImageError as error:
        what = "it holds text, not a picture" if _is_text(data) else "it is in no known format"
        raise DataError(
            what,
            asked=asked,
            hint="Give a PNG, JPEG, WebP, BMP, GIF, TIFF or PPM file.",
        ) from error
    except Exception as error:
        raise DataError(
            f"its header is damaged ({error})",
            asked=asked,
            hint="Fetch or save it again, or remove it.",
        ) from error


def _is_text(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()  # a character cut at the end is no fault
    try:
        text = decoder.decode(data[:512])
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in text)


def _turn_upright(image: Image.Image) -> None:
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        ImageOps.exif_transpose(image, in_place=True)


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _deep_to_rgb(values: np.ndarray, mode: str, name: str) -> Image.Image:
    """Grey of more than 8 bits: (H, W) integers or floats to RGB."""
    grey = values.astype(np.float32)
    if not np.isfinite(grey).all():
        raise DataError("it holds values that are not finite numbers", asked=name)
    low, high = float(np.min(grey)), float(np.max(grey))
    if mode.startswith("F"):
        known = 1.0 if low >= 0 and high <= 1 else 255.0 if low >= 0 and high <= 255 else None
    else:  # 16-bit PNGs come as I;16 or I, by Pillow's version
        known = 65535.0 if low >= 0 and high <= 65535 else None
    if known is not None:
        grey *= 255.0 / known
    else:  # nothing says what white is: stretch
        grey = (grey - low) * (255.0 / max(high - low, 1e-12))
    return Image.fromarray(np.round(grey).astype(np.uint8)).convert("RGB")
