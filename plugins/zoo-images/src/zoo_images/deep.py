"""Pictures of more than 8 bits, of more bands than three, and TIFFs that Pillow cannot read."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.bands import UPRIGHT, Bands, split
from zoo_images.gaps import Gaps
from zoo_images.metadata import DESCRIPTION, TIFF_TAGS, describes_layout
from zoo_images.opening import bits_of
from zoo_images.preprocessing import Array
from zoo_images.transparency import Opacity, Transparency
from zoo_images.values import range_of_input

GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
"""TIFF tags that say where on Earth a picture lies, and which value means "no data"."""
KEPT_TAGS = GEO_TAGS + TIFF_TAGS
NO_DATA = 42113
"""GDAL's tag of the value that means "no data"."""
_PREMULTIPLIED = 1
_PALETTE = 3
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF or BigTIFF does."""
    return head[:4] in _TIFF


def may_be_deep(path: Path) -> bool:
    """Whether a file can hold values of more than 8 bits, by its first bytes only."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 14)
    except OSError:
        return False
    return is_tiff(head) or bits_of(head) > 8


def read_bands(image: Image.Image | None, data: bytes, page: int, asked: str) -> Bands | None:
    """Values of more than 8 bits, or of more than three bands; None for any other picture.

    Args:
        image: As Pillow opened it; None for a TIFF that it does not know.
        data: The file.
        page: Number of the page of a TIFF.
        asked: What it is called in errors.

    Raises:
        DataError: If the values are none that can be read.
    """
    if image is None or image.format == "TIFF":
        return _tiff(image, data, page, asked)
    from zoo_images import deep_files

    return deep_files.read(image, data, page, asked)


def from_image(image: Image.Image) -> Array:
    """The values (H, W) of a Pillow image of more than 8 bits."""
    values = np.asarray(image)
    # Pillow's own 32-bit integers stand for 16 bits wherever they fit.
    fits = values.dtype.kind in "iu" and values.size and 0 <= values.min() <= values.max() <= 65535
    return values.astype(np.uint16) if fits else values


def to_rgb(
    values: np.ndarray,
    name: str,
    gaps: Gaps | None = None,
    transparency: Transparency | None = None,
) -> Image.Image:
    """(H, W) or (H, W, 3) of more than 8 bits in 8 bits, by the convention of their type."""
    span, _ = range_of_input(values, {}, None, name, gaps)
    unit = span.to_unit(values, gaps)
    if transparency is not None:
        unit = transparency.over_ground(unit)
    signal = unit.mul(255).round_().byte()  # (C, H, W)
    return Image.fromarray(signal.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())


def _tiff(image: Image.Image | None, data: bytes, page: int, asked: str) -> Bands | None:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            found = file.pages[page]
            kind, samples = found.dtype, int(found.samplesperpixel)
            further = [int(e) for e in found.extrasamples]
            alpha = samples in (2, 4) and bool({1, 2} & set(further))
            plain = kind == np.uint8 and (samples in (1, 3) or alpha)
            if image is not None and (plain or kind is None or kind == np.bool_ or _cmyk(found)):
                return None
            shallow = found.bitspersample <= 8 and samples == 1 and kind.kind != "i"
            if image is not None and shallow:
                return None
            if _cmyk(found):
                raise DataError(
                    f"it is a TIFF of {samples} bands in CMYK, YCbCr or Lab, which is not read",
                    asked=asked,
                    hint="Save it as RGB.",
                )
            if int(found.imagedepth) > 1:
                raise DataError(
                    f"a page of it is a volume of {found.imagedepth} slices",
                    asked=asked,
                    hint="Save each slice as a page of its own.",
                )
            pixels = found.asarray()
            if int(found.planarconfig) == 2 and pixels.ndim == 3:
                pixels = np.moveaxis(pixels, 0, -1)
            tag = found.tags.get(274)
            turned = UPRIGHT.get(int(tag.value) if tag else 1, lambda a: a)(pixels)
            if int(found.photometric) == _PALETTE and found.colormap is not None:
                turned = found.colormap.T[turned]  # (H, W, 3)
            inverted = int(found.photometric) == 0
            profile = bytes(found.iccprofile or b"")
    except DataError:
        raise
    except Exception as error:  # tifffile raises many kinds for damaged data
        if image is not None and image.mode in ("I;16", "I;16B", "I", "F"):
            return Bands(np.asarray(image))
        if image is not None:
            return None  # Pillow reads it, or says what is wrong
        raise DataError(
            f"it is a TIFF that cannot be read ({error})",
            asked=asked,
            hint="Save it again in another way, without compression.",
        ) from error
    if turned.dtype.kind not in "iuf" or turned.ndim not in (2, 3):
        raise DataError(
            f"it is a TIFF of shape {turned.shape}, {turned.dtype}, which is no picture",
            asked=asked,
        )
    if inverted and turned.dtype.kind == "u":
        turned = np.iinfo(turned.dtype).max - turned
    if turned.ndim == 2:
        return Bands(np.ascontiguousarray(turned), profile=profile)
    bands = split(turned, alpha=alpha, profile=profile, asked=asked)
    if bands.opacity is not None and further == [_PREMULTIPLIED]:
        bands = replace(bands, values=_divided(bands.values, bands.opacity))
    if bands.extra is None:
        return bands
    colours = samples - bands.extra.shape[-1]
    first = "first three are" if colours == 3 else "first is"
    rest = bands.extra.shape[-1]
    others = "the other is" if rest == 1 else f"the other {rest} are"
    note = f"a TIFF of {samples} bands: the {first} translated, {others} copied unchanged"
    return replace(bands, notes=(note,))


def _divided(values: Array, opacity: Opacity) -> Array:
    """Colours that were multiplied by their opacity as they were before."""
    share = opacity if values.ndim == 2 else opacity[..., None]
    plain = np.divide(values, share, out=np.zeros(values.shape, np.float64), where=share > 0)
    if values.dtype.kind in "iu":
        plain = np.clip(np.round(plain), 0, np.iinfo(values.dtype).max)
    return plain.astype(values.dtype)


def mask_of(data: bytes, page: int) -> Opacity:
    """(H, W) the opacity that a page of a TIFF holds which is the mask of another one."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return (file.pages[page].asarray() != 0).astype(np.float32)


def bits_not_used_of(data: bytes, page: int) -> tuple[str, ...]:
    """What of a TIFF's page that Pillow reads is more than the 8 bits that it gives, in words."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        bits = int(file.pages[page].bitspersample)
    return (f"{bits} bits per value, of which 8 are used",) if bits > 8 else ()


def _cmyk(page: Any) -> bool:
    return int(page.photometric) in (5, 6, 8)  # separated, YCbCr, CIE L*a*b*: Pillow's


def kept_tags(image: Image.Image | None, data: bytes, page: int) -> dict[int, tuple[int, Any]]:
    """(type, value) by tag of the tags that are carried over to a TIFF output."""
    if image is not None:
        tags = getattr(image, "tag_v2", {})
        return _kept({tag: (tags.tagtype[tag], tags[tag]) for tag in KEPT_TAGS if tag in tags})
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return tags_of_page(file.pages[page])


def tags_of_page(page: Any) -> dict[int, tuple[int, Any]]:
    """(type, value) by tag of the tags of a page of tifffile's that are carried over."""
    found = page.tags
    return _kept({t: (int(found[t].dtype), found[t].value) for t in KEPT_TAGS if t in found})


def _kept(tags: dict[int, tuple[int, Any]]) -> dict[int, tuple[int, Any]]:
    if DESCRIPTION in tags and describes_layout(tags[DESCRIPTION][1]):
        del tags[DESCRIPTION]
    return tags
