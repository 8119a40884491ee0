"""Reads DICOM: one slice or many frames, in the units that the header tells, such as Hounsfield's.

Nothing here quotes what a header holds, or what pydicom says of it: both may name a patient.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ImplicitVRLittleEndian

from zoo_core.errors import DataError
from zoo_images.formats import FormatPages, ImageFormat
from zoo_images.gaps import Gaps
from zoo_images.picture import Picture
from zoo_images.pixels import MAX_PIXELS
from zoo_medical import bounds
from zoo_medical.quiet import AGAIN, unquoted
from zoo_medical.scaling import Scaling

_DECODERS = "Install pylibjpeg[all] or python-gdcm, or save it uncompressed."


class DicomFormat(ImageFormat):
    """Opens DICOM files."""

    def open(self, path: Path, *, largest: int = MAX_PIXELS) -> DicomPages:
        """See `zoo_images.formats.ImageFormat.open`."""
        asked = str(path)
        dataset = _read(path, asked, 3 * largest + bounds.HEADER)
        if not {"PixelData", "FloatPixelData", "DoubleFloatPixelData"} & set(dataset.dir()):
            raise DataError(
                "it is a DICOM file without pixels",
                asked=asked,
                hint="Reports, structures and directories are no pictures: leave it out.",
            )
        with unquoted(asked, "its header is damaged"):
            pages = DicomPages(dataset, asked)
            size = len(pages) * max(1, int(dataset.get("BitsAllocated") or 8) // 8)
            for name in ("Rows", "Columns", "SamplesPerPixel"):
                size *= int(dataset.get(name) or 1)
        if size > 3 * largest:
            raise DataError(
                f"it has {size / 1e6:,.0f} MB when decoded, more than {3 * largest / 1e6:,.0f} MB",
                asked=asked,
                hint="If it is meant to, allow it: --largest MEGAPIXELS.",
            )
        return pages


class DicomPages(FormatPages):
    """The frames of a DICOM file; most have one, which is a slice.

    Args:
        dataset: The file's content.
        asked: What it is called in errors.
    """

    def __init__(self, dataset: Dataset, asked: str) -> None:
        self.dataset, self.asked = dataset, asked
        self._count = max(1, int(dataset.get("NumberOfFrames") or 1))

    def __len__(self) -> int:
        return self._count

    def picture(self, number: int = 0) -> Picture:
        """See `zoo_images.picture.Pages.picture`; values are in the units of the header."""
        with unquoted(self.asked, "its header lacks what a picture needs, or is damaged"):
            return self._picture(number)

    def _picture(self, number: int) -> Picture:
        stored = self._stored(number)
        if stored.ndim == 3:
            return Picture.of(stored, "DICOM")
        if self.dataset.PhotometricInterpretation == "PALETTE COLOR":
            with unquoted(self.asked, "its palette is damaged"):
                return Picture.of(apply_color_lut(stored, self.dataset), "DICOM")
        scaling = Scaling.of(self.dataset, number)
        padding = scaling.padding(stored)
        values = scaling.to_values(stored)
        gaps = Gaps(padding, values[padding]) if padding.any() else None
        picture = Picture.of(values, "DICOM", notes=scaling.notes)
        if gaps is None or picture.gaps is not None:
            return picture
        return Picture(
            picture.rgb, "DICOM", picture.mode, None, scaling.notes, picture.values, gaps=gaps
        )

    def shown(self) -> Picture:
        """The middle one: the first and the last slice of a volume are often empty."""
        return self.picture(len(self) // 2)

    def write(self, frames: Any, path: Path, *, target: str | None, identity: str) -> None:
        """See `zoo_medical.dicom_output.write`."""
        from zoo_medical.dicom_output import write

        write(self.dataset, frames.arrays, path, target=target, identity=identity)

    def _stored(self, number: int) -> Any:
        syntax = self.dataset.file_meta.TransferSyntaxUID
        what, hint = "its pixels are damaged or truncated", AGAIN
        if syntax.is_transfer_syntax and syntax.is_compressed:
            what = f"the installed decoders cannot read its compression ({syntax.name})"
            hint = _DECODERS
        with unquoted(self.asked, what, hint):
            if syntax.is_transfer_syntax and syntax.is_encapsulated:
                bounds.require_modest(self.dataset, number, len(self), self.asked)
            return pixel_array(self.dataset, index=number)


def _read(path: Path, asked: str, limit: int) -> Dataset:
    with (
        bounds.BoundedFile(path, asked, limit) as file,
        unquoted(asked, "it is no DICOM file, or its header is damaged"),
    ):
        dataset = pydicom.dcmread(file, force=path.suffix.lower() in (".dcm", ".dicom", ".ima"))
        if not len(dataset):
            raise InvalidDicomError
        if "TransferSyntaxUID" not in dataset.file_meta:  # files without a head are such
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        return dataset
