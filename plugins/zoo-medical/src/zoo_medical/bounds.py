"""What reading a DICOM file may take: no more than its size, and the pixels that its header tells.

Compressed parts hold anything: a few bytes become gigabytes, and a frame of 8 x 8 pixels is a
picture of 60,000 x 60,000. They are measured before the memory is taken.
"""

from __future__ import annotations

import io
import math
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import RLELossless

from zoo_core.errors import DataError
from zoo_medical.quiet import AGAIN

HEADER = 64_000_000
"""Most bytes beside the pixels."""
_STEP = 1 << 20
_SLACK = 1 << 16


class BoundedFile(io.BufferedReader):
    """A file to read DICOM from.

    Args:
        path: The file.
        asked: What it is called in errors.
        limit: Most bytes of it, as they are and inflated.

    Raises:
        DataError: If it has more, or is no regular file.
    """

    def __init__(self, path: Path, asked: str, limit: int) -> None:
        require_file(path, asked)
        self._asked, self._limit = asked, limit
        self._require(path.stat().st_size, "it has")
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1) -> bytes:
        """Bytes; all that are left are what pydicom inflates where the syntax says so."""
        data = super().read(size)
        if size is None or size < 0:
            self._require(_inflated(data, self._limit), "it inflates to")
        return data

    def _require(self, size: int, what: str) -> None:
        if size > self._limit:
            raise DataError(
                f"{what} more than {self._limit / 1e6:,.0f} MB",
                asked=self._asked,
                hint="If it is meant to, allow it: --largest MEGAPIXELS.",
            )


def require_file(path: Path, asked: str) -> None:
    """Raises `DataError` unless there is a regular file: others may never end."""
    if not path.exists():
        raise DataError(
            "there is no such file", asked=asked, hint="Check the path and its spelling."
        )
    if not path.is_file():
        raise DataError("it is not a regular file", asked=asked, hint="Name a file.")


def require_modest(dataset: Dataset, number: int, count: int, asked: str) -> None:
    """Raises `DataError` if a compressed frame holds more pixels than the header tells.

    Args:
        dataset: The file's content.
        number: The frame.
        count: Number of frames.
        asked: What the file is called in errors.
    """
    frame = get_frame(dataset.PixelData, number, number_of_frames=count)
    limit = 2 * int(dataset.Rows) * int(dataset.Columns) + _SLACK
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        size = max((_unpacked(segment, limit) for segment in _segments(frame)), default=0)
    else:
        size = _pixels_of(frame)
    if size > limit:
        raise DataError("a frame is larger than its header tells", asked=asked, hint=AGAIN)


def _inflated(data: bytes, limit: int) -> int:
    """How long data becomes when inflated; counting ends above the limit."""
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while data and total <= limit and not inflater.eof:
            total += len(inflater.decompress(data, _STEP))
            data = inflater.unconsumed_tail
    except zlib.error:  # pydicom finds it, too
        pass
    return total


def _pixels_of(frame: bytes) -> float:
    """Number of pixels of a JPEG or JPEG 2000; 0 for what Pillow does not know, nor decodes."""
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return math.inf
    except Exception:  # Pillow raises many kinds for damaged headers
        return 0


def _segments(frame: bytes) -> list[bytes]:
    """The segments of a frame in RLE, each the bytes of one plane."""
    head: Any = memoryview(frame[:64].ljust(64, b"\0")).cast("I")
    starts = [*head[1 : 1 + min(int(head[0]), 15)], len(frame)]
    return [frame[start:end] for start, end in pairwise(starts)]


def _unpacked(segment: bytes, limit: int) -> int:
    """How many bytes a segment becomes; counting ends above the limit."""
    at, total = 0, 0
    while at < len(segment) and total <= limit:
        sign = segment[at]
        if sign < 128:  # so many bytes and one as they are
            at, total = at + sign + 2, total + sign + 1
        elif sign > 128:  # the next byte, several times
            at, total = at + 2, total + 257 - sign
        else:
            at += 1
    return total
