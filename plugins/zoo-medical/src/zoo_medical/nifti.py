"""Reads and writes NIfTI volumes, axial slice by axial slice; the header stays what it was.

Slices are turned as DICOM's are, to the patient's left and back, so that models of one read the
other. Nothing here quotes a header: it may name a patient.
"""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    io_orientation,
    ornt_transform,
)

from zoo_core.errors import DataError
from zoo_core.files import replacing
from zoo_images.formats import FormatPages, ImageFormat
from zoo_images.picture import Picture
from zoo_images.pixels import MAX_PIXELS
from zoo_medical.bounds import require_file
from zoo_medical.quiet import unquoted

_LONGEST_HEADER = 4_000_000
"""Most bytes before the data: the header with its extensions."""


class NiftiFormat(ImageFormat):
    """Opens NIfTI files."""

    def open(self, path: Path, *, largest: int = MAX_PIXELS) -> NiftiPages:
        """See `zoo_images.formats.ImageFormat.open`."""
        asked = str(path)
        require_file(path, asked)
        with unquoted(asked, "its header or its data is damaged or truncated"):
            zipped = path.name.lower().endswith(".gz")
            # What is packed may hold gigabytes: no more is read than was announced.
            with gzip.open(path) if zipped else path.open("rb") as file:
                header = _header_of(file)
                _require_slices(header, asked, 3 * largest)
                kind, shape = header.get_data_dtype(), header.get_data_shape()
                data = file.read(math.prod(shape) * kind.itemsize)
            return NiftiPages(header, np.frombuffer(data, kind).reshape(shape, order="F"), asked)


def _header_of(file: Any) -> Any:
    """The header with its extensions; the file is left where the data begins."""
    start = file.read(4)
    kind: Any = nibabel.Nifti1Header
    if 540 in (int.from_bytes(start, "little"), int.from_bytes(start, "big")):
        kind = nibabel.Nifti2Header
    start += file.read(kind.sizeof_hdr - len(start))
    offset = int(kind(start)["vox_offset"]) or kind.single_vox_offset
    if not kind.single_vox_offset <= offset <= _LONGEST_HEADER:
        raise ValueError(offset)
    start += file.read(offset - len(start))
    return kind.from_fileobj(io.BytesIO(start))


def _require_slices(header: Any, asked: str, most: int) -> None:
    """Raises `DataError` unless the data are slices of numbers, of no more than ``most`` bytes."""
    kind, shape = header.get_data_dtype(), header.get_data_shape()
    if kind.kind not in "uif" or not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise DataError(
            f"it holds {kind} of shape {tuple(shape)}, which are no slices",
            asked=asked,
            hint="Slices are numbers in 2 to 4 dimensions.",
        )
    size = math.prod(int(extent) for extent in shape) * kind.itemsize
    if size > most:
        raise DataError(
            f"it has {size / 1e6:,.0f} MB when decoded, more than {most / 1e6:,.0f} MB",
            asked=asked,
            hint="If it is meant to, allow it: --largest MEGAPIXELS.",
        )


class NiftiPages(FormatPages):
    """The axial slices of a volume, or of one volume after the other.

    Args:
        header: The file's.
        stored: Its stored numbers, (X, Y), (X, Y, Z) or (X, Y, Z, T).
        asked: What it is called in errors.
    """

    def __init__(self, header: Any, stored: Any, asked: str) -> None:
        self.asked, self._header = asked, header
        self._shape = stored.shape
        volume = stored.reshape(*stored.shape, *[1] * (4 - stored.ndim))  # (X, Y, Z, T)
        self._turn = ornt_transform(
            io_orientation(header.get_best_affine()), axcodes2ornt(("L", "P", "S"))
        )
        turned = apply_orientation(volume, self._turn)  # (L, P, S, T)
        self._slices = turned.transpose(3, 2, 1, 0)  # (T, S, P, L)
        slope, intercept = header.get_slope_inter()  # None where none is given
        self._slope, self._intercept = float(slope or 1), float(intercept or 0)

    def __len__(self) -> int:
        return int(self._slices.shape[0] * self._slices.shape[1])

    def picture(self, number: int = 0) -> Picture:
        """See `zoo_images.picture.Pages.picture`; values are scaled as the header tells."""
        time, place = divmod(number, self._slices.shape[1])
        stored = self._slices[time, place]
        native = np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("=")))
        if (self._slope, self._intercept) != (1.0, 0.0):
            native = (native * self._slope + self._intercept).astype(np.float32)
        return Picture.of(native, "NIfTI")

    def shown(self) -> Picture:
        """The middle one: the first and the last slice of a volume are often empty."""
        return self.picture(self._slices.shape[1] // 2)

    def write(self, frames: Any, path: Path, *, target: str | None, identity: str) -> None:
        """Writes a volume with the input's header; its type changes only where it has to.

        Raises:
            DataError: If the slices have another size than the input's, or are coloured.
        """
        arrays = np.stack(frames.arrays)
        if arrays.shape != (len(self), *self._slices.shape[2:]):
            raise DataError(
                f"a volume cannot hold slices of shape {arrays.shape[1:]}",
                asked=str(path),
                hint="Leave out --size, and use a model of grey pictures (or --range).",
            )
        volume = arrays.reshape(self._slices.shape).transpose(3, 2, 1, 0)  # (L, P, S, T)
        back = ornt_transform(
            axcodes2ornt(("L", "P", "S")), io_orientation(self._header.get_best_affine())
        )
        values = apply_orientation(volume, back).reshape(self._shape)
        header = self._header.copy()
        header["vox_offset"] = 0  # behind the extensions
        stored = self._stored(values, header)
        header["magic"] = b"n+2" if header["sizeof_hdr"] == 540 else b"n+1"
        data = io.BytesIO()
        header.write_to(data)
        start = int(header["vox_offset"]) or header.single_vox_offset
        data.write(b"\0" * (start - data.tell()))
        data.write(stored.tobytes(order="F"))
        zipped = path.name.lower().endswith(".gz")
        # Without a time in it, equal volumes make equal files.
        content = gzip.compress(data.getvalue(), mtime=0) if zipped else data.getvalue()
        with replacing(path) as part:
            part.write_bytes(content)

    def _stored(self, values: Any, header: Any) -> Any:
        """The numbers to store, in the input's type and scaling where these can hold them."""
        kind = self._header.get_data_dtype()
        numbers = (values - self._intercept) / self._slope
        header.set_slope_inter(self._slope, self._intercept)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            # (NaN is within no limits)
            if limits.min <= np.rint(numbers.min()) <= np.rint(numbers.max()) <= limits.max:
                return np.rint(numbers).astype(kind)
        elif np.can_cast(values.dtype, kind, "same_kind"):
            return numbers.astype(kind)
        order = ">" if header.endianness == ">" else "<"
        kind = values.dtype if values.dtype.kind in "iu" else np.dtype(np.float32)
        header.set_data_dtype(kind)
        header.set_slope_inter(1, 0)
        return values.astype(np.dtype(kind).newbyteorder(order))
