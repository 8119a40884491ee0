"""From any picture file to RGB, or to an error that names the file, the fault and the remedy."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.colour import alpha_of, deep_to_rgb, to_rgb, to_srgb, turn_upright
from zoo_images.gaps import Gaps, declared_by, gaps_of
from zoo_images.opening import contents, open_header
from zoo_images.values import Array

MAX_PIXELS = 120_000_000
"""Largest picture that is decoded, in pixels of three bytes (360 MB); beyond it a file is taken for
a decompression bomb, unless the user allows more."""
MAX_FILE = 1 << 29
"""Largest file that is read, in bytes, unless larger pictures are allowed."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, or one frame or page of one.

    Attributes:
        rgb: 8 bits, upright, without transparency; None where there are more bits.
        format: Format of the file, such as ``PNG``.
        mode: Pillow's mode of the file, such as ``RGBA`` or ``I;16``.
        alpha: Its transparency, mode ``L``; None where it is opaque.
        notes: What was not used, or is doubtful, in plain words.
        values: (H, W) or (H, W, 3) values of more than 8 bits, as in the file; None for 8 bits.
        extra: (H, W, K) bands beyond the first three, or beyond grey; None where there are none.
        tags: (type, value) by number of the TIFF tags that an output carries on.
        duration: Milliseconds for which a frame is shown.
        gaps: The pixels that have no data; None where all have.
    """

    rgb: Image.Image | None
    format: str
    mode: str
    alpha: Image.Image | None = None
    notes: tuple[str, ...] = ()
    values: Array | None = None
    extra: Array | None = None
    tags: dict[int, tuple[int, Any]] = field(default_factory=dict)
    duration: float | None = None
    gaps: Gaps | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        if self.values is not None:
            return int(self.values.shape[0]), int(self.values.shape[1])
        return self.image.height, self.image.width

    @property
    def image(self) -> Image.Image:
        """The picture in 8 bits: deep values by the convention of their type."""
        if self.rgb is not None:
            return self.rgb
        assert self.values is not None  # (one of the two is there)
        return deep_to_rgb(self.values, "picture", self.gaps)


class PictureFile:
    """A picture file that was opened: its header is read, its pixels are not.

    Args:
        source: A file, or the bytes of one.
        name: What to call it in errors; the path by default.
        largest: Most pixels (of three bytes) to decode, over all frames.

    Attributes:
        pages: Numbers of the frames or pages, without reduced copies of others.
        animated: Whether they are frames of an animation rather than pages.

    Raises:
        DataError: If there is no such file, it is no picture, or it is too large.
    """

    def __init__(
        self, source: Path | bytes, *, name: str | None = None, largest: int = MAX_PIXELS
    ) -> None:
        self.asked = name or (str(source) if isinstance(source, Path) else "picture in memory")
        limit = max(MAX_FILE, 3 * largest)
        self._data = contents(source, self.asked, limit) if isinstance(source, Path) else source
        if not self._data:
            raise DataError(
                "the file is empty (0 bytes)", asked=self.asked, hint="Fetch or save it again."
            )
        self._image = open_header(self._data, self.asked)
        self._check_size(1, largest)
        with _faults_of(self._image, self.asked):
            self.pages = _pages(self._image, self._data)
        self.animated = self._image is not None and self._image.format != "TIFF"
        if len(self.pages) > 1:
            self._check_size(len(self.pages), largest)
        self.loop: int | None = None if self._image is None else self._image.info.get("loop")

    def picture(self, number: int = 0) -> Picture:
        """One frame or page.

        Raises:
            DataError: If it cannot be decoded in full.
        """
        page = self.pages[number]
        image = self._image
        with _faults_of(image, self.asked):
            if image is not None:
                if len(self.pages) > 1:
                    image.seek(page)
                image.load()
                if len(self.pages) > 1:
                    image = image.copy() if self.animated else image
            return self._made(image, page)

    def pictures(self) -> Iterator[Picture]:
        """All frames or pages, one after the other."""
        for number in range(len(self.pages)):
            yield self.picture(number)

    def _made(self, image: Image.Image | None, page: int) -> Picture:
        tiff = image is None or image.format == "TIFF"
        bands, tags, declared = None, {}, None
        if image is None or tiff or _is_deep(image, self._data):
            from zoo_images import deep  # most pictures need none of it

            bands = deep.read_bands(image, self._data, page, self.asked)
            tags = deep.geo_tags(image, self._data, page) if tiff else {}
            declared = declared_by(tags[deep.NO_DATA][1]) if deep.NO_DATA in tags else None
        form = "TIFF" if image is None else image.format or "unknown"
        if bands is not None:
            rgb = None
            if bands.values.dtype.name == "uint8":
                rgb = Image.fromarray(bands.values).convert("RGB")
            return Picture(
                rgb,
                form,
                bands.values.dtype.name if image is None else image.mode,
                None,
                bands.notes,
                None if rgb else bands.values,
                bands.extra,
                tags,
                gaps=gaps_of(bands.values, declared),
            )
        assert image is not None  # (what Pillow cannot open has bands, or is refused)
        mode, duration = image.mode, image.info.get("duration")
        turn_upright(image)
        image, notes = to_srgb(image)
        rgb = to_rgb(image, name=self.asked)
        gaps = None if declared is None else gaps_of(np.asarray(rgb), declared)
        return Picture(
            rgb,
            form,
            mode,
            alpha_of(image),
            tuple(notes),
            tags=tags,
            duration=duration,
            gaps=gaps,
        )

    def _check_size(self, frames: int, largest: int) -> None:
        width, height, depth = _extent(self._image, self._data, self.asked)
        if width * height * depth * frames <= 3 * largest:
            return
        many = f"{frames} frames of " if frames > 1 else ""
        raise DataError(
            f"it has {many}{width}×{height} pixels, {width * height * depth * frames / 1e6:,.0f} "
            f"MB when decoded, more than {3 * largest / 1e6:,.0f} MB: this may be a decompression "
            "bomb",
            asked=self.asked,
            hint="If it is none, allow it: --largest MEGAPIXELS; or scale it down first.",
        )


def decode(source: Path | bytes, *, name: str | None = None, largest: int = MAX_PIXELS) -> Picture:
    """Decodes a picture: upright by its EXIF tag, first frame, sRGB.

    Transparency is composited on white and kept beside. Colour profiles are converted to sRGB.
    Values of more than 8 bits stay as they are. What is left out or doubtful is in the notes.

    Args:
        source: A file, or the bytes of one.
        name: What to call it in errors; the path by default.
        largest: Most pixels (of three bytes) to decode.

    Raises:
        DataError: If there is no such file, or it cannot be decoded in full.
    """
    file = PictureFile(source, name=name, largest=largest)
    picture = file.picture()
    if len(file.pages) == 1:
        return picture
    what = "frames" if file.animated else "pages"
    unused = f"{len(file.pages)} {what}, of which only the first is used"
    return replace(picture, notes=(unused, *picture.notes))


@contextlib.contextmanager
def _faults_of(image: Image.Image | None, asked: str) -> Iterator[None]:
    """Turns what decoders raise into errors that name the file."""
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError("there is not enough memory to decode it", asked=asked) from error
    except Exception as error:  # Pillow raises many kinds for damaged data
        form = "TIFF" if image is None else image.format
        raise DataError(
            f"the {form} data is damaged or truncated ({error})",
            asked=asked,
            hint="Fetch or save it again, or remove it.",
        ) from error


def _pages(image: Image.Image | None, data: bytes) -> list[int]:
    """Numbers of the frames or pages; reduced copies within a TIFF are none."""
    if image is not None and image.format != "TIFF":
        return list(range(getattr(image, "n_frames", 1)))
    if image is not None and getattr(image, "n_frames", 1) == 1:
        return [0]
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [i for i, page in enumerate(file.pages) if i == 0 or not page.is_reduced]


def _extent(image: Image.Image | None, data: bytes, asked: str) -> tuple[int, int, int]:
    """Width, height and bytes per pixel when decoded, from the header."""
    if image is None or image.format == "TIFF":
        import tifffile

        try:
            with tifffile.TiffFile(io.BytesIO(data)) as file:
                page = file.pages[0]
                samples, size = int(page.samplesperpixel), int(page.bitspersample) // 8
                depth = max(3, samples * max(1, size))
                return int(page.imagewidth), int(page.imagelength), depth
        except Exception as error:
            if image is None:
                raise DataError(
                    f"the TIFF data is damaged or truncated ({error})",
                    asked=asked,
                    hint="Fetch or save it again, or remove it.",
                ) from error
    return image.width, image.height, 6 if _is_deep(image, data) else 3


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a picture, which is no TIFF, has more than 8 bits."""
    deep_png = image.format == "PNG" and data[24:25] == b"\x10"
    return deep_png or image.mode.startswith(("I", "F"))
