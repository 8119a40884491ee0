"""Values of more than 8 bits of files that are no TIFFs: PNG, JPEG 2000, AVIF, HEIC, PGM, PPM."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.bands import UPRIGHT, Bands, split
from zoo_images.opening import PNM, bits_of
from zoo_images.preprocessing import Array

_ORIENTATION = 274


def read(image: Image.Image, data: bytes, page: int, asked: str) -> Bands | None:
    """The values as the file has them, upright; None where it has 8 bits.

    Those of AVIF and HEIC, which are photos of 10 or 12 bits, are scaled to 16.

    Args:
        image: As Pillow opened it.
        data: The file.
        page: Number of the frame.
        asked: What it is called in errors.

    Raises:
        DataError: If it is damaged.
    """
    if image.format == "HEIF":
        return _heic(data) if image.info.get("bit_depth", 8) > 8 else None
    bits = bits_of(data)
    if bits <= 8 or image.mode == "YCbCr":
        return Bands(np.array(image)) if image.mode == "F" else None  # a PFM
    if image.format == "PPM":
        return Bands(_pnm(data))
    decoder = _DECODERS.get(image.format or "")
    if decoder is None:
        return None
    grey = image.format == "PNG" and image.mode.startswith("I") and "transparency" not in image.info
    try:
        pixels = np.asarray(image).astype(np.uint16) if grey else decoder(data, page)
    except Exception as error:  # imagecodecs raises many kinds for damaged data
        raise DataError(
            f"the {image.format} data is damaged or truncated ({error})",
            asked=asked,
            hint="Fetch or save it again, or remove it.",
        ) from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels  # (H, W, C)
    if image.format == "AVIF":
        pixels = np.round(pixels * (65535 / (2**bits - 1))).astype(np.uint16)
    # The transparent colour of a PNG becomes a channel, of which Pillow's mode does not tell.
    alpha = pixels.shape[-1] in (2, 4) and (image.format == "PNG" or image.mode in ("LA", "RGBA"))
    turned = UPRIGHT.get(image.getexif().get(_ORIENTATION, 1), _same)(pixels)
    return split(turned, alpha=alpha or pixels.shape[-1] == 4, profile=_profile_of(image))


def _png(data: bytes, page: int) -> Array:
    import imagecodecs  # Pillow has no colour of 16 bits

    return imagecodecs.png_decode(data)  # (H, W[, C])


def _jpeg2000(data: bytes, page: int) -> Array:
    import imagecodecs  # Pillow gives 8 bits of colour, and scales grey

    return imagecodecs.jpeg2k_decode(data)  # (H, W[, C])


def _avif(data: bytes, page: int) -> Array:
    import imagecodecs  # Pillow gives 8 bits

    # Without an index, by which imagecodecs 2026.3.6 writes beyond its memory where there are
    # several frames, which ends the process.
    return imagecodecs.avif_decode(data)  # (H, W[, C])


_DECODERS: dict[str, Callable[[bytes, int], Array]] = {
    "PNG": _png,
    "JPEG2000": _jpeg2000,
    "AVIF": _avif,
}


def _pnm(data: bytes) -> Array:
    """(H, W) or (H, W, 3) of a PGM or PPM, as numbers or as bytes."""
    found = PNM.match(data)
    assert found is not None  # (it has more than 8 bits)
    kind, width, height = int(found[1]), int(found[2]), int(found[3])
    shape = (height, width, 3) if kind in (3, 6) else (height, width)
    count, rest = int(np.prod(shape)), data[found.end() :]
    if kind in (2, 3):
        return np.array(rest.split()[:count], np.uint16).reshape(shape)
    return np.frombuffer(rest, ">u2", count).reshape(shape).astype(np.uint16)


def _heic(data: bytes) -> Bands:
    """Values of 10 or 12 bits, which libheif scales to 16 and turns upright."""
    from pillow_heif import open_heif

    image = open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    pixels = np.array(image)  # a copy: some versions free what they lend together with the image
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    profile = image.info.get("icc_profile") or b""
    return split(pixels, alpha=pixels.shape[-1] in (2, 4), profile=profile)


def _profile_of(image: Image.Image) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _same(pixels: Any) -> Any:
    return pixels
