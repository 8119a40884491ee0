"""Writes pictures so that a file is whole or absent."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from zoo_core.errors import DataError, UsageError
from zoo_core.files import replacing
from zoo_images.raster import Frames, Raster, as_raster, options, write_pages, write_raster

_FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
}

ANIMATED = ("GIF", "WEBP", "PNG")
"""Formats that hold animations."""
KEEPS_ALPHA = ("PNG", "WEBP", "TIFF", "GIF")
"""Formats that hold transparency."""


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


def save(value: Image.Image | Raster | Frames, path: Path, form: str) -> None:
    """Writes a picture under a temporary name, then renames it.

    Raises:
        DataError: If the file cannot be written; nothing is left behind.
        UsageError: If the format cannot hold it.
    """
    try:
        if isinstance(value, Frames):
            _save_frames(value, path, form)
        elif isinstance(value, Raster):
            write_raster(value, path, form)
        else:
            _check_depth(value, path, form)
            with replacing(path) as part, part.open("xb") as file:
                value.save(file, form, **options(value, form))
    except OSError as error:
        raise DataError(
            f"it cannot be written ({error.strerror or error})",
            asked=str(path),
            hint="Choose a folder that exists, may be written to and has space left.",
        ) from error


def _save_frames(value: Frames, path: Path, form: str) -> None:
    pictures = [p for p in value.frames if isinstance(p, Image.Image)]
    if form == "TIFF":
        write_pages([as_raster(picture) for picture in value.frames], path)
        return
    if form not in ANIMATED or len(pictures) < len(value.frames):
        raise UsageError(
            f"{form} cannot hold its {len(value.frames)} frames or pages",
            asked=str(path),
            hint="Write a TIFF, or for an animation a GIF, WebP or PNG.",
        )
    more = {} if value.loop is None else {"loop": value.loop}
    if value.durations:
        more["duration"] = [round(duration) for duration in value.durations]  # type: ignore[assignment]
    if form == "GIF":
        more["disposal"] = 2
    first, *rest = pictures
    with replacing(path) as part, part.open("xb") as file:
        first.save(file, form, save_all=True, append_images=rest, **more, **options(first, form))


def _check_depth(image: Image.Image, path: Path, form: str) -> None:
    if not image.mode.startswith(("I", "F")) or form == "TIFF":
        return
    if not (form == "PNG" and image.mode.startswith("I;16")):
        raise UsageError(
            f"{form} cannot hold values of the mode {image.mode}",
            asked=str(path),
            hint="Write a TIFF: --out NAME.tif.",
        )
