"""Pictures as they were decoded and as they were made, alone or as the pages of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor

from zoo_images.preprocessing import Array, ValueRange

if TYPE_CHECKING:
    from zoo_images.gaps import Gaps
    from zoo_images.metadata import Metadata
    from zoo_images.transparency import Transparency

TAGS = "tiff_tags"
"""Key of a Pillow image's ``info`` under which the TIFF tags are that it carries on."""
METADATA = "zoo_metadata"
"""Key of a Pillow image's ``info`` under which its `Metadata` is."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, or one frame or page of one.

    Attributes:
        rgb: 8 bits, upright, without transparency; None where there are more bits.
        format: Format of the file, such as ``PNG``.
        mode: Pillow's mode of the file, such as ``RGBA`` or ``I;16``.
        transparency: Its transparency; None where it is opaque, or flattened in ``rgb``.
        notes: What was not used, or is doubtful, in plain words.
        values: (H, W) or (H, W, 3) values of more than 8 bits, as in the file; None for 8 bits.
        extra: (H, W, K) bands beyond the first three, or beyond grey; None where there are none.
        tags: (type, value) by number of the TIFF tags that an output carries on.
        duration: Milliseconds for which a frame is shown.
        gaps: The pixels that have no data; None where all have.
        metadata: What else its file says of it.
    """

    rgb: Image.Image | None
    format: str
    mode: str
    transparency: Transparency | None = None
    notes: tuple[str, ...] = ()
    values: Array | None = None
    extra: Array | None = None
    tags: dict[int, tuple[int, Any]] = field(default_factory=dict)
    duration: float | None = None
    gaps: Gaps | None = None
    metadata: Metadata | None = None

    @classmethod
    def of(
        cls,
        values: Array,
        form: str,
        *,
        no_data: float | None = None,
        notes: tuple[str, ...] = (),
        duration: float | None = None,
    ) -> Picture:
        """A picture of values (H, W) or (H, W, 3) of any real type; grey ones stay grey.

        Args:
            values: The values.
            form: Format of the file, such as ``DICOM``.
            no_data: The value that stands for no data, where there is one.
            notes: What was not used, or is doubtful.
            duration: Milliseconds for which it is shown.
        """
        from zoo_images.gaps import gaps_of  # most pictures need none of it

        gaps = gaps_of(values, no_data)
        kind = values.dtype.name
        if values.dtype != np.uint8 or values.ndim == 2:
            return cls(None, form, kind, None, notes, values, duration=duration, gaps=gaps)
        rgb = Image.fromarray(values)
        return cls(rgb, form, rgb.mode, None, notes, duration=duration, gaps=gaps)

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
        from zoo_images.deep import to_rgb  # most pictures need none of it

        assert self.values is not None  # (one of the two is there)
        return to_rgb(self.values, "picture", self.gaps, self.transparency)

    def unit(self, span: ValueRange) -> Tensor:
        """(1 | 3, H, W) of black 0 and white 1; a picture of 8 bits fills it, too."""
        if self.values is None:
            return ValueRange(0, 255, "uint8", 3).to_unit(np.asarray(self.image))
        unit = span.to_unit(self.values, self.gaps)
        return unit if self.transparency is None else self.transparency.over_ground(unit)


def shallow(picture: Picture) -> Picture:
    """A picture whose values are bytes as one of 8 bits, over its ground; any other as it is."""
    if picture.values is None or picture.values.dtype != np.uint8:
        return picture
    rgb = Image.fromarray(picture.values).convert("RGB")
    transparency = picture.transparency
    if transparency is not None:
        unit = transparency.over_ground(ValueRange(0, 255, "uint8", 3).to_unit(np.asarray(rgb)))
        rgb = Image.fromarray(unit.mul(255).round_().byte().permute(1, 2, 0).numpy())
    kept = transparency if transparency is not None and transparency.kept else None
    return replace(picture, rgb=rgb, values=None, transparency=kept)


@dataclass
class Raster:
    """A picture that Pillow has no mode for.

    Attributes:
        pixels: (H, W, C) or (H, W).
        tags: (type, value) by number of the TIFF tags that it carries on.
        alpha: Whether the last channel is transparency.
        metadata: What else its file says of it.
    """

    pixels: Array
    tags: dict[int, tuple[int, Any]] = field(default_factory=dict)
    alpha: bool = False
    metadata: Metadata | None = None


@dataclass
class Frames:
    """The frames of an animation, or the pages of a TIFF.

    Attributes:
        frames: The pictures, in order.
        durations: Milliseconds for which each is shown; empty for pages.
        loop: How often it is repeated, 0 for ever; None where the file does not say.
        format: The component of kind ``image-format`` that read the input; empty for Pillow's.
        own: Writes a file of that format.
    """

    frames: Sequence[Image.Image | Raster]
    durations: Sequence[float] = ()
    loop: int | None = None
    format: str = ""
    own: Callable[[Frames, Path], None] | None = None

    @property
    def arrays(self) -> list[Array]:
        """The values of each, (H, W) or (H, W, C)."""
        return [as_raster(frame).pixels for frame in self.frames]


@dataclass
class Made:
    """One page or frame that was translated.

    Attributes:
        number: Its number in the input, from 0.
        picture: What became of it.
        duration: Milliseconds for which it is shown, where the input says so.
    """

    number: int
    picture: Image.Image | Raster
    duration: float | None = None


class Pages(ABC):
    """A file that was opened: its pages (slices, frames) are decoded as they are asked for.

    Attributes:
        asked: What the file is called in errors.
        format: Name of the component that opened it; empty for what Pillow reads.
    """

    asked: str
    format: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """Number of pages."""

    @abstractmethod
    def picture(self, number: int = 0) -> Picture:
        """One page.

        Raises:
            DataError: If it cannot be decoded in full.
        """

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """All pages with their numbers, one after the other."""
        for number in range(len(self)):
            yield number, self.picture(number)

    @property
    def count_to_train_on(self) -> int:
        """How many of its pages, from the first on, are training pictures.

        Raises:
            DataError: If it is none to train on.
        """
        return len(self)

    def shown(self) -> Picture:
        """The page that stands for the file where one is shown."""
        return self.picture()

    @abstractmethod
    def joined(self, made: Iterator[Made], target: str | None, identity: Callable[[], str]) -> Any:
        """The output made of the translated pages, which come in order as they are computed.

        Args:
            made: The pages.
            target: The domain that they are of, where they are of one.
            identity: Gives the hash of the model that makes them.
        """


def picture_of(
    pixels: Array,
    extra: Array | None = None,
    tags: dict[int, Any] | None = None,
    metadata: Metadata | None = None,
) -> Image.Image | Raster:
    """What holds pixels: a Pillow image where it has a mode for them.

    Args:
        pixels: (H, W), (H, W, 3), or with transparency (H, W, 2) or (H, W, 4).
        extra: (H, W, K) further bands of the same type.
        tags: TIFF tags to carry on.
        metadata: What else is to be said of it.
    """
    tags = tags or {}
    if extra is not None:
        flat = pixels[..., None] if pixels.ndim == 2 else pixels
        return Raster(np.concatenate([flat, extra], -1), tags, metadata=metadata)
    grey = pixels.ndim == 2 and pixels.dtype.name in ("uint16", "int32", "float32")
    if not grey and pixels.dtype.name != "uint8":
        alpha = pixels.ndim == 3 and pixels.shape[-1] in (2, 4)
        return Raster(pixels, tags, alpha, metadata)
    picture = Image.fromarray(pixels)
    if tags:
        picture.info[TAGS] = tags
    if metadata is not None:
        picture.info[METADATA] = metadata
    return picture


def as_raster(picture: Image.Image | Raster) -> Raster:
    """Any output as a raster."""
    if isinstance(picture, Raster):
        return picture
    alpha = picture.mode in ("LA", "RGBA")
    info = picture.info
    return Raster(np.asarray(picture), info.get(TAGS, {}), alpha, info.get(METADATA))
