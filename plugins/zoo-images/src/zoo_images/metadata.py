"""What a picture's file says beside its pixels, and what of it an output's format can hold."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

DESCRIPTION = 270
_XMP, _IPTC = 700, 33723
TIFF_TAGS = (DESCRIPTION, 271, 272, 305, 306, 315, _XMP, 33432, _IPTC)
"""TIFF tags that describe a picture: who, when, with what, under which licence."""
_EXIF, _GPS = 0x8769, 0x8825
_OF_PIXELS = (0xA001, 0xA002, 0xA003, 0xA005, 0x927C)  # colour space, size, offsets: now untrue
_EXIF_DAMAGED = "a damaged EXIF block, which was not used in full"
_EXIF_SIZES = dict(zip(range(1, 13), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8), strict=True))
_PHOTOSHOP = 0x0404  # the part of a JPEG's Photoshop block that is IPTC
_SEGMENT = 65_000  # bytes that a JPEG holds of each
_NAMES = {"exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "text": "texts", "comment": "a comment"}
LAYOUT_OF_STACKS = ("ImageJ=", '{"shape"')
"""How descriptions begin by which a TIFF may hold more pictures than pages."""
_LAYOUTS = (*LAYOUT_OF_STACKS, "<OME", "<?xml")  # they describe how the file is laid out


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
        iptc: Captions, keywords and credits as news agencies write them, of a JPEG.
        icc: Profile of the output's colours, where the input had one: sRGB's.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    comment: bytes = b""
    text: dict[str, str] = field(default_factory=dict)
    icc: bytes = b""
    iptc: bytes = b""

    @classmethod
    def of(cls, image: Image.Image) -> Metadata | None:
        """What a Pillow image that was loaded says; None where it says nothing."""
        info = image.info
        xmp, comment, dpi = info.get("xmp", b""), info.get("comment", b""), info.get("dpi")
        found = cls(
            _exif_of(image),
            xmp if isinstance(xmp, bytes) else str(xmp).encode(),
            (float(dpi[0]), float(dpi[1])) if _is_resolution(dpi) else None,
            comment if isinstance(comment, bytes) else str(comment).encode(),
            {k: str(v) for k, v in getattr(image, "text", {}).items() if "xmp" not in k.lower()},
            srgb() if info.get("icc_profile") else b"",
            info.get("photoshop", {}).get(_PHOTOSHOP, b""),
        )
        return None if found == cls() else found

    def options(self, form: str) -> dict[str, Any]:
        """How Pillow is told to write it in a format, as far as that holds it."""
        options = self._held(form)
        text, iptc = options.pop("text", {}), options.pop("iptc", b"")
        if form == "JPEG" and iptc:
            options["extra"] = _app13(iptc)
        if form == "TIFF" and (self.xmp or iptc):
            tags = Image.Exif()
            tags.load(self.exif)
            for tag, value in ((_XMP, options.pop("xmp", b"")), (_IPTC, iptc)):
                if value:
                    tags[tag] = value
            options["tiffinfo"] = tags
        if form == "PNG" and (text or self.comment or self.xmp):
            texts = PngImagePlugin.PngInfo()
            if self.comment:
                text = {"Comment": options.pop("comment").decode(errors="replace"), **text}
            for key, value in text.items():
                texts.add_itxt(key, value)
            if self.xmp:
                texts.add_itxt("XML:com.adobe.xmp", self.xmp.decode(errors="replace"))
            options["pnginfo"] = texts
        return options

    def lost(self, form: str, *, by_tags: bool = False) -> tuple[str, ...]:
        """What a file of a format does not hold of it, in plain words.

        Args:
            form: The format, as Pillow names it.
            by_tags: Whether a TIFF holds an input's tags alone, and there are none.
        """
        held = {} if by_tags and form == "TIFF" else self._held(form)
        names = [word for name, word in _NAMES.items() if getattr(self, name) and name not in held]
        return (f"{', '.join(names)}, which the {form} does not hold",) if names else ()

    def _held(self, form: str) -> dict[str, Any]:
        """What there is for a format to hold, by Pillow's names."""
        every = {
            "icc_profile": self.icc,
            "exif": self.exif,
            "dpi": self.dpi,
            "xmp": self.xmp,
            "iptc": self.iptc,
            "text": self.text,
            "comment": self.comment,
        }
        most = _SEGMENT if form == "JPEG" else sys.maxsize
        long = {name for name in _NAMES if len(every[name]) > most}
        return {n: every[n] for n in _HELD.get(form, ()) if every[n] and n not in long}

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
    "PNG": ("icc_profile", "exif", "dpi", "xmp", "text", "comment"),
    "JPEG": ("icc_profile", "exif", "dpi", "xmp", "iptc", "comment"),
    "WEBP": ("icc_profile", "exif", "xmp"),
    "TIFF": ("icc_profile", "exif", "dpi", "xmp", "iptc"),
    "GIF": ("comment",),
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


def doubts(image: Image.Image) -> tuple[str, ...]:
    """What of a file's words is damaged."""
    return (_EXIF_DAMAGED,) if exif_is_damaged(image.info.get("exif")) else ()


def exif_is_damaged(block: object) -> bool:
    """Whether a file's EXIF block is there and ends before what it lists.

    zoo-run, which stands alone, has the same; a test holds the two together.
    """
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


def _app13(iptc: bytes) -> bytes:
    """The segment of a JPEG that holds IPTC, in a Photoshop block."""
    part = b"8BIM" + struct.pack(">HHI", _PHOTOSHOP, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    block = b"Photoshop 3.0\0" + part
    return b"\xff\xed" + struct.pack(">H", len(block) + 2) + block


def _exif_of(image: Image.Image) -> bytes:
    with contextlib.suppress(Exception):  # a damaged EXIF block says nothing about the pixels
        old, new = image.getexif(), Image.Exif()
        for tag, value in old.items():
            layout = tag == DESCRIPTION and describes_layout(value)
            if tag in TIFF_TAGS and tag != _XMP and not layout:
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
