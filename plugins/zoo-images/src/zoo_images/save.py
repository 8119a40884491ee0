"""Writes pictures so that a file is whole or absent."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from zoo_core.errors import DataError, UsageError
from zoo_core.files import replacing

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
}


def format_of(path: Path) -> str:
    """Pillow's name of the format that a path's suffix names (none: PNG).

    Raises:
        UsageError: If the suffix names no format.
    """
    suffix = path.suffix.lower()
    if suffix and suffix not in _FORMATS:
        raise UsageError(
            f'"{path.suffix}" is no format that pictures are written in',
            asked=str(path),
            hint=f"Use one of {', '.join(_FORMATS)}.",
        )
    return _FORMATS.get(suffix, "PNG")


def save(image: Image.Image, path: Path, form: str) -> None:
    """Writes a picture under a temporary name, then renames it.

    Raises:
        DataError: If the file cannot be written; nothing is left behind.
    """
    try:
        with replacing(path) as part, part.open("xb") as file:
            image.save(file, form, **({"quality": 95} if form in ("JPEG", "WEBP") else {}))
    except OSError as error:
        raise DataError(
            f"it cannot be written ({error.strerror or error})",
            asked=str(path),
            hint="Choose a folder that exists, may be written to and has space left.",
        ) from error
