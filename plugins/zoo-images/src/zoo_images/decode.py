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
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from zoo_core.errors import DataError

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jp2", ".webp", ".avif", ".bmp", ".gif",
    ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
"""Suffixes, in lower case, of the files that count as pictures."""

FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""Pillow's decoders that are used, whatever a file is called: none of them starts a program."""

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
        alpha: Its transparency, mode ``L``; None where it is opaque.
        notes: What was not used, or is doubtful, in plain words.
    """

    image: Image.Image
    format: str
    mode: str
    alpha: Image.Image | None = None
    notes: tuple[str, ...] = ()


def decode(source: Path | bytes, *, name: str | None = None) -> Picture:
    """Decodes a picture: upright by its EXIF tag, first frame, 8 bits, sRGB.

    Transparency is composited on white and kept beside. Colour profiles are converted to sRGB.
    Grey of 16 bits is scaled to 8. What is left out or doubtful is in the notes.

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
        frames = getattr(image, "n_frames", 1)
        image.load()
        mode, form = image.mode, image.format or "unknown"
        notes = [*_not_used(image, frames), *_doubtful(image)]
        _turn_upright(image)
        image, converted = _to_srgb(image)
        notes += converted
        return Picture(to_rgb(image, name=asked), form, mode, alpha_of(image), tuple(notes))
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
                return Image.open(io.BytesIO(data), formats=FORMATS)
            finally:
                Image.MAX_IMAGE_PIXELS = before
    except UnidentifiedImageError as error:
        what = "it holds text, not a picture" if _is_text(data) else "it is in no known format"
        raise DataError(
            what,
            asked=asked,
            hint=_HEIC if _is_heic(data) else "Give a PNG, JPEG, WebP, AVIF, GIF or TIFF file.",
        ) from error
    except Exception as error:
        raise DataError(
            f"its header is damaged ({error})",
            asked=asked,
            hint="Fetch or save it again, or remove it.",
        ) from error


def recognises(path: Path) -> bool:
    """Whether a file begins as one of `FORMATS` does, whatever its suffix."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
        if _is_heic(head):
            return False
        with Image.open(io.BytesIO(head), formats=FORMATS):
            return True
    except Exception:  # Pillow raises many kinds for damaged headers
        return False


_HEIC = "HEIC pictures need the package pillow-heif, or convert them to JPEG."


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1")


def _not_used(image: Image.Image, frames: int) -> list[str]:
    """What of a file is not in its first frame, or in none of the three colours."""
    notes = []
    if frames > 1:
        what = "pages" if image.format == "TIFF" else "frames"
        notes.append(f"{frames} {what}, of which only the first is used")
    if image.mode == "RGBX" or (image.format == "TIFF" and _extra_samples(image)):
        notes.append("a band beyond red, green and blue is not used")
    return notes


def _extra_samples(image: Image.Image) -> bool:
    """Whether a TIFF of three colours says that it has further samples, which are no alpha."""
    tags = getattr(image, "tag_v2", {})
    samples, extra = int(tags.get(277, 1)), tags.get(338, ())
    return samples > 3 and image.mode in ("RGB", "RGBX") and 2 not in tuple(extra)


def _doubtful(image: Image.Image) -> list[str]:
    """What is doubtful about values of more than 8 bits, of which nothing says what white is."""
    if not image.mode.startswith(("I", "F")):
        return []
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if _white(image.mode, low, high) is None:
        return [
            f"values {low:g} to {high:g} are stretched to black and white for this picture alone, "
            "so equal values of other pictures look different"
        ]
    if image.mode.startswith("I") and high <= 65535 / 8:
        return [
            f"values {low:,.0f} to {high:,.0f} of 65,535 are used: it is nearly black in 8 bits"
        ]
    return []


def _to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
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


def _white(mode: str, low: float, high: float) -> float | None:
    """The value of white in a picture of more than 8 bits; None where nothing tells it."""
    if mode.startswith("F"):
        return 1.0 if low >= 0 and high <= 1 else 255.0 if low >= 0 and high <= 255 else None
    return 65535.0 if low >= 0 and high <= 65535 else None  # 16-bit PNGs come as I;16 or I


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
    known = _white(mode, low, high)
    if known is not None:
        grey *= 255.0 / known
    else:  # nothing says what white is: stretch
        grey = (grey - low) * (255.0 / max(high - low, 1e-12))
    return Image.fromarray(np.round(grey).astype(np.uint8)).convert("RGB")
