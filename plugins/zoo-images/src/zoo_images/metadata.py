"""What a picture's file says beside its pixels, and what of it an output's format can hold."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

DESCRIPTION = 270
TIFF_TAGS = (DESCRIPTION, 271, 272, 305, 306, 315, 700, 33432, 33723)
"""TIFF tags that describe a picture: who, when, with what, under which licence."""
_EXIF, _GPS = 0x8769, 0x8825
_OF_PIXELS = (0xA001, 0xA002, 0xA003, 0xA005, 0x927C)  # colour space, size, offsets: now untrue
_LAYOUTS = ("ImageJ=", '{"shape"', "<OME", "<?xml")  # they describe how the file is laid out


@dataclass(frozen=True)
class Metadata:
    """What a file says of a picture.

    Attributes:
        exif: EXIF block without what is no longer true of an output: the orientation, since the
            picture was turned upright, its size, its thumbnail and its colour space.
        xmp: XMP packet.
        dpi: Pixels per inch, across and down.
        comment: Comment of a JPEG or GIF.
        text: Texts of a PNG by their keys.
        icc: Profile of the output's colours, where the input had one: sRGB's.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    text: dict[str, str] = field(default_factory=dict)
    icc: bytes = b""

    @classmethod
    def of(cls, image: Image.Image) -> Metadata | None:
        """What a Pillow image that was loaded says; None where it says nothing."""
        info = image.info
        xmp, comment, dpi = info.get("xmp", b""), info.get("comment", b""), info.get("dpi")
        found = cls(
            _exif_of(image),
            xmp if isinstance(xmp, bytes) else str(xmp).encode(),
            dpi if _is_resolution(dpi) else None,
            comment if isinstance(comment, bytes) else str(comment).encode(),
            {k: str(v) for k, v in getattr(image, "text", {}).items() if "xmp" not in k.lower()},
            srgb() if info.get("icc_profile") else b"",
        )
        return None if found == cls() else found

    def options(self, form: str) -> dict[str, Any]:
        """How Pillow is told to write it in a format, as far as that holds it."""
        every = {"icc_profile": self.icc, "exif": self.exif, "dpi": self.dpi, "xmp": self.xmp}
        held = _HELD.get(form, ())
        options = {name: every[name] for name in held if every.get(name)}
        if form == "TIFF" and self.xmp:
            tags = Image.Exif()
            tags.load(self.exif)
            tags[700] = self.xmp
            options["tiffinfo"] = tags
        if form in ("JPEG", "GIF") and self.comment:
            options["comment"] = self.comment
        if form == "PNG" and (self.text or self.xmp):
            texts = PngImagePlugin.PngInfo()
            for key, value in self.text.items():
                texts.add_itxt(key, value)
            if self.xmp:
                texts.add_itxt("XML:com.adobe.xmp", self.xmp.decode(errors="replace"))
            options["pnginfo"] = texts
        return options

    def in_png(self, data: bytes) -> bytes:
        """The bytes of a PNG that another library made, with what Pillow would have written."""
        written = io.BytesIO()
        Image.new("L", (1, 1)).save(written, "PNG", **self.options("PNG"))
        chunks = [c for c in _chunks(written.getvalue()) if c[4:8] not in _PIXEL_CHUNKS]
        header = len(_SIGNATURE) + 25  # the chunk IHDR comes first
        return data[:header] + b"".join(chunks) + data[header:]


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"IDAT", b"IEND")
_HELD = {
    "PNG": ("icc_profile", "exif", "dpi"),
    "JPEG": ("icc_profile", "exif", "dpi", "xmp"),
    "WEBP": ("icc_profile", "exif", "xmp"),
    "TIFF": ("icc_profile", "exif", "dpi"),
}


def _chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a PNG, whole."""
    at = len(_SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4]) + 12
        yield data[at : at + length]
        at += length


def srgb() -> bytes:
    """The profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def is_of_stack(description: Any) -> bool:
    """Whether a TIFF's description is ImageJ's or OME's, with the axes and units of a stack."""
    return describes_layout(description) and not str(description).startswith("{")


def describes_layout(description: Any) -> bool:
    """Whether a TIFF's description says how its pixels are laid out, which an output changes."""
    return str(description).lstrip().startswith(_LAYOUTS)


def _exif_of(image: Image.Image) -> bytes:
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        old, new = image.getexif(), Image.Exif()
        for tag, value in old.items():
            layout = tag == DESCRIPTION and describes_layout(value)
            if tag in TIFF_TAGS and tag != 700 and not layout:
                new[tag] = value
        for group in (_EXIF, _GPS):
            kept = {k: v for k, v in old.get_ifd(group).items() if k not in _OF_PIXELS}
            if kept:
                new[group] = kept
        return new.tobytes() if len(new) else b""
    return b""


def _is_resolution(dpi: Any) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        return len(dpi) == 2 and all(0 < float(value) < 1e6 for value in dpi)
    return False
