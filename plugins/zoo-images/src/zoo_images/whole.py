"""What a file that its decoder is content with has lost, or holds beside what is decoded."""

from __future__ import annotations

import io
import struct
from typing import Any

from PIL import Image

from zoo_images.metadata import DESCRIPTION, LAYOUT_OF_STACKS
from zoo_images.opening import PNM

_PLANES_OF_METAMORPH = 33629
_PACKED = ("WEBP", "AVIF", "HEIF")  # formats whose last bytes are packed pixels, never all zero
_ZEROS = bytes(512)
_FILLED = "zeros at its end, as of a file that was not fetched in full: its pixels may be wrong"
_NO_END = "its end missing, so that later frames may be, too"
_CUT = "a further page announced beyond the end of the file, which seems to be cut off"


def doubts(image: Image.Image | None, data: bytes) -> tuple[str, ...]:
    """What is missing at the end of a file, or is behind the picture, in plain words.

    Args:
        image: As Pillow opened it; None for a TIFF that it does not know.
        data: The file.
    """
    form = "TIFF" if image is None else image.format
    if form in _PACKED and data.endswith(_ZEROS):
        return (_FILLED,)
    if form == "TIFF":
        found = (_CUT,) if _ends_too_early(data) else ()
        unlisted = 0 if image is None else _unlisted(image, data)
        more = f"{unlisted} further pictures that its list of pages leaves out, which are not used"
        return (*found, more) if unlisted else found
    if form == "GIF":
        from zoo_images import gif

        return () if gif.is_ended(data) else (_NO_END,)
    if form == "PPM" and _is_followed(data):
        return ("a further picture in it, which is left out",)
    return ()


def _ends_too_early(data: bytes) -> bool:
    """Whether the list of a TIFF's pages leads beyond the end of the file."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    count_form, offset_form, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset_form, data, 8 if big else 4)
        while at and at not in seen:
            seen.add(at)
            (count,) = struct.unpack_from(order + count_form, data, at)
            at += struct.calcsize(order + count_form) + count * entry
            (at,) = struct.unpack_from(order + offset_form, data, at)
    except (struct.error, OverflowError):
        return True
    return False


def _unlisted(image: Image.Image, data: bytes) -> int:
    """How many pictures lie behind the first page of a TIFF without a page of their own."""
    tags: Any = getattr(image, "tag_v2", {})
    stacked = str(tags.get(DESCRIPTION, "")).lstrip().startswith(LAYOUT_OF_STACKS)
    if not stacked and _PLANES_OF_METAMORPH not in tags:
        return 0
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            whole = sum(series.size for series in file.series)
            return int(max(0, whole // file.pages[0].size - len(file.pages)))
    except Exception:  # decoding it says what is damaged
        return 0


def _is_followed(data: bytes) -> bool:
    """Whether another picture comes after one of a binary PGM or PPM."""
    found = PNM.match(data)
    if found is None or int(found[1]) not in (5, 6):
        return False
    kind, width, height, most = (int(found[group]) for group in range(1, 5))
    size = width * height * (3 if kind == 6 else 1) * (2 if most > 255 else 1)
    return data[found.end() + size :][:64].lstrip()[:1] == b"P"
