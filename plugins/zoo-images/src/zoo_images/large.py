"""Pictures that are not held in memory: read from a TIFF in parts, written from a file in parts."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from zoo_core.contracts.codec import Item, Window
from zoo_core.contracts.signals import TensorSpec
from zoo_core.errors import DataError
from zoo_core.files import replacing
from zoo_images import tiles, windows
from zoo_images.metadata import Metadata
from zoo_images.picture import METADATA
from zoo_images.pixels import Bytes, to_bytes
from zoo_images.save import format_of, save, written_tags

_STRIP = 256  # rows that are written at a time
_SEGMENT = 1 << 26  # bytes of a strip or tile that is small enough
_PLAIN = (1, 2, 6)  # black is zero, RGB, and YCbCr, which JPEG decoders turn into RGB
_JPEG = (6, 7)


class StripedTiff:
    """The pixels of a TIFF, of which only those that are asked for are decoded.

    Made by `open_striped`. Rows that were decoded last are kept, since windows come row by row.

    Args:
        path: The file.
        page: Its first page, as tifffile describes it.

    Attributes:
        shape: (H, W, 3).
        dtype: uint8.
        tags: (type, value) by number of the TIFF tags that an output carries on.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, page: Any) -> None:
        from zoo_images.deep import tags_of_page  # most pictures need none of it

        self.path = path
        self.shape = (int(page.imagelength), int(page.imagewidth), 3)
        self.tags = tags_of_page(page)
        self._kept: tuple[int, int, Bytes] = (0, 0, np.empty((0, *self.shape[1:]), np.uint8))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Bytes:
        """uint8 (h, w, 3) some rows, and columns; by slices, or by `numpy.ix_` in any order."""
        picks = index if isinstance(index, tuple) else (index,)
        rows = np.arange(self.shape[0])[picks[0]].ravel()
        columns = np.arange(self.shape[1])[picks[1] if len(picks) > 1 else slice(None)].ravel()
        first, last = int(rows.min()), int(rows.max()) + 1
        top, bottom, pixels = self._kept
        if not top <= first <= last <= bottom:
            top, bottom, pixels = self._kept = (first, last, self._decoded(first, last))
        return pixels[np.ix_(rows - top, columns)]

    def shrunk(self, size: tuple[int, int]) -> Bytes:
        """uint8 (h, w, 3) the picture, reduced by a whole number to no less than ``size``."""
        factor = max(1, min(self.shape[0] // size[0], self.shape[1] // size[1]))
        step = factor * max(1, _STRIP // factor)
        strips = (
            np.asarray(Image.fromarray(self[top : top + step]).reduce(factor))
            for top in range(0, len(self), step)
        )
        return np.concatenate(list(strips))

    def _decoded(self, first: int, last: int) -> Bytes:
        """uint8 (last - first, W, 3) the rows of all strips or tiles that hold them."""
        import tifffile

        pixels = np.zeros((last - first, *self.shape[1:]), np.uint8)
        try:
            with tifffile.TiffFile(self.path) as file:
                page = file.pages[0]
                for part, top, left in _segments(page, first, last):
                    begin, end = max(first, top), min(last, top + len(part))
                    target = pixels[begin - first : end - first, left : left + part.shape[1]]
                    target[:] = part[begin - top : end - top, : target.shape[1]]
        except Exception as error:  # tifffile raises many kinds for damaged data
            raise DataError(
                f"the TIFF data is damaged or truncated ({error})",
                asked=str(self.path),
                hint="Fetch or save it again, or remove it.",
            ) from error
        return pixels


def open_striped(path: Path, largest: int) -> StripedTiff | None:
    """A large TIFF whose strips or tiles can be read one by one; None for any other file.

    That is one page of 8 bits, grey or RGB, upright, without transparency or colour profile. All
    other pictures are decoded at once, where memory allows.

    Args:
        path: The file.
        largest: Most pixels.
    """
    if path.suffix.lower() not in (".tif", ".tiff") or not path.is_file():
        return None
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            pixels = int(page.imagelength) * int(page.imagewidth)
            further = any(not other.is_reduced for other in file.pages[1:])
            if windows.LARGE <= pixels <= largest and not further and _is_plain(page):
                return StripedTiff(path, page)
    except Exception:  # reading it as a whole says what is wrong
        return None
    return None


def read_striped(path: Path, largest: int) -> Item | None:
    """An item from a large TIFF that is read in parts; None for any other file."""
    striped = open_striped(path, largest)
    if striped is None:
        return None
    info = {"size": striped.shape[:2], "format": "TIFF", "mode": "RGB", "tags": striped.tags}
    return Item(striped, str(path), "path", info)


def spooled(item: Item, outputs: Iterable[tuple[Window, Tensor]], spec: TensorSpec) -> Spool:
    """A large picture of translated windows, of which a band at a time is in memory."""
    outputs = iter(outputs)
    first = next(outputs)
    place, outputs = first[0].position, chain([first], outputs)
    if place.size == (place.plan.height, place.plan.width):
        made = (to_bytes(band, spec) for _, _, band in tiles.bands(outputs))
    else:
        made = windows.enlarged(to_bytes(tiles.joined(item, outputs)[0], spec), place.size)
    return Spool.of(made, item.info.get("tags"), item.info.get("metadata"))


class Spool:
    """A picture that was made band by band, in a file without a name until it is written.

    Args:
        width: Its width in pixels.
        tags: TIFF tags that it carries on.
        metadata: What else its file says of it.

    Attributes:
        height: Rows so far.
    """

    def __init__(
        self,
        width: int,
        tags: dict[int, tuple[int, Any]] | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        self.width, self.height = width, 0
        self.tags, self.metadata = tags or {}, metadata
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as this does)
        weakref.finalize(self, self._file.close)

    @classmethod
    def of(
        cls,
        bands: Iterable[Bytes],
        tags: dict[int, tuple[int, Any]] | None = None,
        metadata: Metadata | None = None,
    ) -> Spool:
        """A picture of bands (h, W, 3), from the top down."""
        spool: Spool | None = None
        for band in bands:
            spool = spool or cls(band.shape[1], tags, metadata)
            spool._file.write(np.ascontiguousarray(band).data)
            spool.height += len(band)
        assert spool is not None  # (a picture has a window)
        return spool

    def strips(self, rows: int = _STRIP) -> Iterator[Bytes]:
        """uint8 (h, W, 3) so many rows at a time, the last ones fewer."""
        self._file.seek(0)
        for top in range(0, self.height, rows):
            count = min(rows, self.height - top)
            data = self._file.read(count * self.width * 3)
            yield np.frombuffer(data, np.uint8).reshape(count, self.width, 3)

    def image(self) -> Image.Image:
        """The picture in memory."""
        image = Image.new("RGB", (self.width, self.height))
        image.info[METADATA] = self.metadata
        for number, strip in enumerate(self.strips()):
            image.paste(Image.fromarray(strip), (0, number * _STRIP))
        return image

    def write(self, path: Path) -> tuple[str, ...]:
        """Writes a TIFF strip by strip; of any other format the picture is in memory meanwhile.

        Returns:
            What the format does not hold of what is said of the picture.
        """
        form = format_of(path)
        lost = () if self.metadata is None else self.metadata.lost(form, by_tags=not self.tags)
        if form != "TIFF":
            save(self.image(), path, form)
            return lost
        import tifffile

        try:
            with replacing(path) as part, tifffile.TiffWriter(part, bigtiff=self._is_big) as file:
                file.write(
                    (strip.tobytes() for strip in self.strips()),
                    shape=(self.height, self.width, 3),
                    dtype=np.uint8,
                    photometric="rgb",
                    rowsperstrip=_STRIP,
                    metadata=None,
                    **written_tags(self.tags, self.metadata),
                )
        except OSError as error:
            raise DataError(
                f"it cannot be written ({error.strerror or error})",
                asked=str(path),
                hint="Choose a folder that exists, may be written to and has space left.",
            ) from error
        return lost

    @property
    def _is_big(self) -> bool:
        return self.height * self.width * 3 > (1 << 32) - (1 << 25)


def _is_plain(page: Any) -> bool:
    """Whether a page's pixels are what its segments hold, as uint8 grey or RGB."""
    tag = page.tags.get(274)
    upright = tag is None or int(tag.value) == 1
    plain = int(page.photometric) in _PLAIN and not page.extrasamples and 34675 not in page.tags
    if int(page.photometric) == 6 and int(page.compression) not in _JPEG:
        return False
    nothing_missing = 42113 not in page.tags
    contiguous = int(page.planarconfig) == 1 or page.samplesperpixel == 1
    bits = page.dtype == np.uint8 and page.bitspersample == 8 and page.samplesperpixel in (1, 3)
    small = int(np.prod(page.chunks)) <= _SEGMENT
    return upright and plain and nothing_missing and contiguous and bits and small


def _segments(page: Any, first: int, last: int) -> Iterator[tuple[Bytes, int, int]]:
    """Strips or tiles (h, w, 3) that hold some of the rows, each with its first row and column."""
    tall = int(page.tilelength if page.is_tiled else page.rowsperstrip)
    wide = int(page.tilewidth if page.is_tiled else page.imagewidth)
    across = -(-int(page.imagewidth) // wide)
    more = {"_fullsize": page.is_tiled}
    if int(page.compression) in _JPEG:
        more |= {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    file = page.parent.filehandle
    for index in range(first // tall * across, -(-last // tall) * across):
        if index >= len(page.dataoffsets) or not page.databytecounts[index]:
            continue  # an empty segment is black
        file.seek(page.dataoffsets[index])
        data = file.read(page.databytecounts[index])
        decoded, _, _ = page.decode(data, index, **more)
        part = np.broadcast_to(decoded[0], (*decoded.shape[1:3], 3))
        yield part, index // across * tall, index % across * wide
