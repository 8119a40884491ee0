"""A picture as it was decoded: what of it the nets see, and what is put back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from zoo_images.colour import deep_to_rgb
from zoo_images.gaps import Gaps, gaps_of
from zoo_images.metadata import Metadata
from zoo_images.transparency import Transparency
from zoo_images.values import Array, ValueRange


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
        assert self.values is not None  # (one of the two is there)
        return deep_to_rgb(self.values, "picture", self.gaps, self.transparency)

    def unit(self, span: ValueRange) -> Tensor:
        """(1 | 3, H, W) of black 0 and white 1; a picture of 8 bits fills it, too."""
        if self.values is None:
            return ValueRange(0, 255, "uint8", 3).to_unit(np.asarray(self.image))
        unit = span.to_unit(self.values, self.gaps)
        return unit if self.transparency is None else self.transparency.over_ground(unit)
