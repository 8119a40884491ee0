"""From any picture file to RGB, or to an error that names the file, the fault and the remedy."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zoo_core.errors import DataError
from zoo_images.colour import declared_colours, deep_to_srgb, to_rgb, to_srgb, turn_upright
from zoo_images.format_spec import format_of_file
from zoo_images.metadata import DESCRIPTION, Metadata, doubts, is_of_stack
from zoo_images.opening import bits_of, contents, open_header
from zoo_images.picture import Frames, Made, Pages, Picture, shallow
from zoo_images.pixels import MAX_PIXELS
from zoo_images.transparency import KEEP, Transparency, opacity_of

_WATCHED = ("PNG", "JPEG")
"""Formats of which the decoder says what is missing."""
MAX_FILE = 1 << 29
"""Largest file that is read, in bytes, unless larger pictures are allowed."""


class PictureFile(Pages):
    """A picture file that was opened: its header is read, its pixels are not.

    Args:
        source: A file, or the bytes of one.
        name: What to call it in errors; the path by default.
        largest: Most pixels (of three bytes) to decode, over all frames.
        alpha: What becomes of transparency; see `zoo_images.transparency.parse_alpha`.

    Attributes:
        pages: Numbers of the frames or pages, without reduced copies and masks of others.
        animated: Whether they are frames of an animation rather than pages.
        notes: What of the file is not used.

    Raises:
        DataError: If there is no such file, it is no picture, or it is too large.
    """

    def __init__(
        self,
        source: Path | bytes,
        *,
        name: str | None = None,
        largest: int = MAX_PIXELS,
        alpha: str = KEEP,
    ) -> None:
        self.alpha = alpha
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
            self.pages, self._masks = _pages(self._image, self._data)
        if self._masks:  # looking for pages may have left it at one that Pillow does not know
            self._image = open_header(self._data, self.asked)
        self.animated = self._image is not None and self._image.format != "TIFF"
        with _faults_of(self._image, self.asked):
            self.notes = () if self._image is None else _notes_of(self._image, self._data)
            if self._image is None or self._image.format not in _WATCHED:
                from zoo_images import whole  # most pictures need none of it

                self.notes += whole.doubts(self._image, self._data)
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

    def __len__(self) -> int:
        return len(self.pages)

    def joined(self, made: Iterator[Made], target: str | None, identity: Any) -> Frames:
        """The frames with their timing, or the pages."""
        every = list(made)
        durations = [each.duration for each in every if each.duration is not None]
        timed = self.animated and len(durations) == len(every)
        return Frames([each.picture for each in every], durations if timed else (), self.loop)

    def _made(self, image: Image.Image | None, page: int) -> Picture:
        tiff = image is None or image.format == "TIFF"
        bands, tags, declared = None, {}, None
        more: tuple[str, ...] = ()
        if image is None or tiff or _is_deep(image, self._data):
            from zoo_images import deep, gaps  # most pictures need none of it

            bands = deep.read_bands(image, self._data, page, self.asked)
            tags = deep.kept_tags(image, self._data, page) if tiff else {}
            more = deep.bits_not_used_of(self._data, page) if tiff and bands is None else ()
            declared = gaps.declared_by(tags[deep.NO_DATA][1]) if deep.NO_DATA in tags else None
        form = "TIFF" if self._image is None else self._image.format or "unknown"
        metadata = None if image is None else Metadata.of(image)
        more = more if image is None else (*more, *doubts(image))
        if page in self._masks:
            mask = deep.mask_of(self._data, self._masks[page])
            if bands is None and image is not None:
                image = image.convert("RGB")
                image.putalpha(Image.fromarray((mask * 255).astype(np.uint8)))
            elif bands is not None and bands.opacity is None:
                bands = replace(bands, opacity=mask)
            more = (*more, "a mask, which becomes its transparency")
        if bands is not None:
            mode = bands.values.dtype.name if image is None else image.mode
            values, notes = deep_to_srgb(bands.values, bands.profile)
            picture = Picture(
                None,
                form,
                mode,
                Transparency.of(bands.opacity, self.alpha),
                (*self.notes, *bands.notes, *more, *notes),
                values,
                bands.extra,
                tags,
                gaps=gaps.gaps_of(bands.values, declared),
                metadata=metadata,
            )
            return shallow(picture)
        assert image is not None  # (what Pillow cannot open has bands, or is refused)
        if self.animated and len(self.pages) > 1 and bits_of(self._data) > 8:
            more = (*more, f"{bits_of(self._data)} bits per value, of which 8 are used")
        mode, duration = image.mode, image.info.get("duration")
        turn_upright(image)
        image, notes = to_srgb(image)
        rgb = to_rgb(image, name=self.asked, ground=self.alpha)
        return Picture(
            rgb,
            form,
            mode,
            Transparency.of(opacity_of(image), self.alpha) if self.alpha == KEEP else None,
            (*self.notes, *more, *notes),
            tags=tags,
            duration=duration,
            gaps=None if declared is None else gaps.gaps_of(np.asarray(rgb), declared),
            metadata=metadata,
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
            hint="If it is none, allow it: --largest MEGAPIXELS. It is decoded at once (TIFFs "
            "of 8 bits in strips or tiles are read in parts); or scale it down first.",
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
    file = open_file(source, name=name, largest=largest)
    picture = file.picture()
    if len(file) == 1:
        return picture
    what = "frames" if isinstance(file, PictureFile) and file.animated else "pages"
    unused = f"{len(file)} {what}, of which only the first is used"
    return replace(picture, notes=(unused, *picture.notes))


def open_file(
    source: Path | bytes,
    options: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    largest: int = MAX_PIXELS,
) -> Pages:
    """Opens a file of any format that is read here or by an installed package.

    Args:
        source: A file, or the bytes of a picture.
        options: Values that the user asked for, for formats that have options.
        name: What to call it in errors; the path by default.
        largest: Most pixels (of three bytes) to decode.

    Raises:
        DataError: If there is no such file, it is no picture, or it is too large.
    """
    form = format_of_file(source) if isinstance(source, Path) else None
    if form is None or isinstance(source, bytes):
        alpha = (options or {}).get("alpha", KEEP)
        return PictureFile(source, name=name, largest=largest, alpha=alpha)
    from zoo_images.formats import open_pages  # most pictures need none of it

    return open_pages(source, form, options, largest=largest)


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


def _pages(image: Image.Image | None, data: bytes) -> tuple[list[int], dict[int, int]]:
    """Numbers of the frames or pages, and of the page of a TIFF that is the mask of another one.

    Reduced copies within a TIFF are no pages, nor is a still picture ahead of an animated PNG.
    """
    if image is not None and image.format == "MPO":
        return [0], {}
    if image is not None and image.format != "TIFF":
        first = 1 if image.format == "PNG" and image.info.get("default_image") else 0
        return list(range(first, getattr(image, "n_frames", 1))), {}
    if image is not None and _is_single(image):
        return [0], {}
    import tifffile

    pages: list[int] = []
    masks: dict[int, int] = {}
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for number, page in enumerate(_tiff_pages(file)):
            if pages and page.is_mask and not page.is_reduced:
                masks.setdefault(pages[-1], number)
            elif not (pages and page.is_reduced):
                pages.append(number)
    return pages, masks


def _is_single(image: Image.Image) -> bool:
    try:
        return getattr(image, "n_frames", 1) == 1
    except Exception:  # a later page is one that Pillow does not know, such as a mask
        return False


def _notes_of(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """What of a file that Pillow opens is not used."""
    if image.format == "MPO":
        return ("a further picture in it (a gain map, a depth, another eye's), which is left out",)
    if image.format == "TIFF" and is_of_stack(getattr(image, "tag_v2", {}).get(DESCRIPTION, "")):
        return ("what ImageJ or OME says of the stack, which is left out",)
    if image.info.get("default_image") and image.format == "PNG":
        return ("a still picture for viewers that show no animation, which is left out",)
    return declared_colours(image, data)


def _extent(image: Image.Image | None, data: bytes, asked: str) -> tuple[int, int, int]:
    """Width, height and bytes per pixel of the largest frame or page when decoded."""
    if image is None or image.format == "TIFF":
        import tifffile

        try:
            with tifffile.TiffFile(io.BytesIO(data)) as file:
                return max(map(_extent_of_page, _tiff_pages(file)), key=math.prod)
        except Exception as error:
            if image is None:
                raise DataError(
                    f"the TIFF data is damaged or truncated ({error})",
                    asked=asked,
                    hint="Fetch or save it again, or remove it.",
                ) from error
    if image.format == "GIF":
        from zoo_images import gif  # other pictures need none of it

        return (*gif.canvas(data), 3)
    return image.width, image.height, 6 if _is_deep(image, data) else 3


def _tiff_pages(file: Any) -> Iterator[Any]:
    """The pages of a TIFF, each of which says where the next one is."""
    seen: set[int] = set()
    for page in file.pages:
        if page.offset in seen:
            raise ValueError("its pages lead back to earlier ones")
        seen.add(page.offset)
        yield page


def _extent_of_page(page: Any) -> tuple[int, int, int]:
    """Width, height and bytes per pixel of a page of a TIFF."""
    samples, size = int(page.samplesperpixel), int(page.bitspersample) // 8
    return int(page.imagewidth), int(page.imagelength), max(3, samples * max(1, size))


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a picture, which is no TIFF, has more than 8 bits."""
    if image.format == "HEIF":
        return bool(image.info.get("bit_depth", 8) > 8)
    return bits_of(data) > 8 or image.mode.startswith(("I", "F"))
