"""NumPy files: one picture, or as many as its first axis is long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo_core.errors import DataError
from zoo_core.files import replacing
from zoo_images.formats import FormatPages, ImageFormat
from zoo_images.picture import Frames, Picture, shallow
from zoo_images.pixels import MAX_PIXELS
from zoo_images.preprocessing import Array
from zoo_images.transparency import KEEP, Transparency, as_opacity

_COLOURS = (1, 3, 4)


class NumpyFormat(ImageFormat):
    """Opens ``.npy`` files; nothing in them is unpickled."""

    def open(self, path: Path, *, largest: int = MAX_PIXELS) -> NumpyPages:
        """See `ImageFormat.open`."""
        asked = str(path)
        try:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise DataError("there is no such file", asked=asked) from error
        except (OSError, ValueError, EOFError) as error:
            raise DataError("it is no NumPy file that can be read", asked=asked) from error
        colour = values.ndim in (3, 4) and values.shape[-1] in _COLOURS
        if values.dtype.kind not in "uif" or values.ndim - colour not in (2, 3) or not values.size:
            raise DataError(
                f"it holds {values.dtype} of shape {values.shape}, which is no picture",
                asked=asked,
                hint="Pictures are numbers (H, W), (H, W, 3), (H, W, 4), or many of them (N, …).",
            )
        bands = values.shape[-1]
        if values.ndim == 3 and not colour and 4 * bands <= min(values.shape[:2]):
            raise DataError(
                f"it holds {bands} bands of {values.shape[0]}×{values.shape[1]} values, or "
                f"{values.shape[0]} very narrow pictures",
                asked=asked,
                hint="Bands come first, as grey pictures: np.moveaxis(values, -1, 0); or save "
                "three of them as colours, (H, W, 3).",
            )
        if values.nbytes > 3 * largest:
            raise DataError(
                f"it has {values.nbytes / 1e6:,.0f} MB, more than {3 * largest / 1e6:,.0f} MB",
                asked=asked,
                hint="If it is meant to, allow it: --largest MEGAPIXELS.",
            )
        several = values.ndim - colour == 3
        return NumpyPages(asked, values, several, colour, self.options.get("alpha", KEEP))


class NumpyPages(FormatPages):
    """The pictures of an array.

    Args:
        asked: What the file is called.
        values: (H, W[, C]) or (N, H, W[, C]).
        several: Whether the first axis counts pictures.
        colour: Whether the last one counts colours, the fourth of which is opacity.
        alpha: What becomes of that; see `zoo_images.transparency.parse_alpha`.
    """

    def __init__(
        self, asked: str, values: Array, several: bool, colour: bool, alpha: str = KEEP
    ) -> None:
        self.asked, self._alpha = asked, alpha
        self._values = values if several else values[None]  # (N, H, W[, C])
        self._several, self._colour = several, colour

    def __len__(self) -> int:
        return len(self._values)

    def picture(self, number: int = 0) -> Picture:
        """See `zoo_images.formats.Pages.picture`."""
        values = np.ascontiguousarray(self._values[number])
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        if self._colour and values.shape[-1] == 1:
            values = values[..., 0]
        notes: tuple[str, ...] = ()
        if not self._colour and self._several and len(self) <= max(_COLOURS):
            notes = (f"an array taken for {len(self)} grey pictures: colours come last, (H, W, 3)",)
        if not self._colour or values.ndim == 2 or values.shape[-1] < 4:
            return Picture.of(values, "NumPy", notes=notes)
        transparency = Transparency.of(as_opacity(values[..., 3], self.asked), self._alpha)
        colours = np.ascontiguousarray(values[..., :3])
        picture = replace(Picture.of(colours, "NumPy"), values=colours, transparency=transparency)
        return shallow(picture)

    def write(self, frames: Frames, path: Path, *, target: str | None, identity: str) -> None:
        """Writes an array of the input's form."""
        arrays = np.stack(frames.arrays)
        if self._colour and arrays.ndim == 3:
            arrays = arrays[..., None]
        with replacing(path) as part, part.open("xb") as file:
            np.save(file, arrays if self._several else arrays[0], allow_pickle=False)
