"""Opens picture files: bytes, header by Pillow, whether they are pictures at all, how deep."""

from __future__ import annotations

import codecs
import io
import logging
import os
import re
import threading
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from zoo_core.errors import DataError

FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "AVIF", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""Pillow's decoders that are used, whatever a file is called: none of them starts a program."""

_HEIC = "Install it: pip install pillow-heif; or convert them to JPEG."
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_RAW = (".dng", ".cr2", ".nef", ".nrw", ".arw", ".sr2", ".pef", ".srw", ".erf", ".3fr", ".iiq")
_DNG = 50706
_COMPRESSION, _WEBP = 259, 50001  # which Pillow knows in a TIFF, and mostly cannot decode
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b")
_VIDEOS = (b"\x00\x00\x01\xba", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"OggS")
_GAP = rb"(?:\s|#[^\n]*\n)+"
PNM = re.compile(rb"P([2356])" + 2 * (_GAP + rb"(\d{1,9})") + _GAP + rb"(\d{1,5})\s")
"""Header of a PGM or PPM: its kind, width, height and largest value."""
_AV1_DEEP, _AV1_12 = 0x40, 0x20  # flags of more than 8 bits, and of 12, in an AVIF's header
_HEAD = 1 << 14  # bytes within which headers lie
_PILLOW_LIMIT = threading.Lock()
# What the library says of damaged files is text of strangers; our errors name these files.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)
# Pillow says this of damaged EXIF blocks without naming the file; the notes of the file say it.
warnings.filterwarnings("ignore", "Corrupt EXIF data|Truncated File Read", UserWarning)


def contents(path: Path, asked: str, limit: int) -> bytes:
    """The bytes of a file.

    Raises:
        DataError: If it is none that can be read, or has more than ``limit`` bytes.
    """
    try:
        if path.is_dir():
            raise DataError(
                "it is a folder, not a picture", asked=asked, hint="Name a file inside it."
            )
        if path.exists() and not path.is_file():
            raise DataError("it is not a regular file", asked=asked, hint="Name a picture file.")
        size = path.stat().st_size
        if size > limit:
            raise DataError(
                f"the file has {size / 1e6:,.0f} MB, more than {limit / 1e6:,.0f} MB",
                asked=asked,
                hint="If it is a picture, allow it: --largest MEGAPIXELS.",
            )
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


def open_header(data: bytes, asked: str) -> Image.Image | None:
    """The picture as Pillow opens it; None for a TIFF that it does not know."""
    try:
        # Pillow's own bound is a warning to stderr; ours, checked by the caller before any pixel
        # is decoded, is an error. Opening reads the header only, so the lock is held briefly.
        with _PILLOW_LIMIT:
            before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = Image.open(io.BytesIO(data), formats=FORMATS)
            finally:
                Image.MAX_IMAGE_PIXELS = before
        _refuse_raw(image, asked)
        webp = image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_COMPRESSION) == _WEBP
        return None if webp else image
    except DataError:
        raise
    except UnidentifiedImageError as error:
        if data[:4] in _TIFF:
            _refuse_raw(None, asked)
            return None
        if _is_heic(data):
            return _open_heic(data, asked)
        what, hint = _instead(data)
        from zoo_core.finding import brought_by  # pictures that open need none of it

        package = brought_by(Path(asked), "picture")
        if package:
            what, hint = f"{package}, which reads it, is not installed", f"pip install {package}"
        raise DataError(what, asked=asked, hint=hint) from error
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
            _open_heic(head, str(path)).close()
            return True
        with Image.open(io.BytesIO(head), formats=FORMATS) as image:
            _refuse_raw(image, str(path))
            return True
    except Exception:  # Pillow raises many kinds for damaged headers
        return False


def _refuse_raw(image: Image.Image | None, asked: str) -> None:
    """Refuses what a camera's sensor saw: such TIFFs begin with a small preview.

    Raises:
        DataError: If it is a raw file.
    """
    tiff = image is None or image.format == "TIFF"
    dng = _DNG in getattr(image, "tag_v2", {})
    if tiff and (dng or Path(asked).suffix.lower() in _RAW):
        raise DataError(
            "it is a camera's raw file, of which only a small preview is a picture",
            asked=asked,
            hint="Develop it into a TIFF of 16 bits, or a JPEG, with a raw converter.",
        )


def is_animated(path: Path) -> bool:
    """Whether a file holds more than one frame."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            return getattr(image, "n_frames", 1) > 1
    except Exception:  # reading it says what is wrong
        return False


def _open_heic(data: bytes, asked: str) -> Image.Image:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise DataError(
            "HEIC pictures need the package pillow-heif", asked=asked, hint=_HEIC
        ) from error
    try:
        return HeifImageFile(io.BytesIO(data))
    except Exception as error:  # libheif raises many kinds for damaged files
        raise DataError(
            "its header is damaged", asked=asked, hint="Fetch or save it again, or remove it."
        ) from error


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1")


def _instead(data: bytes) -> tuple[str, str]:
    """What a file is that is no picture, and what to do."""
    if data.startswith(b"version https://git-lfs"):
        what = "it is a Git LFS pointer, which only stands for the picture"
        return what, "Fetch the pictures themselves: git lfs pull."
    if data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not a picture", "Fetch the picture by its own address."
    if data.startswith(_ARCHIVES):
        return "it is an archive, not a picture", "Unpack it, and give the folder."
    if data.startswith((b"%PDF", b"8BPS", b"v/1\x01", b"#?RADIANCE")):
        return "it is a document or a picture of layers or light", "Export it as PNG or TIFF."
    if data.startswith(b"\xff\xd8"):
        what = "it is a JPEG of more than 8 bits or without loss, or a damaged one"
        return what, "Convert it to a PNG or TIFF of 16 bits."
    if data[4:8] == b"ftyp" or data.startswith(_VIDEOS) or data[:1] == data[188:189] == b"G":
        what = "it is a video or a sound in a form that is not read here"
        return what, "If it is a video, convert it: ffmpeg -i VIDEO NEW.mp4."
    what = "it holds text, not a picture" if _is_text(data) else "it is in no known format"
    return what, "Give a PNG, JPEG, WebP, AVIF, GIF or TIFF file."


def _is_text(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()  # a character cut at the end is no fault
    try:
        text = decoder.decode(data[:512])
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in text)


def bits_of(data: bytes) -> int:
    """Bits per value of a PNG, JPEG 2000, AVIF, HEIC, PGM or PPM; 8 of any other file.

    Args:
        data: The file, or its beginning.
    """
    if data.startswith(b"\x89PNG"):
        return data[24] if len(data) > 24 else 8
    if data.startswith(b"\xff\x4f\xff\x51"):  # a bare stream of JPEG 2000
        return (data[42] & 0x7F) + 1 if len(data) > 42 else 8
    if data[4:8] == b"jP  ":
        at = data.find(b"ihdr", 0, _HEAD)
        return (data[at + 14] & 0x7F) + 1 if 0 < at < len(data) - 14 else 8
    if data[4:8] == b"ftyp":
        return max(_bits_of_av1(data[:_HEAD]), _bits_of_hevc(data[:_HEAD]))
    found = PNM.match(data[:_HEAD])
    return 8 if found is None else int(found[4]).bit_length()


def _bits_of_av1(head: bytes) -> int:
    at = head.find(b"av1C")
    if not 0 <= at < len(head) - 6 or not head[at + 6] & _AV1_DEEP:
        return 8
    return 12 if head[at + 6] & _AV1_12 else 10


def _bits_of_hevc(head: bytes) -> int:
    """The most of all pictures that the file holds."""
    places = (found.start() + 21 for found in re.finditer(b"hvcC", head))
    return max((8 + (head[at] & 7) for at in places if at < len(head)), default=8)
