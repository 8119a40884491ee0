"""Writes pictures so that a file is whole or absent; what one Pillow image cannot hold, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from torch import Tensor

from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError, UsageError
from zoo_core.files import replacing
from zoo_images.colour import to_rgb
from zoo_images.format_spec import format_by_suffix
from zoo_images.metadata import Metadata
from zoo_images.picture import METADATA, TAGS, Frames, Raster, as_raster, picture_of
from zoo_images.pixels import to_bytes

PNG_LEVEL = 4
"""How hard PNGs are compressed: at zlib's usual 6 they took twice as long for the same size."""


def write(value: Any, path: Path, spec: TensorSpec) -> tuple[str, ...]:
    """Writes what `zoo_images.codec.ImageCodec.write` takes; see there."""
    own = isinstance(value, Frames) and value.own
    if own and value.format == format_by_suffix(path):
        own(value, path)
        return ()
    form = format_of(path)
    made = to_save(value, path, spec)
    save(made, path, form)
    return _lost(made, form)


def _lost(made: Image.Image | Raster | Frames, form: str) -> tuple[str, ...]:
    """What a file of a format does not hold of what is said of a picture."""
    several = isinstance(made, Frames) and len(made.frames) > 1
    first = as_raster(made.frames[0] if isinstance(made, Frames) else made)
    if first.metadata is None:
        return ()
    by_tags = (several or isinstance(made, Raster)) and not first.tags
    return first.metadata.lost(form, by_tags=by_tags)


def to_save(value: Any, path: Path, spec: TensorSpec) -> Image.Image | Raster | Frames:
    """What `save` writes of a value that `zoo_images.codec` takes.

    Raises:
        UsageError: If it is no picture, or transparent and the format holds no transparency.
    """
    if isinstance(value, Raster | Frames):
        return value
    if isinstance(value, Image.Image):
        deep = value.mode.startswith(("I", "F"))
        transparent = value.mode in ("RGBA", "LA") and value.getextrema()[-1] != (255, 255)
        if transparent and format_of(path) not in KEEPS_ALPHA:
            raise UsageError(
                f"{format_of(path)} holds no transparency",
                asked=str(path),
                hint="Write a PNG, or flatten the picture: --alpha white.",
            )
        return value if transparent or deep or value.mode == "RGB" else to_rgb(value)
    from zoo_images import convert_inputs

    if isinstance(value, Tensor) and value.ndim == 3:
        return Image.fromarray(to_bytes(value, spec))
    if isinstance(value, np.ndarray):
        (item,) = convert_inputs.from_array(value, str(path), ranged=True)
        transparency = item.info.get("transparency")
        held = item.value if transparency is None else transparency.behind(item.value)
        return picture_of(held)
    raise convert_inputs.refuse(value, str(path))


def options(image: Image.Image, form: str) -> dict[str, Any]:
    """How a Pillow image is saved: quality where that matters, tags that it carries on."""
    metadata: Metadata | None = image.info.get(METADATA)
    more = {} if metadata is None else metadata.options(form)
    if form in ("JPEG", "WEBP"):
        return {"quality": 95, **more}
    if form == "PNG":
        return {"compress_level": PNG_LEVEL, **more}
    tags = image.info.get(TAGS)
    if form != "TIFF" or not tags:
        return more
    folder = ImageFileDirectory_v2()
    for tag, (kind, value) in tags.items():
        folder.tagtype[tag] = kind
        folder[tag] = value
    return {**more, "tiffinfo": folder}


def write_raster(raster: Raster, path: Path, form: str) -> None:
    """Writes a raster as TIFF, or as PNG where it has 8 or 16 bits and at most four bands.

    Raises:
        UsageError: If the format cannot hold it.
    """
    pixels = raster.pixels[..., None] if raster.pixels.ndim == 2 else raster.pixels
    if form == "PNG" and pixels.dtype.name in ("uint8", "uint16") and pixels.shape[-1] <= 4:
        import imagecodecs  # Pillow writes no colour of 16 bits

        if pixels.shape[-1] == 2:  # grey and alpha, which imagecodecs writes as colour only
            pixels = pixels[..., [0, 0, 0, 1]]
        data = imagecodecs.png_encode(np.ascontiguousarray(pixels))
        with replacing(path) as part:
            part.write_bytes(data if raster.metadata is None else raster.metadata.in_png(data))
        return
    if form != "TIFF":
        raise UsageError(
            f"{form} holds no picture of {pixels.shape[-1]} × {pixels.dtype}",
            asked=str(path),
            hint="Write a TIFF: --out NAME.tif, or a folder for TIFF inputs.",
        )
    import tifffile

    with replacing(path) as part:
        tifffile.imwrite(part, **_page(raster))


def write_pages(pages: Sequence[Raster], path: Path) -> None:
    """Writes the pages of a TIFF, each as it is."""
    import tifffile

    with replacing(path) as part, tifffile.TiffWriter(part) as file:
        for page in pages:
            file.write(**_page(page))


def _page(raster: Raster) -> dict[str, Any]:
    """What tifffile writes of a raster."""
    pixels = raster.pixels
    colours = pixels.ndim == 3 and pixels.shape[-1] >= 3
    extra = 0 if pixels.ndim == 2 else pixels.shape[-1] - (3 if colours else 1)
    return {
        "data": pixels,
        "photometric": "rgb" if colours else "minisblack",
        "planarconfig": "contig" if pixels.ndim == 3 and pixels.shape[-1] > 1 else None,
        "extrasamples": [0] * (extra - raster.alpha) + [2] * raster.alpha if extra else None,
        "metadata": None,
        **written_tags(raster.tags, raster.metadata),
    }


def written_tags(
    tags: dict[int, tuple[int, Any]], metadata: Metadata | None = None
) -> dict[str, Any]:
    """How tifffile is told to write tags that are carried on, and what else is to be said."""
    options: dict[str, Any] = {
        "extratags": [
            (tag, kind, len(value) if isinstance(value, tuple | str | bytes) else 1, value, True)
            for tag, (kind, value) in tags.items()
        ],
        "software": False,  # no tag of its own beside a carried one
    }
    if metadata is not None and metadata.icc:
        options["iccprofile"] = metadata.icc
    if metadata is not None and metadata.dpi:
        options |= {"resolution": metadata.dpi, "resolutionunit": 2}
    return options


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
    if len(value.frames) == 1:
        save(value.frames[0], path, form)
        return
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
